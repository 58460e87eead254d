#include "agent/session_runner.hpp"

#include "agent/dial.hpp"
#include "base/log.hpp"
#include "crypto/hash.hpp"
#include "io/tun_offloads.hpp"

#include <fcntl.h>
#include <utility>

namespace device {
namespace {

namespace core = tunnel::core;
namespace io = tunnel::io;
namespace log = tunnel::log;
using std::chrono::milliseconds;
using wire::CloseCode;

wire::Identity peer_of(const wire::Grant& grant, wire::Role role) {
  return role == wire::Role::master
             ? wire::Identity{grant.system, wire::Role::onsite, grant.onsite.name}
             : wire::Identity{grant.system, wire::Role::master, grant.master.name};
}

const wire::Hash& peer_key_of(const wire::Grant& grant, wire::Role role) {
  return role == wire::Role::master ? grant.onsite.key_hash : grant.master.key_hash;
}

std::uint32_t to_ms(tunnel::Clock::duration time) {
  return static_cast<std::uint32_t>(std::chrono::duration_cast<milliseconds>(time).count());
}

void add(io::PumpCounters& sum, const io::PumpCounters& more) {
  sum.rx_bytes += more.rx_bytes;
  sum.tx_bytes += more.tx_bytes;
  sum.rx_packets += more.rx_packets;
  sum.tx_packets += more.tx_packets;
  sum.dropped_malformed += more.dropped_malformed;
  sum.dropped_address += more.dropped_address;
  sum.dropped_kernel += more.dropped_kernel;
  sum.dropped_tx += more.dropped_tx;
  sum.dropped_queue += more.dropped_queue;
  sum.marked += more.marked;
}

}  // namespace

SessionRunner::SessionRunner(const Identity& identity, NetdClient& netd, Plan plan, Events events,
                             asio::any_io_executor executor)
    : identity_{identity},
      netd_{netd},
      events_{std::move(events)},
      executor_{executor},
      role_{plan.role},
      interface_{std::move(plan.interface)},
      plan_{std::move(plan.first)},
      wakeup_{std::move(executor)},
      network_asked_{plan.kept.has_value()},
      tun_{std::move(plan.kept)},
      deny_{std::move(plan.deny)} {}

Task<io::LegEnd> SessionRunner::run() {
  using namespace asio::experimental::awaitable_operators;
  if (!end_ && !tun_) {
    begin_leg();
    co_await ((make_leg() && make_network()) || woken());
  }
  while (!end_) {
    if (is_leg_up()) co_await pump();
    drop_leg();
    if (!end_ && lost_) co_await report_loss();
    if (!end_) co_await bridge();
  }
  co_return *end_;
}

Task<> SessionRunner::clean_up() {
  drop_leg();
  keeper_.reset();
  tun_.reset();
  if (!network_asked_ || !netd_.is_present()) co_return;  // a netd that left has undone everything
  if (const auto failure = co_await netd_.close_session(plan_.start.grant.session))
    log::error("the network of a session could not be undone",
               {log::session(plan_.start.grant.session), log::reason(failure->text)});
}

// --- legs ----------------------------------------------------------------------------------------

void SessionRunner::begin_leg() {
  const auto& grant = plan_.start.grant;
  interrupted_ = leg_made_ = false;
  lost_.reset();
  // What woke us up to here was about the leg before: it must not give up this one.
  wakeup_.forget();
  has_leg_ = true;
  // Made anew for each leg: our certificate may have been renewed since the last one.
  outer_.emplace(crypto::TlsContext::device(identity_.credentials(), identity_.ca, wire::alpn_data,
                                            plan_.check_dates));
  inner_.emplace(crypto::TlsContext::end_to_end(identity_.credentials(), identity_.ca,
                                                peer_of(grant, role_), peer_key_of(grant, role_),
                                                plan_.check_dates));
}

/// Neither interrupted nor lost since it was made.
bool SessionRunner::is_leg_up() const {
  return leg_made_ && tun_ && !interrupted_ && !lost_ && !end_;
}

void SessionRunner::drop_leg() {
  const auto epoch = plan_.start.grant.epoch;
  if (pump_) counters_ = counters();
  if (pump_ && pump_->received_bytes() > 0) heard_ = {epoch, pump_->received_bytes()};
  if (pump_ && tun_) {
    keeper_.emplace(executor_, tun_->fd.get(), core::KeepBuffer{plan_.start.grant.mode});
    pump_->leave_to(keeper_->keep(), epoch);
  }
  pump_.reset();
  if (leg_) leg_->close();
  leg_.reset();
  plan_.early.reset();
  has_leg_ = leg_made_ = false;
}

Task<> SessionRunner::make_leg() {
  using namespace asio::experimental::awaitable_operators;
  const bool connected = co_await connect();
  if (!connected) co_return;
  const auto limit =
      is_resumed() ? Clock::duration{resume_timeout} : Clock::duration{wire::confirm_timeout};
  const auto first = co_await (leg_->establish() || sleep_for(limit));
  if (first.index() == 1)
    leg_failed({CloseCode::peer_lost, "the other device did not come to the meeting point", true});
  else if (const auto& failed = std::get<0>(first))
    leg_failed(*failed);
  else if (const auto expired = check_peer_dates())
    leg_failed(*expired);
  else
    leg_made_ = true;
}

/// @return false: it failed
Task<bool> SessionRunner::connect() {
  if (plan_.early) {
    const auto patience =
        is_resumed() ? Clock::duration{early_patience} : Clock::duration{EarlyLeg::lifetime};
    if (auto early = co_await plan_.early->take(patience)) {
      leg_.emplace(std::move(*early), *inner_, leg_plan());
      co_return true;
    }
  }
  const auto limit = is_resumed() ? Clock::duration{wire::impatient_connect_timeout}
                                  : Clock::duration{wire::connect_timeout};
  auto dialled = co_await dial(plan_.way, limit);
  if (const auto* failure = std::get_if<DialFailure>(&dialled)) {
    leg_failed({CloseCode::network, "cannot reach the RDV server: " + failure->why, true});
    co_return false;
  }
  leg_.emplace(std::move(std::get<tcp::socket>(dialled)), *outer_, *inner_, leg_plan());
  co_return true;
}

/// What is lost may be cured by another leg; anything else ends the session.
void SessionRunner::leg_failed(io::LegEnd why) {
  if (!why.is_lost) return give_up(std::move(why));
  lost_ = std::move(why);
  wakeup_.notify();
}

Task<> SessionRunner::report_loss() {
  const auto why = *std::exchange(lost_, std::nullopt);
  if (!interrupted_) co_await events_.lost(plan_.start.grant.epoch, why);
}

Task<> SessionRunner::pump() {
  const auto offloads = io::set_tun_offloads(tun_->fd.get(), leg_->peer().offloads);
  log::debug("the path is ready", {log::session(plan_.start.grant.session), log::link(tun_->link),
                                   log::count(offloads)});
  pump_.emplace(*leg_, tun_->fd.get(), pump_options(),
                [this](Clock::duration echo) { events_.running(plan_.start, echo); });
  auto why = co_await pump_->run();
  if (end_ || interrupted_ || lost_) co_return;
  if (why.is_lost)
    lost_ = std::move(why);
  else
    end_ = std::move(why);
}

/// From one leg to the next: what the kernel sends meanwhile is kept.
Task<> SessionRunner::bridge() {
  using namespace asio::experimental::awaitable_operators;
  if (!tun_) co_return give_up({CloseCode::network, "before the session began"});
  auto kept = keeper_ ? std::move(keeper_->keep()) : core::KeepBuffer{plan_.start.grant.mode};
  keeper_.emplace(executor_, tun_->fd.get(), std::move(kept));  // the one before may have stopped
  co_await (keep_tun() && find_leg());
  if (end_) keeper_.reset();
}

Task<> SessionRunner::keep_tun() {
  co_await keeper_->run();
  if (keeper_->is_tun_gone()) give_up({CloseCode::kernel, "the TUN device is gone"});
}

Task<> SessionRunner::find_leg() {
  using namespace asio::experimental::awaitable_operators;
  while (!end_ && !is_leg_up()) {
    if (lost_) {
      co_await report_loss();
    } else if (next_) {
      plan_ = *std::exchange(next_, std::nullopt);
      begin_leg();
      co_await (make_leg() || woken());
      if (!is_leg_up()) drop_leg();
    } else {
      co_await woken();
    }
  }
  keeper_->stop();
}

Task<> SessionRunner::make_network() {
  network_asked_ = true;
  const bool is_routed = plan_.start.grant.mode == wire::Mode::l3;
  deny_ = plan_.start.grant.deny;
  if (const auto server = plan_.way.server_address(); is_routed && server && server->is_v4())
    deny_.push_back({server->to_v4().to_uint()});
  auto opened = co_await netd_.open_session(plan_.start.grant, role_, interface_, deny_);
  if (const auto* failure = std::get_if<BusFailure>(&opened))
    give_up({CloseCode::kernel, failure->text});
  else
    tun_ = std::move(std::get<SessionTun>(opened));
}

/// With a wrong clock the handshake did not look at dates: the server's time does it now.
std::optional<io::LegEnd> SessionRunner::check_peer_dates() const {
  if (plan_.check_dates) return std::nullopt;
  const auto peer = crypto::tls_peer(leg_->inner());
  const auto now = tunnel::unix_now() +
                   std::chrono::duration_cast<std::chrono::seconds>(plan_.clock_offset).count();
  if (peer && peer->certificate_expires > now) return std::nullopt;
  return io::LegEnd{CloseCode::integrity, "the other device's certificate has expired"};
}

// --- what others want ----------------------------------------------------------------------------

void SessionRunner::interrupt() {
  if (end_) return;
  interrupted_ = true;
  if (pump_) pump_->abort(CloseCode::network, "");
  wakeup_.notify();
}

void SessionRunner::lose_leg(CloseCode code, const std::string& text) {
  if (end_ || interrupted_ || lost_ || !has_leg_) return;
  lost_ = io::LegEnd{code, text, true};
  if (pump_) pump_->abort(code, text);
  wakeup_.notify();
}

void SessionRunner::resume(LegPlan next) {
  next_ = std::move(next);
  wakeup_.notify();
}

void SessionRunner::give_up(io::LegEnd why) {
  if (!end_) end_ = std::move(why);
  wakeup_.notify();
}

void SessionRunner::stop(CloseCode code, const std::string& text) {
  give_up({code, text});
  if (pump_) pump_->stop(code, text);
}

void SessionRunner::abort(CloseCode code, const std::string& text) {
  give_up({code, text});
  if (pump_) pump_->abort(code, text);
  if (keeper_) keeper_->stop();
  tun_.reset();
}

tunnel::UniqueFd SessionRunner::duplicate_tun() const {
  return tunnel::UniqueFd{::fcntl(tun_->fd.get(), F_DUPFD_CLOEXEC, 3)};
}

io::PumpCounters SessionRunner::counters() const {
  auto sum = counters_;
  if (pump_) add(sum, pump_->counters());
  return sum;
}

std::optional<asio::ip::address> SessionRunner::leg_address() {
  if (!leg_) return std::nullopt;
  io::error_code ec;
  const auto end = leg_->socket().local_endpoint(ec);
  return ec ? std::nullopt : std::optional{end.address()};
}

io::DataLeg::Plan SessionRunner::leg_plan() const {
  const auto& grant = plan_.start.grant;
  return {.attach = {.session = grant.session, .epoch = grant.epoch},
          .confirm = {.grant_hash = crypto::sha256(plan_.start.grant_bytes),
                      .role = role_,
                      .alive_after_ms = to_ms(wire::alive_after),
                      .give_up_after_ms = to_ms(wire::alive_give_up_after),
                      .offloads = io::tun_offloads_taken(),
                      .previous_epoch = heard_.epoch,
                      .previous_received_bytes = heard_.end},
          .peer_role = role_ == wire::Role::master ? wire::Role::onsite : wire::Role::master};
}

io::PacketPump::Options SessionRunner::pump_options() {
  const auto& grant = plan_.start.grant;
  const auto& peer = leg_->peer();
  if (keeper_) keeper_->keep().forget_received({peer.previous_epoch, peer.previous_received_bytes});
  auto kept = keeper_ ? keeper_->take() : std::vector<tunnel::Bytes>{};
  keeper_.reset();
  return {.session = grant.session,
          .role = role_,
          .onsite_address = tunnel_address(grant, wire::Role::onsite).address,
          .master_address = tunnel_address(grant, wire::Role::master).address,
          .times = {.probes = role_ == wire::Role::master, .ends = plan_.start.ends},
          .echo_token = crypto::random_u64(),
          .resumes = is_resumed(),
          .kept = std::move(kept),
          .sender = {.mode = grant.mode,
                     .peer_offloads = leg_->peer().offloads,
                     .flow_seed = static_cast<std::uint32_t>(crypto::random_u64())}};
}

}  // namespace device
