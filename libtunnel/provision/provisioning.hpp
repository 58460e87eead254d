#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace tunnel::provision {

inline constexpr char file_name[] = "rdv-provision.toml";  ///< on the card's FAT partition
inline constexpr std::size_t file_bytes_max = 16 * 1024;
/// Of to_toml()'s text for any file there can be: every character escaped, and the comments.
inline constexpr std::size_t kept_bytes_max = 2 * file_bytes_max + 1024;
inline constexpr std::size_t ssh_keys_max = 16;
inline constexpr std::size_t dns_servers_max = 4;
inline constexpr std::size_t problems_max = 20;  ///< a file that is no such file at all has many

/// What a device must know to become one: docs/PROVISIONING.md. Every text is as it stands in the
/// file; check() says whether a device can use it. "" where a key is optional: it is absent.
struct Provisioning {
  /// The way to the Internet.
  struct Uplink {
    std::string kind = "dhcp";  ///< "dhcp", "static", "wifi", "apn"
    std::string interface;      ///< "": the board's own port (onsite: any port), wlan0, the modem
    std::string address;        ///< IPv4 CIDR; of static, and of wifi without DHCP
    std::string gateway;
    std::vector<std::string> dns;          ///< IPv4 addresses
    std::string ssid, passphrase;          ///< of wifi; no passphrase: an open network
    std::string country;                   ///< of wifi, ISO 3166: which channels are allowed there
    std::string apn, user, password, pin;  ///< of apn; pin: of the SIM card
  };
  struct Proxy {
    std::string url;  ///< ProxyUrl
    std::string user, password;
  };

  std::string name;                   ///< wire::Name; becomes the host name
  std::string role;                   ///< wire::Role
  std::string code;                   ///< wire::EnrolmentCode: server, pin of its CA, secret
  std::vector<std::string> ssh_keys;  ///< who may log in as root, one line of a .pub file each
  Uplink uplink;
  Proxy proxy;
};

/// One thing that is wrong with a file.
struct Problem {
  std::size_t line = 0;  ///< from 1; 0: it is not in a line (a key is missing)
  std::string key;       ///< "[uplink] ssid"; "": not at a key
  std::string why;       ///< what is wrong, and what to write instead

  /// "line 12: [uplink] ssid: …"
  std::string str() const;
};
using Problems = std::vector<Problem>;

/// A file as the administrator gives it, or the copy a device keeps when its code is used up: that
/// one may be as large as kept_bytes_max.
enum class Code : bool { none, needed };

/// Reads the text of such a file and says everything that is wrong with it, problems_max at most.
/// Never throws on bad text: it may come from anybody who holds the card.
std::variant<Provisioning, Problems> check(std::string_view text, Code code = Code::needed);

/// As text for check(), with a comment for the person who looks at the card. Values that no file
/// can hold (control characters) come back as problems of check().
std::string to_toml(const Provisioning& provisioning);

}  // namespace tunnel::provision
