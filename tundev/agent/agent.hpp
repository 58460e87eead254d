#pragma once
#include "agent/enrolment.hpp"
#include "agent/netd_client.hpp"
#include "agent/session_note.hpp"
#include "agent/session_runner.hpp"
#include "agent/uplink.hpp"
#include "agent/uplink_watch.hpp"
#include "config.hpp"
#include "core/mode_trial.hpp"

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace device {

/// A request cannot be fulfilled; what() is a sentence, name() the last part of an org.rdv.Error
/// name.
class AgentError : public std::runtime_error {
 public:
  AgentError(std::string name, const std::string& text)
      : std::runtime_error{text}, name_{std::move(name)} {}
  const std::string& name() const noexcept { return name_; }

 private:
  std::string name_;
};

/// A fact of SessionChanged's details (dbus/org.rdv.Device1.xml), by its key.
using Detail = std::variant<std::string, std::vector<std::string>, double, std::uint64_t, bool>;
using Details = std::map<std::string, Detail>;

/// The agent without its bus adaptor: identity, uplink, at most one session, and netd. One thread.
class Agent {
 public:
  struct Events {
    std::function<void(std::uint64_t id, const std::string& state, const Details&)> session_changed;
    std::function<void()> facts_changed;
  };
  struct OpenOptions {
    std::string mode = "L3";
    std::uint32_t seconds = 0;
    bool wait = true;
    std::string interface;
    std::vector<std::string> forward;
    /// Unless somebody confirms the mode in time, the other one takes its place.
    bool confirm = false;
  };
  struct SessionFacts {
    std::uint64_t id = 0, session = 0;
    std::string state, peer;
    wire::Mode mode = wire::Mode::l3;
    tunnel::UnixSeconds since = 0;
    tunnel::UnixSeconds interrupted_since = 0;  ///< 0: it is not
    std::uint64_t rx_bytes = 0, tx_bytes = 0;
  };
  using OnEnrolled = std::function<void(std::variant<wire::Identity, AgentError>)>;
  using OnHeld = std::function<void(std::variant<std::uint64_t, AgentError>)>;
  using OnFixed = std::function<void(std::optional<AgentError>)>;
  using OnPorts = std::function<void(std::variant<std::vector<NetworkPort>, AgentError>)>;
  using OnListed = std::function<void(std::variant<std::vector<wire::ListedDevice>, AgentError>)>;

  static constexpr auto netd_stopped = "its network service has stopped";
  static constexpr auto list_timeout = std::chrono::seconds{5};
  /// How long a leg that broke without a word waits for the server or netd to say why.
  static constexpr auto cause_timeout = std::chrono::milliseconds{700};
  /// The same, of an established session: the way to a new leg is begun meanwhile.
  static constexpr auto resume_after = std::chrono::milliseconds{50};
  /// How long the first connection waits for what netd knows of our LAN.
  static constexpr auto facts_timeout = std::chrono::seconds{2};
  /// A netd that was killed is back within this, or the session ends.
  static constexpr auto netd_back_within = std::chrono::seconds{10};
  /// Answers to hold() that wait.
  static constexpr std::size_t holds_max = 16;
  /// Questions for the ports that wait for netd's answer.
  static constexpr std::size_t port_questions_max = 16;

  /// @throws IdentityError when what is on disk cannot be used
  /// @throws ConfigError when the proxy that is configured, or in the environment, is none
  Agent(asio::io_context& io, tunnel::bus::AsioBus& bus, Config config, Events events);
  ~Agent();

  /// Runs until stop(), then ends the session and says goodbye.
  Task<> run();
  void stop();
  /// The bus is gone, and netd with it: ends the session with that cause, then stop().
  void lose_bus();

  // What org.rdv.Device1 offers. Those that cannot answer at once call back; all throw AgentError.
  std::optional<wire::Identity> identity() const;
  std::string server() const;
  bool is_online() const;
  std::string status() const;
  void enrol(std::string code, OnEnrolled done);
  void list(OnListed done);
  /// By which interface the server is reached, "": none; and whether no other one is used.
  const std::string& uplink_link() const { return around_.uplink; }
  bool is_uplink_fixed() const { return around_.is_fixed; }
  /// Ours on the laptop's port, CIDR; "": there is none.
  std::string port_address() const {
    return port_ && port_->address ? port_->address->str() : std::string{};
  }
  /// Master: its network ports, and why each is not the laptop's.
  void ports(OnPorts done);
  /// @param interface  from now on the only one; "": as configured
  void fix_uplink(std::string interface, OnFixed done);
  /// @param owner  bus name of the caller: the session ends with it
  std::uint64_t open(const std::string& onsite, const OpenOptions& options, std::string owner);
  /// Finds the session that `owner` opened, perhaps at an agent before us; then says its state
  /// again. Calls back once it is known what netd kept.
  /// @param session  16 hexadecimal digits
  void hold(const std::string& session, std::string owner, OnHeld done);
  void close(std::uint64_t id, const std::string& reason);
  /// Master: the session there is goes on in another mode, with another number; whoever holds it
  /// holds that. The mode before comes back unless confirm() is called in time.
  /// @return the new number
  std::uint64_t switch_mode(const std::string& mode);
  void confirm_mode();
  std::vector<SessionFacts> sessions() const;
  void on_name_gone(const std::string& name);

 private:
  struct Record {
    std::uint64_t id = 0;
    std::string owner, peer;
    wire::Mode mode = wire::Mode::l3;
    tunnel::UnixSeconds since = 0, interrupted_since = 0;
    Clock::time_point asked, established, ends;
    std::uint64_t session = 0;
    std::optional<tunnel::core::SessionEnd> end;
    tunnel::io::PumpCounters counters;
    bool is_running = false;  ///< established, at least once
    tunnel::core::ModeTrial trial = {};
    std::uint64_t time_left = 0;  ///< seconds, from one mode to the other; 0: not limited by us
    std::string state;            ///< as people were told last
    Details details;
  };
  struct PendingHold {
    std::string session, owner;
    OnHeld done;
  };
  struct PendingList {
    std::uint32_t request;
    Clock::time_point deadline;
    OnListed done;
  };
  struct PendingFix {
    std::string interface;
    OnFixed done;
  };
  struct PendingEnrolment {
    std::string code;
    crypto::Key key;
    OnEnrolled done;
  };

  Task<> serve_identity();
  Task<> serve_sessions();
  Task<> serve_enrolments();
  Task<> wait_for_cause(std::uint64_t id, Clock::duration time);
  Task<> report_lost_leg(std::uint64_t id, std::uint32_t epoch, tunnel::io::LegEnd why);
  Task<> serve_netd();
  Task<> take_kept_session();
  Task<> adopt_session();
  Task<> leave_note();
  Task<> serve_deadlines();
  Task<> run_session(tunnel::core::StartSession start);
  Task<tunnel::io::LegEnd> run_runner(const tunnel::core::StartSession& start);
  Task<> enrol_one(PendingEnrolment pending);
  Task<> fix_one(PendingFix pending);
  Task<> tell_ports();

  void apply(tunnel::core::ControlActions actions);
  void on(const tunnel::core::SendMessage& action);
  void on(const tunnel::core::SessionWaits& action);
  void on(tunnel::core::StartSession& action);
  void on(const tunnel::core::SessionInterrupted& action);
  void on(tunnel::core::SessionOver& action);
  void on(const tunnel::core::Online& action);
  void on(tunnel::core::Listed& action);
  void on(const tunnel::core::CertificateRenewed& action);
  void on(const tunnel::core::ServerSaidGoodbye& action);
  void on(const tunnel::core::DropConnection& action);
  void on(const tunnel::core::SessionOffered& action);

  Record& add_master_record(const std::string& peer, wire::Mode mode, std::string owner);
  void ask(const Record& record, std::uint32_t seconds, bool wait);
  std::uint64_t change_mode(Record& record, wire::Mode mode, tunnel::core::ModeTrial trial,
                            const std::string& why);
  bool returns_after(const Record& over) const;
  tunnel::io::PumpCounters counters_of(const Record& record) const;
  static std::uint64_t seconds_of(const Record& record);
  void end_trials(Clock::time_point now);
  Clock::time_point next_trial_end() const;
  void begin_leg();
  SessionRunner::LegPlan leg_plan(tunnel::core::StartSession start);
  bool is_interrupted() const;
  bool is_paused() const;
  void on_uplink_changed();
  void on_netd_gone();
  void go_on_with(KeptSession kept, const SessionNote& note,
                  tunnel::core::DeviceSession::Kept checked);
  void answer_hold(const PendingHold& hold);
  void on_start_known();
  void tell(Record& record, const std::string& state, Details details);
  void tell_interrupted(Record& record, const std::string& code, const std::string& text);
  void on_running(const tunnel::core::StartSession& start, Clock::duration echo);
  void conclude(std::uint64_t id);
  Record* record(std::uint64_t id);
  /// Ends the session there is, if any: packets stop at once when `at_once`.
  void end_session(wire::CloseCode code, std::string_view text, bool at_once);
  void expire_lists(bool all);
  void renew_if_due();
  void store_renewed();
  tunnel::UnixSeconds server_now() const;

  NetdClient::Events netd_events();
  Task<> ask_netd();
  std::string own_role() const;
  void judge_readiness();
  wire::Info info() const;
  tunnel::core::DeviceTools tools() const;
  void require_role_master() const;
  void require_master() const;
  void require_netd() const;

  asio::any_io_executor executor_;
  Config config_;
  ProxyChoice proxies_;
  Events events_;
  IdentityStore store_;
  std::optional<Identity> identity_;
  std::optional<Identity> next_identity_;  ///< enrolled; takes over when the uplink has ended
  NetdClient netd_;
  UplinkWatch uplinks_;
  std::optional<tunnel::core::DeviceControl> control_;
  std::optional<Uplink> uplink_;

  std::list<Record> records_;  ///< at most the running one and its successor
  std::optional<tunnel::core::StartSession> to_start_;
  std::optional<KeptSession> kept_;  ///< of `to_start_`, when an earlier agent ran it
  std::vector<tunnel::Ipv4Address> kept_deny_;
  std::optional<EarlyLeg> early_leg_;  ///< for the session that is being opened
  std::optional<SessionRunner> runner_;
  std::vector<PendingList> lists_;
  std::optional<PendingEnrolment> enrolment_;
  std::optional<PendingFix> fix_;
  std::vector<OnPorts> port_questions_;
  bool enrolling_ = false;
  std::uint64_t last_id_ = 0;
  Clock::time_point next_renewal_{};
  Clock::time_point next_store_ = Clock::time_point::max();
  std::string unstored_;  ///< why the newest certificate is not on the disk; "": it is

  Surroundings around_;
  std::optional<LaptopPort> port_;  ///< nothing: netd was not asked yet
  bool netd_ready_ = false;         ///< it knows our role
  bool uplink_changed_ = false;
  bool note_due_ = false;
  Clock::time_point netd_back_until_{};  ///< while the session is paused
  bool start_known_ = false;             ///< whether netd kept a session for us
  std::vector<PendingHold> holds_;

  Wakeup identity_wakeup_, session_wakeup_, cause_wakeup_, enrolment_wakeup_, netd_wakeup_,
      facts_wakeup_, deadline_wakeup_;
  bool stopping_ = false;
};

}  // namespace device
