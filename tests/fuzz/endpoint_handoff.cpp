#include "core/endpoint_handoff.hpp"

#include "fuzz/input.hpp"

/// One end's way to the raw inner session: any frames, Confirms and seams in any order never make
/// it believe in a peer that did not confirm.
namespace {

using namespace tunnel;
using namespace tunnel::wire;
using core::EndpointHandoff;

constexpr Hash grant_hash{std::byte{7}};

Confirm confirm_from(fuzz::Input& input) {
  Confirm confirm{.grant_hash = grant_hash, .role = Role::master};
  if (input.flag())
    confirm.grant_hash[input.below(hash_bytes)] = static_cast<std::byte>(input.take());
  if (input.flag()) confirm.role = Role::onsite;
  return confirm;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input{data, size};
  EndpointHandoff machine{{.grant_hash = grant_hash, .peer_role = Role::master}};
  bool confirmed = false;
  bool shaken = false;
  bool switch_read = false;
  bool seam = false;
  boost::system::error_code error;
  const auto note = [&](boost::system::error_code ec) {
    if (error)
      FUZZ_REQUIRE(ec == error);  // an error stays
    else
      error = ec;
  };
  while (!input.empty()) {
    switch (input.below(5)) {
      case 0: {
        const auto type = static_cast<FrameType>(input.take());
        const std::size_t behind = input.below(2);
        const auto action = machine.on_outer_frame(type, input.take<std::uint16_t>(), behind);
        if (!action)
          note(action.error());
        else if (*action == EndpointHandoff::OuterAction::switched) {
          FUZZ_REQUIRE(!switch_read && behind == 0);
          switch_read = true;
        } else if (*action == EndpointHandoff::OuterAction::feed_inner) {
          FUZZ_REQUIRE(!switch_read);
        }
        break;
      }
      case 1:
        if (shaken) break;  // a handshake is done once
        shaken = true;
        note(machine.on_inner_handshake_done());
        break;
      case 2: {
        const auto confirm = confirm_from(input);
        const bool mac_fits = input.flag();
        const auto ec = machine.on_confirm(confirm, mac_fits);
        note(ec);
        if (ec) break;
        FUZZ_REQUIRE(mac_fits && confirm.grant_hash == grant_hash && confirm.role == Role::master &&
                     shaken && !confirmed);
        confirmed = true;
        break;
      }
      case 3:
        if (const auto action = machine.on_inner_frame(static_cast<FrameType>(input.take()));
            !action)
          note(action.error());
        break;
      case 4: {
        if (!switch_read || seam) break;
        const std::size_t unread = input.below(3);
        const auto ec = machine.on_seam(unread);
        note(ec);
        seam = true;
        if (!ec) FUZZ_REQUIRE(unread == 0 && confirmed);
        break;
      }
    }
    if (machine.is_done()) FUZZ_REQUIRE(shaken && confirmed && seam && !error);
  }
  return 0;
}
