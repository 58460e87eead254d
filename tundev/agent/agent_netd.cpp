/// The part of Agent that deals with tundev-netd.
#include "agent/agent.hpp"
#include "base/log.hpp"
#include "base/session_id.hpp"

#include <algorithm>
#include <utility>

namespace device {
namespace {

using namespace std::chrono_literals;
namespace log = tunnel::log;
using wire::CloseCode;

namespace core = tunnel::core;

/// netd could not be asked now: how soon to try again.
constexpr auto try_again_after = 2s;

}  // namespace

Task<> Agent::serve_netd() {
  while (!stopping_) {
    if (auto pending = std::exchange(fix_, std::nullopt)) {
      co_await fix_one(std::move(*pending));
    } else if (netd_.is_present() && (!netd_ready_ || uplink_changed_)) {
      co_await ask_netd();
      if (!netd_ready_) co_await tell_ports();
      if (netd_.is_present() && !netd_ready_)
        co_await netd_wakeup_.wait_until(Clock::now() + try_again_after);
    } else if (netd_.is_present() && is_paused() && runner_ && runner_->has_tun()) {
      co_await adopt_session();
    } else if (netd_.is_present() && std::exchange(note_due_, false)) {
      co_await leave_note();
    } else if (!port_questions_.empty()) {
      co_await tell_ports();
    } else {
      co_await netd_wakeup_.wait();
    }
  }
}

Task<> Agent::fix_one(PendingFix pending) {
  const auto failure = co_await netd_.fix_uplink(std::move(pending.interface));
  if (!failure) co_return pending.done(std::nullopt);
  const bool is_unknown = failure->name == "org.rdv.Error.NotFound";
  pending.done(AgentError{is_unknown ? "NotFound" : "Failed", failure->text});
}

/// One answer of netd's for all who wait.
Task<> Agent::tell_ports() {
  if (port_questions_.empty()) co_return;
  const auto answer = co_await netd_.ports();
  const auto* failure = std::get_if<BusFailure>(&answer);
  for (const auto& done : std::exchange(port_questions_, {}))
    if (failure != nullptr)
      done(AgentError{"Failed", "its network service does not say: " + failure->text});
    else
      done(std::get<0>(answer));
}

Task<> Agent::ask_netd() {
  uplink_changed_ = false;
  const auto role = own_role();
  if (!netd_ready_) {
    if (const auto failure = co_await netd_.set_role(role)) {
      log::error("tundev-netd does not take our role", {log::reason(failure->text)});
      co_return;
    }
    if (role == "master") {
      auto port = co_await netd_.laptop_port();
      // A signal that came meanwhile is newer than this answer, and has already been obeyed.
      if (auto* found = std::get_if<LaptopPort>(&port); found && !port_) port_ = std::move(*found);
    }
    if (role != own_role()) co_return netd_wakeup_.notify();  // enrolled while netd answered
    netd_ready_ = netd_.is_present();
    if (!start_known_) co_await take_kept_session();
  }
  auto around = co_await netd_.surroundings();
  if (auto* found = std::get_if<Surroundings>(&around))
    uplinks_.on_netd(around_ = std::move(*found));
  judge_readiness();
  if (control_) apply(control_->on_info(info()));
  facts_wakeup_.notify();
}

// --- a session that outlives one of the two daemons
// -----------------------------------------------

bool Agent::is_paused() const {
  return control_ && control_->session() && control_->session()->is_paused();
}

/// Its permits and NAT are gone. A session that was established waits for the next netd, with the
/// TUN that we hold and without a packet; any other ends.
void Agent::on_netd_gone() {
  port_.reset();
  around_.uplink.clear();
  around_.is_fixed = false;
  uplinks_.on_netd(std::nullopt);
  if (is_paused()) return;
  const auto* mine = runner_ && runner_->has_tun() ? record(runner_->id()) : nullptr;
  if (mine == nullptr || mine->end || !mine->is_running || !control_)
    return end_session(CloseCode::kernel, netd_stopped, true);
  netd_back_until_ = Clock::now() + netd_back_within;
  apply(control_->pause(mine->id, CloseCode::kernel, netd_stopped, Clock::now()));
}

/// netd has what belongs to it, or makes it anew around the TUN we have; then new legs are asked
/// for.
Task<> Agent::adopt_session() {
  const auto start = runner_->start();
  const auto failure =
      co_await netd_.adopt_session(start.grant, identity_->self.role, config_.onsite.interface,
                                   runner_->deny(), runner_->duplicate_tun());
  const bool goes_on = is_paused() && control_->session()->id() == start.id;
  if (!goes_on || !netd_.is_present()) co_return;  // ended meanwhile, or netd is gone again
  if (!failure) {
    log::info("the network of a session is whole again", {log::session(start.grant.session)});
    note_due_ = true;
    apply(control_->go_on(start.id, Clock::now()));
    co_return begin_leg();
  }
  log::error("tundev-netd cannot go on with a session",
             {log::session(start.grant.session), log::reason(failure->text)});
  const bool unplugged = failure->name.ends_with(".NoInterface") &&
                         control_->self().identity.role == wire::Role::master;
  end_session(unplugged ? CloseCode::unplugged : CloseCode::kernel, unplugged ? "" : failure->text,
              true);
}

Task<> Agent::leave_note() {
  const auto* mine = runner_ ? record(runner_->id()) : nullptr;
  if (mine == nullptr || mine->end || !mine->is_running) co_return;
  const auto& start = runner_->start();
  const SessionNote note{
      .owner = mine->owner,
      .since = mine->since,
      .established = mine->established,
      .ends = start.ends,
      .grant = start.grant_bytes,
      .signature = start.signature,
      .deny = runner_->deny(),
      .back = mine->trial.is_running() ? std::optional{mine->trial.back()} : std::nullopt,
      .confirm_until = mine->trial.is_running() ? mine->trial.until() : Clock::time_point{}};
  const auto failure = co_await netd_.leave_note(mine->session, encode_note(note));
  if (failure && netd_.is_present())
    log::warn("a session could not be noted at tundev-netd", {log::reason(failure->text)});
}

/// At our start: an agent before us was killed, and netd may have kept its session.
Task<> Agent::take_kept_session() {
  auto found = co_await netd_.kept_session();
  auto* kept = std::get_if<KeptSession>(&found);
  if (kept == nullptr || start_known_ || !control_ || control_->session()) co_return;
  const auto note = decode_note(kept->note);
  auto checked = note ? check_note(*note, kept->session, control_->self(), tools()) : std::nullopt;
  // The customer may have forbidden it since.
  if (checked && checked->grant.mode == wire::Mode::l2 && !config_.onsite.l2 &&
      control_->self().identity.role == wire::Role::onsite)
    checked.reset();
  if (!checked) {
    log::warn("the session of an earlier run cannot go on", {log::session(kept->session)});
    co_await netd_.close_session(kept->session);
    co_return;
  }
  go_on_with(std::move(*kept), *note, std::move(*checked));
  if (!note->owner.empty() && !co_await netd_.is_on_bus(note->owner)) on_name_gone(note->owner);
}

void Agent::go_on_with(KeptSession kept, const SessionNote& note,
                       core::DeviceSession::Kept checked) {
  const bool is_master = control_->self().identity.role == wire::Role::master;
  const auto id = is_master ? ++last_id_ : control_->next_offered_id();
  const auto now = Clock::now();
  const auto& grant = checked.grant;
  log::warn("goes on with the session of an earlier run",
            {log::session(grant.session), log::count(grant.epoch)});
  to_start_ = core::StartSession{id, grant, note.grant, note.signature, {}, note.ends};
  kept_ = std::move(kept);
  kept_deny_ = note.deny;
  records_.push_back(
      {.id = id,
       .owner = note.owner,
       .peer = (is_master ? grant.onsite : grant.master).name.str(),
       .mode = grant.mode,
       .since = note.since,
       .interrupted_since = server_now(),
       .asked = note.established,
       .established = note.established,
       .ends = note.ends,
       .session = grant.session,
       .is_running = true,
       .trial = note.back ? core::ModeTrial{*note.back, note.confirm_until} : core::ModeTrial{}});
  netd_back_until_ = now + netd_back_within;
  control_->adopt(id, std::move(checked), now);
  tell_interrupted(records_.back(), "kernel", "its service was restarted");
  uplink_->set_impatient(true);
  session_wakeup_.notify();
  deadline_wakeup_.notify();
}

void Agent::hold(const std::string& session, std::string owner, OnHeld done) {
  if (holds_.size() >= holds_max) throw AgentError{"Busy", "too many ask at once; try again"};
  holds_.push_back({session, std::move(owner), std::move(done)});
  if (start_known_) on_start_known();
}

void Agent::on_start_known() {
  start_known_ = true;
  for (const auto& hold : std::exchange(holds_, {}))
    answer_hold(hold);
}

void Agent::answer_hold(const PendingHold& hold) {
  const auto found = std::ranges::find_if(records_, [&](const Record& r) {
    return !r.end && r.session != 0 && tunnel::format_session_id(r.session) == hold.session;
  });
  if (found == records_.end())
    return hold.done(AgentError{"NotFound", "there is no such session; see: tundev status"});
  if (found->owner != hold.owner)
    return hold.done(AgentError{"Denied", "this session belongs to somebody else"});
  hold.done(found->id);
  events_.session_changed(found->id, found->state, found->details);
}

// --- what netd tells
// ------------------------------------------------------------------------------

NetdClient::Events Agent::netd_events() {
  return {
      .presence =
          [this](bool present) {
            netd_ready_ = false;
            if (present) {
              log::info("tundev-netd is there");
            } else {
              log::warn("tundev-netd is not there: no session is possible");
              on_netd_gone();
            }
            judge_readiness();
            netd_wakeup_.notify();
          },
      .port_added =
          [this](const std::string& name, const std::string& address) {
            log::info("the laptop's port is ready", {log::link(name)});
            port_ = LaptopPort{name, tunnel::Ipv4Prefix::parse(address)};
            judge_readiness();
          },
      .port_removed =
          [this](const std::string& name, const std::string& reason) {
            log::info("the laptop's port is gone", {log::link(name), log::reason(reason)});
            port_ = LaptopPort{};
            const bool cable = reason.find("carrier") != std::string::npos;
            end_session(cable ? CloseCode::carrier_lost : CloseCode::unplugged, "", false);
          },
      .uplink_changed =
          [this] {
            uplink_changed_ = true;
            netd_wakeup_.notify();
            on_uplink_changed();
          },
  };
}

/// Connections that leave by an address which is no longer the way to the server are dead, however
/// long TCP hopes; what is left must prove itself.
void Agent::on_uplink_changed() {
  if (!uplink_) return;
  const auto source = uplink_->source_address();
  if (source && runner_ && runner_->leg_address().value_or(*source) != *source)
    runner_->lose_leg(CloseCode::network, "this device's uplink changed");
  uplink_->on_network_changed();
}

void Agent::judge_readiness() {
  if (!control_) return;
  control_->set_unready(netd_ready_ ? ""
                                    : "its network service (tundev-netd) does not run; start it on "
                                      "the onsite device");
  std::vector<tunnel::Ipv4Prefix> networks;
  if (port_ && port_->address) networks.push_back(port_->address->network());
  control_->set_networks(std::move(networks));
}

}  // namespace device
