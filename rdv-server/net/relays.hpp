#pragma once
#include "broker.hpp"
#include "net/relay.hpp"

#include <map>

namespace rdv {

/// The relays of one thread, between the broker that decides and the legs that come.
class Relays final : private Relay::Events {
 public:
  struct Surroundings {
    asio::any_io_executor executor;
    Deadlines& deadlines;
    Scratch scratch;
    Broker& broker;
    ActionSink& sink;
  };

  Relays(Relay::Settings settings, Surroundings around);

  /// Takes a leg over that the broker has accepted, and carries out what the broker wants done now.
  /// The first leg of a session carries the relay in its coroutine: it returns when the session's
  /// bytes have ended; the second returns at once.
  Task<> carry(Broker::Attached where, tunnel::io::TlsSocket leg, tunnel::wire::FrameReader reader,
               Actions actions);
  /// See StopRelay.
  void stop(std::uint64_t session, tunnel::wire::CloseCode code, std::string_view text);
  /// Tells the broker what each relay has carried so far.
  void report_bytes();
  /// What this session's relays have carried since the broker was told.
  struct Carried {
    std::uint64_t from_onsite = 0, from_master = 0;
  };
  Carried unreported(std::uint64_t session) const;
  /// Of all sessions ever.
  std::uint64_t carried_bytes() const;
  std::size_t size() const { return by_session_.size(); }

 private:
  class Known;
  using Key = std::pair<std::uint64_t, std::uint32_t>;  // session, epoch
  void on_leg_closed(Relay& relay, Relay::Side side) override;
  void on_gave_up(Relay& relay, tunnel::wire::CloseCode code, std::string_view why) override;
  void report_bytes(const Relay& relay);

  Relay::Settings settings_;
  Surroundings around_;
  PipePool pipes_;
  Moderation moderation_;
  std::map<Key, Relay*> by_session_;  // each lives in the coroutine of its first leg
  std::map<Key, Carried> reported_;   // of those
  std::uint64_t ended_bytes_ = 0;     // of relays that are gone
};

}  // namespace rdv
