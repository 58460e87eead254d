#include "agent/agent.hpp"

#include "base/log.hpp"
#include "crypto/hash.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <unistd.h>
#include <utility>

namespace device {
namespace {

using namespace std::chrono_literals;
namespace core = tunnel::core;
namespace log = tunnel::log;
using wire::CloseCode;

std::string own_hostname() {
  std::array<char, wire::hostname_chars_max + 1> name{};
  ::gethostname(name.data(), name.size() - 1);
  return wire::to_plain_text(name.data(), wire::hostname_chars_max);
}

}  // namespace

Agent::Agent(asio::io_context& io, tunnel::bus::AsioBus& bus, Config config, Events events)
    : executor_{io.get_executor()},
      config_{std::move(config)},
      proxies_{
          ProxyChoice::from(config_.proxy, [](const char* name) { return std::getenv(name); })},
      events_{std::move(events)},
      store_{config_.state_dir},
      identity_{store_.load()},
      netd_{bus, netd_events()},
      uplinks_{executor_, netd_},
      identity_wakeup_{executor_},
      session_wakeup_{executor_},
      cause_wakeup_{executor_},
      enrolment_wakeup_{executor_},
      netd_wakeup_{executor_},
      facts_wakeup_{executor_},
      deadline_wakeup_{executor_} {}

Agent::~Agent() = default;

Task<> Agent::run() {
  using namespace asio::experimental::awaitable_operators;
  co_await (serve_identity() && serve_sessions() && serve_enrolments() && serve_netd() &&
            serve_deadlines() && uplinks_.run());
}

void Agent::lose_bus() {
  end_session(CloseCode::kernel, "its system bus was restarted", true);
  stop();
}

void Agent::stop() {
  if (std::exchange(stopping_, true)) return;
  end_session(CloseCode::shutdown, "", false);
  expire_lists(true);
  for (auto* wakeup : {&identity_wakeup_, &session_wakeup_, &cause_wakeup_, &enrolment_wakeup_,
                       &netd_wakeup_, &facts_wakeup_, &deadline_wakeup_})
    wakeup->notify();
  if (uplink_) uplink_->stop();
  uplinks_.stop();
}

// --- the five things that go on all the time
// ------------------------------------------------------

Task<> Agent::serve_identity() {
  while (!stopping_) {
    if (next_identity_) identity_ = std::exchange(next_identity_, std::nullopt);
    if (!identity_) {
      on_start_known();
      log::info("not enrolled; waiting for: tundev enroll CODE");
      co_await identity_wakeup_.wait();
      continue;
    }
    control_.emplace(core::DeviceIdentity{identity_->self, identity_->certificate.key_hash()},
                     tools());
    control_->set_allows_l2(config_.onsite.l2);
    const auto& server =
        config_.server.address.empty() ? identity_->server : config_.server.address;
    Dialler dialler{server, proxies_};
    dialler.before_connecting([this](const std::vector<asio::ip::tcp::endpoint>& hops) {
      return uplinks_.prepare(hops);
    });
    uplink_.emplace(
        executor_, *control_, *identity_, std::move(dialler),
        Uplink::Events{.actions = [this](core::ControlActions a) { apply(std::move(a)); },
                       .status_changed =
                           [this] {
                             if (!is_online()) uplinks_.on_offline();
                             events_.facts_changed();
                           },
                       .info = [this] { return info(); }});
    judge_readiness();
    netd_ready_ = false;  // it may know another role
    netd_wakeup_.notify();
    events_.facts_changed();
    // The server decides by what we tell it of our LAN: ask netd first, unless it does not answer.
    co_await facts_wakeup_.wait_until(Clock::now() + facts_timeout);
    on_start_known();
    co_await uplink_->run();
    // A session that still runs refers to the identity.
    while (!records_.empty() || runner_)
      co_await identity_wakeup_.wait();
    uplink_.reset();
    control_.reset();
    events_.facts_changed();
  }
}

Task<> Agent::serve_sessions() {
  while (!stopping_ || to_start_ || runner_) {
    if (!to_start_) {
      co_await session_wakeup_.wait();
      continue;
    }
    co_await run_session(*std::exchange(to_start_, std::nullopt));
  }
}

/// The root of a session: what cannot be helped here ends the session, not the agent.
Task<tunnel::io::LegEnd> Agent::run_runner(const core::StartSession& start) {
  SessionRunner::Plan plan{.first = {.start = start},
                           .role = identity_->self.role,
                           .interface = config_.onsite.interface};
  if (auto kept = std::exchange(kept_, std::nullopt)) {
    plan.kept = std::move(kept->tun);
    plan.deny = std::move(kept_deny_);
  } else {
    plan.first = leg_plan(start);
  }
  SessionRunner::Events events{
      .running = [this](const core::StartSession& s, Clock::duration echo) { on_running(s, echo); },
      .lost = [this, id = start.id](
                  std::uint32_t epoch,
                  tunnel::io::LegEnd why) { return report_lost_leg(id, epoch, std::move(why)); }};
  std::string failure;
  try {
    runner_.emplace(*identity_, netd_, std::move(plan), std::move(events), executor_);
    netd_wakeup_.notify();  // it may have a session to adopt
    co_return co_await runner_->run();
  } catch (const std::exception& error) {
    failure = error.what();
  }
  log::error("a session failed", {log::session(start.grant.session), log::reason(failure)});
  co_return tunnel::io::LegEnd{CloseCode::kernel, failure};
}

Task<> Agent::run_session(core::StartSession start) {
  const auto id = start.id;
  const auto end = co_await run_runner(start);
  if (end.code == CloseCode::network || end.code == CloseCode::kernel)
    co_await wait_for_cause(id, cause_timeout);
  if (control_) apply(control_->end(id, end.code, end.text));
  if (runner_) co_await runner_->clean_up();
  if (auto* mine = record(id); mine != nullptr) {
    if (runner_) mine->counters = runner_->counters();
    if (!mine->end) mine->end = core::SessionEnd::from(end.code, end.text);
  }
  runner_.reset();
  conclude(id);
}

/// The server tells on the control connection why it cut a leg, and netd on the bus why it took the
/// TUN away (the laptop was unplugged); that may come a moment later.
Task<> Agent::wait_for_cause(std::uint64_t id, Clock::duration time) {
  const auto ends = Clock::now() + time;
  for (;;) {
    const auto* mine = record(id);
    if (mine == nullptr || mine->end || stopping_ || Clock::now() >= ends) co_return;
    co_await cause_wakeup_.wait_until(ends);
  }
}

Task<> Agent::report_lost_leg(std::uint64_t id, std::uint32_t epoch, tunnel::io::LegEnd why) {
  const auto* mine = record(id);
  const bool resumes = mine != nullptr && mine->is_running;
  if (resumes) begin_leg();
  co_await wait_for_cause(id, resumes ? resume_after : cause_timeout);
  if (control_) apply(control_->on_leg_lost(id, epoch, why.code, why.text, Clock::now()));
}

Task<> Agent::serve_enrolments() {
  while (!stopping_) {
    if (!enrolment_)
      co_await enrolment_wakeup_.wait();
    else
      co_await enrol_one(*std::exchange(enrolment_, std::nullopt));
  }
}

Task<> Agent::enrol_one(PendingEnrolment pending) {
  auto outcome = co_await device::enrol(pending.code, std::move(pending.key),
                                        config_.server.address, proxies_, own_hostname());
  enrolling_ = false;
  if (const auto* failure = std::get_if<EnrolFailure>(&outcome)) {
    log::warn("enrolment failed", {log::reason(failure->text)});
    if (failure->is_final) store_.forget_enrolling_key();
    pending.done(AgentError{failure->error, failure->text});
    co_return;
  }
  auto& fresh = std::get<Identity>(outcome);
  try {
    store_.store(fresh);
  } catch (const IdentityError& error) {
    log::error("the new identity could not be stored", {log::reason(error.what())});
    pending.done(AgentError{"Failed", error.what()});
    co_return;
  }
  log::info("enrolled", {log::device(fresh.self.name.str()), log::peer(fresh.server)});
  const auto self = fresh.self;
  end_session(CloseCode::shutdown, "the device was enrolled anew", false);
  next_identity_ = std::move(fresh);
  if (uplink_) uplink_->stop();
  identity_wakeup_.notify();
  pending.done(self);
}

std::string Agent::own_role() const {
  const auto& known = next_identity_ ? next_identity_ : identity_;
  return known ? std::string{to_string(known->self.role)} : "";
}

Task<> Agent::serve_deadlines() {
  while (!stopping_) {
    const auto now = Clock::now();
    if (control_) apply(control_->on_deadline(now));
    if (is_paused() && now >= netd_back_until_) end_session(CloseCode::kernel, netd_stopped, true);
    expire_lists(false);
    end_trials(now);
    if (now >= next_renewal_) renew_if_due();
    if (now >= next_store_) store_renewed();
    auto next = next_store_;
    if (control_) next = std::min(next, control_->next_deadline());
    if (is_paused()) next = std::min(next, netd_back_until_);
    next = std::min(next, next_trial_end());
    for (const auto& list : lists_)
      next = std::min(next, list.deadline);
    if (is_online()) next = std::min(next, next_renewal_);
    co_await deadline_wakeup_.wait_until(next);
  }
}

// --- what we tell of ourselves
// -----------------------------------------------------------

wire::Info Agent::info() const {
  return {.software = RDV_VERSION,
          .hostname = own_hostname(),
          .lan = around_.lan,
          .dns = around_.dns,
          .uplink = around_.kind,
          .capabilities = {"l3", "l2"}};
}

core::DeviceTools Agent::tools() const {
  return {.is_signed =
              [this](tunnel::ByteView grant, tunnel::ByteView signature) {
                return identity_->grant_key.verify(wire::grant_signature_context, grant, signature);
              },
          .fresh_nonce = [] { return crypto::random_nonce(); },
          .random = [] { return crypto::random_u64(); }};
}

tunnel::UnixSeconds Agent::server_now() const {
  return tunnel::unix_now() + (uplink_ ? uplink_->clock_offset().count() : 0);
}

// --- what the control machine wants done
// ----------------------------------------------------------

void Agent::apply(core::ControlActions actions) {
  if (actions.empty()) return;  // serve_deadlines() would wake itself for ever
  for (auto& action : actions)
    std::visit([this](auto& a) { on(a); }, action);
  if (uplink_) uplink_->set_impatient(is_interrupted());
  deadline_wakeup_.notify();
}

void Agent::on(const core::SendMessage& action) {
  if (uplink_) uplink_->send(action.message);
}

void Agent::on(const core::Online& action) {
  uplink_->on_online(action.welcome);
  uplinks_.on_online(uplink_->way().hop);
  next_renewal_ = Clock::now();
  if (is_interrupted() && !is_paused()) begin_leg();
}

void Agent::on(core::Listed& action) {
  const auto list = std::ranges::find(lists_, action.request, &PendingList::request);
  if (list == lists_.end()) return;
  const auto done = std::move(list->done);
  lists_.erase(list);
  done(std::move(action.devices));
}

void Agent::on(const core::ServerSaidGoodbye& action) {
  uplink_->on_goodbye(action.goodbye);
  using enum wire::GoodbyeCode;
  const auto code = action.goodbye.code;
  if (code == revoked || code == unknown_device || code == wrong_key)
    end_session(CloseCode::revoked, action.goodbye.text, false);
}

void Agent::on(const core::DropConnection& action) {
  log::warn("the server broke the protocol", {log::reason(action.why)});
  uplink_->drop("the server broke the protocol: " + action.why.message());
}

void Agent::expire_lists(bool all) {
  const auto now = Clock::now();
  const auto late = std::stable_partition(
      lists_.begin(), lists_.end(), [&](const auto& list) { return !all && now < list.deadline; });
  std::vector<PendingList> expired{std::make_move_iterator(late),
                                   std::make_move_iterator(lists_.end())};
  lists_.erase(late, lists_.end());
  for (const auto& list : expired)
    list.done(AgentError{"NotConnected", "the RDV server did not answer; see: tundev status"});
}

// --- what org.rdv.Device1 asks
// --------------------------------------------------------------------

std::optional<wire::Identity> Agent::identity() const {
  const auto& known = next_identity_ ? next_identity_ : identity_;
  return known ? std::optional{known->self} : std::nullopt;
}

std::string Agent::server() const {
  return uplink_ ? uplink_->server() : std::string{};
}

bool Agent::is_online() const {
  return uplink_ && uplink_->is_online();
}

std::string Agent::status() const {
  if (!uplink_) return "not enrolled; enrol it with: tundev enroll CODE";
  if (unstored_.empty()) return uplink_->status();
  return uplink_->status() + "; ALARM: the new certificate is not stored yet: " + unstored_;
}

void Agent::require_netd() const {
  if (!netd_.is_present())
    throw AgentError{
        "Failed", "its network service does not run; start it with: systemctl start tundev-netd"};
}

void Agent::ports(OnPorts done) {
  require_role_master();
  require_netd();
  if (port_questions_.size() >= port_questions_max)
    throw AgentError{"Busy", "too many ask at once; try again"};
  port_questions_.push_back(std::move(done));
  netd_wakeup_.notify();
}

void Agent::fix_uplink(std::string interface, OnFixed done) {
  require_netd();
  if (fix_) throw AgentError{"Busy", "somebody else does it at this moment; try again"};
  fix_ = PendingFix{std::move(interface), std::move(done)};
  netd_wakeup_.notify();
}

void Agent::require_role_master() const {
  if (!identity_)
    throw AgentError{"NotEnrolled",
                     "this device is not enrolled; enrol it with: tundev enroll CODE"};
  if (identity_->self.role != wire::Role::master)
    throw AgentError{"WrongRole", "this device is an onsite; only a master opens sessions"};
}

void Agent::require_master() const {
  require_role_master();
  if (enrolling_)
    throw AgentError{"Busy", "an enrolment is in progress; try again when it is over"};
  if (!is_online())
    throw AgentError{"NotConnected",
                     fmt::format("there is no connection to the RDV server: {}", status())};
}

void Agent::list(OnListed done) {
  require_master();
  std::uint32_t request = 0;
  auto actions = control_->list(request);
  lists_.push_back({request, Clock::now() + list_timeout, std::move(done)});
  apply(std::move(actions));
}

void Agent::on_name_gone(const std::string& name) {
  for (const auto& record : records_)
    if (record.owner == name && !record.end && control_)
      return apply(control_->end(record.id, CloseCode::terminal_closed, ""));
}

}  // namespace device
