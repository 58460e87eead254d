#pragma once
#include "wire/grant.hpp"

namespace rdv {

/// A session as it outlives the server: what its last grant says, and its time.
struct KeptSession {
  tunnel::wire::Grant grant;        ///< its `seconds` are what was left when it was given
  std::uint32_t seconds = 0;        ///< the absolute limit, from the first grant
  tunnel::UnixSeconds since = 0;    ///< offered
  tunnel::UnixSeconds expires = 0;  ///< never resumed after this
};

}  // namespace rdv
