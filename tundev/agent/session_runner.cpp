#include "agent/session_runner.hpp"

#include "agent/dial.hpp"
#include "base/log.hpp"
#include "crypto/hash.hpp"
#include "io/tun_offloads.hpp"

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

}  // namespace

SessionRunner::SessionRunner(const Identity& identity, NetdClient& netd, Plan plan,
                             OnRunning on_running, asio::any_io_executor executor)
    : netd_{netd},
      plan_{std::move(plan)},
      on_running_{std::move(on_running)},
      outer_{crypto::TlsContext::device(identity.credentials(), identity.ca, wire::alpn_data,
                                        plan_.check_dates)},
      inner_{crypto::TlsContext::end_to_end(
          identity.credentials(), identity.ca, peer_of(plan_.start.grant, plan_.role),
          peer_key_of(plan_.start.grant, plan_.role), plan_.check_dates)},
      stop_{std::move(executor)} {}

Task<io::LegEnd> SessionRunner::run() {
  using namespace asio::experimental::awaitable_operators;
  if (!end_) co_await ((make_leg() && make_network()) || stopped());
  if (end_) co_return *end_;
  const auto offloads = io::set_tun_offloads(tun_->fd.get(), leg_->peer().offloads);
  log::debug("the path is ready", {log::session(plan_.start.grant.session), log::link(tun_->link),
                                   log::count(offloads)});
  pump_.emplace(*leg_, tun_->fd.get(), pump_options(), on_running_);
  end_ = co_await pump_->run();
  counters_ = pump_->counters();
  co_return *end_;
}

Task<> SessionRunner::clean_up() {
  pump_.reset();
  tun_.reset();
  if (leg_) leg_->close();
  leg_.reset();
  if (!network_asked_ || !netd_.is_present()) co_return;  // a netd that left has undone everything
  if (const auto failure = co_await netd_.close_session(plan_.start.grant.session))
    log::error("the network of a session could not be undone",
               {log::session(plan_.start.grant.session), log::reason(failure->text)});
}

/// @return false: given up
Task<bool> SessionRunner::connect() {
  if (plan_.early) {
    if (auto early = co_await plan_.early->take()) {
      leg_.emplace(std::move(*early), inner_, leg_plan());
      co_return true;
    }
  }
  auto dialled = co_await dial(plan_.way);
  if (const auto* failure = std::get_if<DialFailure>(&dialled)) {
    give_up(CloseCode::network, "cannot reach the RDV server: " + failure->why);
    co_return false;
  }
  leg_.emplace(std::move(std::get<tcp::socket>(dialled)), outer_, inner_, leg_plan());
  co_return true;
}

Task<> SessionRunner::make_leg() {
  using namespace asio::experimental::awaitable_operators;
  const bool connected = co_await connect();
  if (!connected) co_return;
  const auto first = co_await (leg_->establish() || sleep_for(wire::confirm_timeout));
  if (first.index() == 1)
    give_up(CloseCode::peer_lost, "the other device did not come to the meeting point");
  else if (const auto& failed = std::get<0>(first))
    give_up(failed->code, failed->text);
  else if (const auto expired = check_peer_dates())
    give_up(expired->code, expired->text);
}

Task<> SessionRunner::make_network() {
  network_asked_ = true;
  auto deny = plan_.start.grant.deny;
  if (const auto server = plan_.way.server_address(); server && server->is_v4())
    deny.push_back({server->to_v4().to_uint()});
  auto opened =
      co_await netd_.open_session(plan_.start.grant, plan_.role, plan_.interface, std::move(deny));
  if (const auto* failure = std::get_if<BusFailure>(&opened))
    give_up(CloseCode::kernel, failure->text);
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

void SessionRunner::give_up(CloseCode code, std::string text) {
  if (!end_) end_ = io::LegEnd{code, std::move(text)};
  stop_.notify();
}

void SessionRunner::stop(CloseCode code, const std::string& text) {
  if (pump_)
    pump_->stop(code, text);
  else
    give_up(code, text);
}

void SessionRunner::abort(CloseCode code, const std::string& text) {
  if (!pump_) return give_up(code, text);
  pump_->abort(code, text);
  tun_.reset();
}

io::DataLeg::Plan SessionRunner::leg_plan() const {
  const auto& grant = plan_.start.grant;
  return {.attach = {.session = grant.session, .epoch = grant.epoch},
          .confirm = {.grant_hash = crypto::sha256(plan_.start.grant_bytes),
                      .role = plan_.role,
                      .alive_after_ms = to_ms(wire::alive_after),
                      .give_up_after_ms = to_ms(wire::alive_give_up_after),
                      .offloads = io::tun_offloads_taken()},
          .peer_role = plan_.role == wire::Role::master ? wire::Role::onsite : wire::Role::master};
}

io::PacketPump::Options SessionRunner::pump_options() const {
  const auto& grant = plan_.start.grant;
  return {.session = grant.session,
          .role = plan_.role,
          .onsite_address = tunnel_address(grant, wire::Role::onsite).address,
          .master_address = tunnel_address(grant, wire::Role::master).address,
          .times = {.probes = plan_.role == wire::Role::master,
                    .ends = tunnel::Clock::now() + std::chrono::seconds{grant.seconds}},
          .echo_token = crypto::random_u64(),
          .sender = {.peer_offloads = leg_->peer().offloads,
                     .flow_seed = static_cast<std::uint32_t>(crypto::random_u64())}};
}

}  // namespace device
