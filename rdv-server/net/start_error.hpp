#pragma once
#include <stdexcept>
#include <string>

namespace rdv {

/// The server cannot start. what() says what failed and why; next() what to do about it.
class StartError : public std::runtime_error {
 public:
  StartError(const std::string& what, std::string next)
      : std::runtime_error{what}, next_{std::move(next)} {}
  const std::string& next() const noexcept { return next_; }

 private:
  std::string next_;
};

}  // namespace rdv
