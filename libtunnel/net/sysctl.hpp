#pragma once
#include <cstddef>
#include <optional>
#include <string>

namespace tunnel::net {

/// One value below /proc/sys/net, put back on destruction.
///
/// It is put back only while it still is what we wrote: whoever changed it since knows better, and
/// a link that was unplugged and plugged in again has fresh values. That link or file being gone is
/// a normal case. Two objects on one key must end in reverse order: share one. CAP_NET_ADMIN is
/// enough, no matter who owns the file.
class Sysctl {
 public:
  struct Spec {
    std::string key;    ///< e.g. "ipv4/conf/usb0/forwarding"
    std::string value;  ///< e.g. "1"
    /// Where the old value is noted while ours is in force, so that restore_sysctls() can put it
    /// back after a SIGKILL; on a tmpfs (a reboot forgets both). Made if missing. "": not noted,
    /// for links that die with us.
    std::string journal = {};
  };

  /// @throws NetError ENOENT when the kernel or the link does not know the key; then nothing was
  /// changed.
  explicit Sysctl(const Spec& spec);
  ~Sysctl();
  Sysctl(Sysctl&&) = delete;

 private:
  Spec spec_;
  std::string before_;
};

/// The value as it is, without the line's end; nothing when the key is unknown.
std::optional<std::string> read_sysctl(const std::string& key);

/// Writes a value that nobody has to put back, because its link dies with us.
/// @throws NetError
void write_sysctl(const std::string& key, const std::string& value);

/// Puts back what the notes in `journal` say and deletes them.
/// @return how many values were put back
/// @throws NetError
std::size_t restore_sysctls(const std::string& journal);

}  // namespace tunnel::net
