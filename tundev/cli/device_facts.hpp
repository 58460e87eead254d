#pragma once
#include "base/clock.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// What tundev-agent tells the commands, as plain values: dbus/org.rdv.Device1.xml explains each.
/// Every text is plain (no control character): it may be shown on a terminal as it is.
namespace device::cli {

/// A master's network port, and why it is not the laptop's.
struct NetworkPort {
  std::string name;
  bool is_laptops = false;
  std::string reason, remedy;  ///< "" when it is
};

struct AgentStatus {
  std::string name;    ///< "": not enrolled
  std::string role;    ///< "master", "onsite" or ""
  std::string system;  ///< the tenant
  std::string server;  ///< host:port
  bool connected = false;
  std::string status;  ///< one sentence on the connection
  std::string version;
  std::string uplink;              ///< the interface by which the server is reached; "": none known
  bool uplink_fixed = false;       ///< no other one is used
  std::string port_address;        ///< ours on the laptop's port, CIDR; "": there is none
  std::vector<NetworkPort> ports;  ///< a master's; not asked for by DeviceBus::status()
  std::string ports_problem;       ///< why they cannot be told; "": they can
};

struct ListedOnsite {
  std::string name, site, hostname;
  std::string lan;  ///< CIDR
  std::vector<std::string> dns;
  std::string uplink;          ///< "lan", "wlan", "wwan"
  std::string public_address;  ///< as the server sees it
  bool online = false;
  tunnel::UnixSeconds since = 0;  ///< online or offline since; 0: never seen
  std::string busy_with;          ///< the master that is on it; "": free
  tunnel::UnixSeconds busy_since = 0;
};

struct RunningSession {
  std::uint64_t id = 0;  ///< the agent's own number
  std::string session;   ///< 16 hexadecimal digits, the same on both devices and the server
  std::string state;     ///< a word of SessionState
  std::string peer;      ///< the other device's name
  std::string mode;      ///< "L3", "L2"
  tunnel::UnixSeconds since = 0;
  tunnel::UnixSeconds interrupted_since = 0;  ///< 0: it is not
  std::uint64_t rx_bytes = 0, tx_bytes = 0;   ///< as this device counts
};

enum class SessionState : std::uint8_t {
  waiting,
  opening,
  established,
  interrupted,
  switching,
  confirmed,
  warning,
  closed,
  unknown
};

/// One SessionChanged signal. Only the fields of its state are set.
struct SessionEvent {
  std::uint64_t id = 0;
  SessionState state = SessionState::unknown;
  std::string state_word;         ///< as the agent said it
  std::string reason;             ///< waiting: a word
  std::string text;               ///< waiting, interrupted, warning, closed: a sentence
  tunnel::UnixSeconds since = 0;  ///< waiting: offline since; 0: never seen
  // established
  std::string session, peer, mode, hostname, lan;
  std::vector<std::string> dns;
  double echo_ms = 0;                 ///< the first echo through the whole path
  std::optional<double> open_ms;      ///< from asking for the session to that echo
  tunnel::UnixSeconds expires = 0;    ///< 0: no limit known
  bool resumed = false;               ///< it was interrupted, and goes on
  double interrupted_ms = 0;          ///< resumed: for how long
  std::uint64_t confirm_seconds = 0;  ///< so long its mode waits to be confirmed; 0: it does not
  bool enter = false;                 ///< it is confirmed by pressing Enter here
  // switching (mode and text, and what it carried so far, as closed)
  std::uint64_t next = 0;  ///< the number under which it goes on
  // interrupted
  std::uint64_t up_to_seconds = 0;  ///< how long it is tried to resume it; 0: not known
  // interrupted, established
  bool anew = false;  ///< not the old session, but another one in its place
  // interrupted, closed
  std::string code;  ///< a word of wire::CloseCode or wire::RefusalCode
  bool failed = false;
  std::uint64_t rx_bytes = 0, tx_bytes = 0, seconds = 0;
};

struct OpenRequest {
  std::string onsite;
  std::string mode = "L3";
  std::uint32_t seconds = 0;  ///< 0: no limit of our own
  bool confirm = false;       ///< the other mode takes its place unless somebody confirms it
};

/// Who the server made of us.
struct Enrolment {
  std::string name, role, system;
};

}  // namespace device::cli
