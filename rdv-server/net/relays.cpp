#include "net/relays.hpp"

namespace rdv {

namespace {

std::uint64_t carried(const Relay& relay) {
  return relay.carried_bytes(Relay::Side::master) + relay.carried_bytes(Relay::Side::onsite);
}

}  // namespace

/// One relay in the table, for as long as its coroutine lives.
class Relays::Known {
 public:
  Known(Relays& relays, Key key, Relay& relay) : relays_{relays}, key_{key}, relay_{relay} {
    relays_.by_session_.emplace(key_, &relay_);
  }
  Known(Known&&) = delete;
  ~Known() {
    relays_.by_session_.erase(key_);
    relays_.reported_.erase(key_);
    relays_.ended_bytes_ += carried(relay_);
  }

 private:
  Relays& relays_;
  Key key_;
  Relay& relay_;
};

Relays::Relays(Relay::Settings settings, Surroundings around)
    : settings_{settings}, around_{around}, moderation_{around.executor} {}

Task<> Relays::carry(Broker::Attached where, tunnel::io::TlsSocket leg,
                     tunnel::wire::FrameReader reader, Actions actions) {
  const Key key{where.session, where.epoch};
  if (const auto found = by_session_.find(key); found != by_session_.end()) {
    found->second->adopt(where.side, std::move(leg), std::move(reader));
    around_.sink.run(std::move(actions));
    co_return;
  }
  Relay relay{where.session,
              where.epoch,
              settings_,
              {around_.executor, around_.deadlines, pipes_, moderation_, around_.scratch, *this}};
  const Known known{*this, key, relay};
  relay.adopt(where.side, std::move(leg), std::move(reader));
  around_.sink.run(std::move(actions));
  co_await relay.run();
}

void Relays::stop(std::uint64_t session, tunnel::wire::CloseCode code, std::string_view text) {
  for (auto at = by_session_.lower_bound(Key{session, 0});
       at != by_session_.end() && at->first.first == session; ++at) {
    report_bytes(*at->second);
    at->second->stop(code, text);
  }
}

void Relays::report_bytes() {
  for (const auto& [key, relay] : by_session_)
    report_bytes(*relay);
}

std::uint64_t Relays::carried_bytes() const {
  std::uint64_t bytes = ended_bytes_;
  for (const auto& [key, relay] : by_session_)
    bytes += carried(*relay);
  return bytes;
}

void Relays::on_leg_closed(Relay& relay, Relay::Side side) {
  report_bytes(relay);
  around_.sink.run(around_.broker.on_leg_closed(relay.session(), relay.epoch(), side,
                                                relay.is_raw(), read_clocks()));
}

void Relays::on_gave_up(Relay& relay, tunnel::wire::CloseCode code, std::string_view why) {
  report_bytes(relay);
  around_.sink.run(
      around_.broker.on_relay_ended(relay.session(), relay.epoch(), code, why, read_clocks()));
}

Relays::Carried Relays::unreported(std::uint64_t session) const {
  Carried sum;
  for (auto at = by_session_.lower_bound(Key{session, 0});
       at != by_session_.end() && at->first.first == session; ++at) {
    const auto told = reported_.find(at->first);
    const auto before = told == reported_.end() ? Carried{} : told->second;
    sum.from_onsite += at->second->carried_bytes(Relay::Side::onsite) - before.from_onsite;
    sum.from_master += at->second->carried_bytes(Relay::Side::master) - before.from_master;
  }
  return sum;
}

void Relays::report_bytes(const Relay& relay) {
  reported_[{relay.session(), relay.epoch()}] = {relay.carried_bytes(Relay::Side::onsite),
                                                 relay.carried_bytes(Relay::Side::master)};
  around_.broker.on_relay_bytes(relay.session(), relay.epoch(),
                                relay.carried_bytes(Relay::Side::onsite),
                                relay.carried_bytes(Relay::Side::master));
}

}  // namespace rdv
