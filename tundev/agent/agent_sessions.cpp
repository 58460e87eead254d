/// The part of Agent that keeps people informed of its sessions.
#include "agent/agent.hpp"
#include "base/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace device {
namespace {

namespace core = tunnel::core;
namespace log = tunnel::log;
using wire::CloseCode;
using namespace std::chrono_literals;

constexpr std::size_t reason_chars_max = 200;

double to_ms(Clock::duration time) {
  return std::chrono::duration<double, std::milli>{time}.count();
}

std::vector<std::string> texts(const std::vector<tunnel::Ipv4Address>& addresses) {
  std::vector<std::string> out;
  for (const auto& address : addresses)
    out.push_back(address.str());
  return out;
}

std::uint64_t whole_seconds(Clock::duration time) {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(time).count());
}

wire::Mode other_than(wire::Mode mode) {
  return mode == wire::Mode::l3 ? wire::Mode::l2 : wire::Mode::l3;
}

}  // namespace

Agent::Record* Agent::record(std::uint64_t id) {
  const auto found = std::ranges::find(records_, id, &Record::id);
  return found == records_.end() ? nullptr : &*found;
}

std::uint64_t Agent::open(const std::string& onsite, const OpenOptions& options,
                          std::string owner) {
  require_master();
  const auto name = wire::Name::parse(onsite);
  if (!name)
    throw AgentError{"InvalidArgument",
                     fmt::format("\"{}\" is not a device name; see the names with: masterdev -l",
                                 wire::to_plain_text(onsite, wire::device_name_chars_max))};
  const auto mode = wire::parse_mode(options.mode);
  if (!mode) throw AgentError{"InvalidArgument", "the mode is L3 or L2"};
  if (!options.forward.empty())
    throw AgentError{"InvalidArgument", "this version cannot forward single ports; leave out -R"};
  if (options.seconds > wire::session_seconds_max)
    throw AgentError{"InvalidArgument",
                     fmt::format("a session lasts at most {} seconds", wire::session_seconds_max)};
  if (!netd_ready_)
    throw AgentError{
        "Failed", "the network service does not run; start it with: systemctl start tundev-netd"};
  if (!port_ || port_->name.empty())
    throw AgentError{"NoInterface",
                     "there is no laptop's port; plug the laptop into this device's USB-Ethernet "
                     "adapter and try again; why a port is not taken says: tundev status"};
  if (!options.interface.empty() && options.interface != port_->name)
    throw AgentError{"NoInterface", fmt::format("the laptop's port is {}, not {}", port_->name,
                                                wire::to_plain_text(options.interface, 16))};
  if (const auto& running = control_->session())
    throw AgentError{"Busy", fmt::format("this master has a session to {} already; close it first",
                                         running->peer().str())};

  auto& mine = add_master_record(name->str(), *mode, std::move(owner));
  if (options.confirm) mine.trial = core::ModeTrial{other_than(*mode)};
  const auto id = mine.id;
  ask(mine, options.seconds, options.wait);
  return id;
}

Agent::Record& Agent::add_master_record(const std::string& peer, wire::Mode mode,
                                        std::string owner) {
  records_.push_back({.id = ++last_id_,
                      .owner = std::move(owner),
                      .peer = peer,
                      .mode = mode,
                      .since = server_now(),
                      .asked = Clock::now()});
  return records_.back();
}

void Agent::ask(const Record& record, std::uint32_t seconds, bool wait) {
  log::info("a session was asked for", {log::onsite(record.peer)});
  begin_leg();
  apply(control_->open(record.id,
                       {.onsite = *wire::Name::parse(record.peer),
                        .mode = record.mode,
                        .seconds = seconds,
                        .wait = wait},
                       Clock::now()));
}

// --- from one mode to the other
// -------------------------------------------------------------------

std::uint64_t Agent::switch_mode(const std::string& text) {
  require_master();
  const auto mode = wire::parse_mode(text);
  if (!mode) throw AgentError{"InvalidArgument", "the mode is L3 or L2"};
  const auto& running = control_->session();
  auto* mine = running ? record(running->id()) : nullptr;
  if (mine == nullptr || mine->end || running->state() != core::DeviceSession::State::established)
    throw AgentError{"NotFound",
                     "there is no established session to switch; open one with: masterdev -o NAME"};
  if (mine->mode == *mode)
    throw AgentError{"InvalidArgument", fmt::format("the session is in mode {} already", text)};
  return change_mode(*mine, *mode, core::ModeTrial{mine->mode}, "");
}

void Agent::confirm_mode() {
  require_master();
  const auto found = std::ranges::find_if(
      records_, [](const Record& r) { return !r.end && r.is_running && r.trial.is_running(); });
  if (found == records_.end())
    throw AgentError{"NotFound", "there is no switch to confirm: it is confirmed, or was undone"};
  found->trial.confirm();
  log::info("the mode of a session is confirmed", {log::session(found->session)});
  note_due_ = true;
  netd_wakeup_.notify();
  events_.session_changed(found->id, "confirmed", {{"mode", std::string{to_string(found->mode)}}});
}

/// Ends the session and asks for another one in its place, for what is left of its time.
std::uint64_t Agent::change_mode(Record& before, wire::Mode mode, core::ModeTrial trial,
                                 const std::string& why) {
  const auto now = Clock::now();
  if (before.is_running)
    before.time_left = whole_seconds(std::max(before.ends - now, Clock::duration{1s}));
  auto& next = add_master_record(before.peer, mode, before.owner);
  next.trial = trial;
  next.time_left = before.time_left;
  log::info("a session changes its mode", {log::session(before.session), log::device(before.peer)});
  const auto counters = counters_of(before);
  events_.session_changed(before.id, "switching",
                          {{"mode", std::string{to_string(mode)}},
                           {"next", next.id},
                           {"text", why},
                           {"rx_bytes", counters.rx_bytes},
                           {"tx_bytes", counters.tx_bytes},
                           {"seconds", seconds_of(before)}});
  if (!before.end)
    apply(control_->end(before.id, CloseCode::operator_,
                        fmt::format("it goes on in mode {}", to_string(mode))));
  const auto id = next.id;
  ask(next, static_cast<std::uint32_t>(next.time_left), false);
  return id;
}

/// The new mode came to nothing: the one before comes back at once.
bool Agent::returns_after(const Record& over) const {
  return over.trial.is_failure(over.end->failed, over.end->close) && !stopping_ && control_ &&
         !control_->session() && is_online();
}

void Agent::end_trials(Clock::time_point now) {
  const auto over = std::ranges::find_if(
      records_, [&](const Record& r) { return !r.end && r.trial.is_over(now); });
  if (over == records_.end() || !is_online()) return;
  change_mode(*over, over->trial.back(), {}, "nobody confirmed it in time");
}

Clock::time_point Agent::next_trial_end() const {
  auto next = Clock::time_point::max();
  if (!is_online()) return next;
  for (const auto& r : records_)
    if (!r.end && r.trial.is_running()) next = std::min(next, r.trial.until());
  return next;
}

void Agent::close(std::uint64_t id, const std::string& reason) {
  const auto* found = record(id);
  if (found == nullptr || found->end || !control_)
    throw AgentError{"NotFound", "there is no such session; see: tundev status"};
  const auto text = wire::to_plain_text(reason, reason_chars_max);
  const bool is_onsite = control_->self().identity.role == wire::Role::onsite;
  auto code = is_onsite ? CloseCode::customer : CloseCode::operator_;
  if (text == to_string(CloseCode::terminal_closed)) code = CloseCode::terminal_closed;
  if (text == to_string(CloseCode::time_limit)) code = CloseCode::time_limit;
  apply(control_->end(id, code, text == to_string(code) ? "" : text));
}

tunnel::io::PumpCounters Agent::counters_of(const Record& record) const {
  return runner_ && runner_->id() == record.id ? runner_->counters() : record.counters;
}

std::uint64_t Agent::seconds_of(const Record& record) {
  return record.is_running ? whole_seconds(Clock::now() - record.established) : 0;
}

std::vector<Agent::SessionFacts> Agent::sessions() const {
  std::vector<SessionFacts> facts;
  for (const auto& r : records_) {
    const auto& machine = control_->session();
    const bool is_known = machine && machine->id() == r.id;
    const auto counters = counters_of(r);
    facts.push_back({.id = r.id,
                     .session = r.session,
                     .state = std::string{is_known ? to_string(machine->state()) : "closing"},
                     .peer = r.peer,
                     .mode = r.mode,
                     .since = r.since,
                     .interrupted_since = r.interrupted_since,
                     .rx_bytes = counters.rx_bytes,
                     .tx_bytes = counters.tx_bytes});
  }
  return facts;
}

void Agent::on(const core::SessionOffered& action) {
  records_.push_back({.id = action.id,
                      .owner = "",
                      .peer = action.master.str(),
                      .mode = action.mode,
                      .since = server_now(),
                      .asked = Clock::now()});
  log::info("a session was offered", {log::master(action.master.str())});
  begin_leg();
  events_.session_changed(
      action.id, "opening",
      {{"peer", action.master.str()}, {"mode", std::string{to_string(action.mode)}}});
}

/// The way to the server is made while it asks the other end.
void Agent::begin_leg() {
  early_leg_.reset();
  if (uplink_ && uplink_->is_online())
    early_leg_.emplace(*identity_, uplink_->way(), uplink_->clock_is_good(), executor_);
}

void Agent::on(const core::SessionWaits& action) {
  early_leg_.reset();
  events_.session_changed(
      action.id, "waiting",
      {{"reason", std::string{to_string(action.why.code)}},
       {"text", action.why.text},
       {"since", static_cast<std::uint64_t>(std::max<tunnel::UnixSeconds>(0, action.why.since))}});
}

bool Agent::is_interrupted() const {
  return control_ && control_->session() && control_->session()->is_interrupted();
}

SessionRunner::LegPlan Agent::leg_plan(core::StartSession start) {
  return {.start = std::move(start),
          .way = uplink_->way(),
          .clock_offset = uplink_->clock_offset(),
          .check_dates = uplink_->clock_is_good(),
          .early = std::exchange(early_leg_, std::nullopt)};
}

void Agent::on(core::StartSession& action) {
  auto* mine = record(action.id);
  mine->session = action.grant.session;
  mine->ends = action.ends;
  if (action.grant.epoch > 1) {
    log::info("a session was granted again", {log::session(mine->session), log::device(mine->peer),
                                              log::count(action.grant.epoch)});
    if (runner_ && runner_->id() == action.id) runner_->resume(leg_plan(std::move(action)));
    return;
  }
  log::info("a session was granted", {log::session(mine->session), log::device(mine->peer)});
  events_.session_changed(action.id, "opening",
                          {{"session", tunnel::format_session_id(mine->session)}});
  to_start_ = std::move(action);
  session_wakeup_.notify();
}

void Agent::on_running(const core::StartSession& start, Clock::duration echo) {
  auto* mine = record(start.id);
  if (mine == nullptr || mine->end || !control_) return;
  const auto now = Clock::now();
  const bool resumed = is_interrupted();
  const auto interrupted =
      resumed ? now - control_->session()->interrupted_at() : Clock::duration{};
  control_->on_established(start.id, now);
  if (uplink_) uplink_->set_impatient(false);
  if (!std::exchange(mine->is_running, true)) mine->established = now;
  mine->trial.on_established(now);
  deadline_wakeup_.notify();
  mine->interrupted_since = 0;
  Details details{{"session", tunnel::format_session_id(mine->session)},
                  {"peer", mine->peer},
                  {"mode", std::string{to_string(mine->mode)}},
                  {"hostname", start.peer.hostname},
                  {"lan", start.peer.lan ? start.peer.lan->str() : std::string{}},
                  {"dns", texts(start.grant.dns)},
                  {"open_ms", to_ms(now - mine->asked)},
                  {"expires", static_cast<std::uint64_t>(server_now()) +
                                  whole_seconds(std::max(start.ends - now, Clock::duration{}))}};
  if (echo > Clock::duration::zero()) details["echo_ms"] = to_ms(echo);
  if (mine->trial.is_running())
    details["confirm_seconds"] =
        whole_seconds(std::max(mine->trial.until() - now, Clock::duration{}));
  if (resumed) {
    details["resumed"] = true;
    details["interrupted_ms"] = to_ms(interrupted);
    log::info("a session is resumed",
              {log::session(mine->session), log::device(mine->peer), log::count(start.grant.epoch),
               log::seconds(static_cast<std::int64_t>(whole_seconds(interrupted)))});
  } else {
    log::info("a session is established", {log::session(mine->session), log::device(mine->peer)});
  }
  tell(*mine, "established", std::move(details));
  note_due_ = true;
  netd_wakeup_.notify();
}

void Agent::tell(Record& record, const std::string& state, Details details) {
  record.state = state;
  record.details = std::move(details);
  events_.session_changed(record.id, record.state, record.details);
}

void Agent::tell_interrupted(Record& record, const std::string& code, const std::string& text) {
  const auto left = record.ends - Clock::now();
  const auto patience = std::min<Clock::duration>(wire::resume_grace, left);
  tell(record, "interrupted",
       {{"code", code},
        {"text", text},
        {"up_to_seconds", whole_seconds(std::max(patience, Clock::duration{}))}});
}

/// The kernel stays as it is, and the TUN is drained; with the next grant it goes on.
void Agent::on(const core::SessionInterrupted& action) {
  auto* mine = record(action.id);
  if (mine == nullptr || mine->end) return;
  if (runner_ && runner_->id() == action.id) runner_->interrupt();
  if (!early_leg_ && !is_paused()) begin_leg();
  log::warn("a session is interrupted", {log::session(mine->session), log::device(mine->peer),
                                         log::code(action.why.code), log::reason(action.why.text)});
  cause_wakeup_.notify();
  if (action.again) return;
  mine->interrupted_since = server_now();
  tell_interrupted(*mine, action.why.code, action.why.text);
}

void Agent::on(core::SessionOver& action) {
  auto* mine = record(action.id);
  if (mine == nullptr) return;
  const auto code = action.end.close;
  const auto detail = action.end.detail;
  if (!mine->end) mine->end = std::move(action.end);
  if (returns_after(*mine)) change_mode(*mine, mine->trial.back(), {}, mine->end->text);
  if (to_start_ && to_start_->id == action.id) {
    to_start_.reset();
    kept_.reset();  // netd undoes it soon
  }
  if (runner_ && runner_->id() == action.id) {
    cause_wakeup_.notify();
    return runner_->stop(code, detail);
  }
  conclude(action.id);
}

void Agent::end_session(CloseCode code, std::string_view text, bool at_once) {
  if (at_once && runner_) runner_->abort(code, std::string{text});
  if (control_ && control_->session()) apply(control_->end(control_->session()->id(), code, text));
}

/// The kernel is as before, or was never touched: now people may know.
void Agent::conclude(std::uint64_t id) {
  if (!control_ || !control_->session()) early_leg_.reset();
  const auto found = std::ranges::find(records_, id, &Record::id);
  if (found == records_.end()) return;
  Record over = *found;
  if (!over.end) over.end = core::SessionEnd::from(CloseCode::operator_, "");
  records_.erase(found);
  const auto seconds = seconds_of(over);
  log::info(
      "a session is closed",
      {log::session(over.session), log::device(over.peer), log::code(over.end->code),
       log::reason(over.end->text), log::rx_bytes(over.counters.rx_bytes),
       log::tx_bytes(over.counters.tx_bytes), log::seconds(static_cast<std::int64_t>(seconds))});
  events_.session_changed(id, "closed",
                          {{"code", over.end->code},
                           {"text", over.end->text},
                           {"failed", over.end->failed},
                           {"rx_bytes", over.counters.rx_bytes},
                           {"tx_bytes", over.counters.tx_bytes},
                           {"seconds", seconds}});
  identity_wakeup_.notify();
  session_wakeup_.notify();
}

}  // namespace device
