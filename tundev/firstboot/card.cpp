#include "firstboot/card.hpp"

#include "base/files.hpp"
#include "base/unique_fd.hpp"
#include "provision/provisioning.hpp"

#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace device {
namespace {

namespace fs = std::filesystem;
using tunnel::throw_errno;
using tunnel::UniqueFd;

constexpr std::string_view used_up = "# used up\n";

/// The folder is writable as long as this lives.
class Writable {
 public:
  explicit Writable(const fs::path& folder) : folder_{folder} {
    struct statvfs facts {};
    if (::statvfs(folder.c_str(), &facts) != 0) throw_errno("look at", folder);
    if ((facts.f_flag & ST_RDONLY) == 0) return;
    // A remount sets all flags anew.
    for (const auto& [here, there] :
         {std::pair{ST_NOSUID, MS_NOSUID}, std::pair{ST_NODEV, MS_NODEV},
          std::pair{ST_NOEXEC, MS_NOEXEC}, std::pair{ST_NOATIME, MS_NOATIME},
          std::pair{ST_NODIRATIME, MS_NODIRATIME}, std::pair{ST_RELATIME, MS_RELATIME},
          std::pair{ST_SYNCHRONOUS, MS_SYNCHRONOUS}})
      if ((facts.f_flag & static_cast<unsigned long>(here)) != 0) flags_ |= there;
    if (!remount(0)) throw_errno("make writable", folder);
    remounted_ = true;
  }
  ~Writable() {
    if (remounted_) remount(MS_RDONLY);  // someone reads there still: the next write undoes it
  }
  Writable(Writable&&) = delete;

 private:
  bool remount(unsigned long more) {
    return ::mount(nullptr, folder_.c_str(), nullptr, MS_REMOUNT | flags_ | more, nullptr) == 0;
  }

  fs::path folder_;
  unsigned long flags_ = 0;
  bool remounted_ = false;
};

void overwrite(const fs::path& file) {
  const UniqueFd fd{::open(file.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW)};
  struct stat facts {};
  if (!fd || ::fstat(fd.get(), &facts) != 0) throw_errno("open", file);
  const auto size = std::min<std::size_t>(static_cast<std::size_t>(facts.st_size),
                                          tunnel::provision::file_bytes_max);
  std::string nothing{used_up};
  nothing.resize(std::max(size, used_up.size()), '\n');
  if (!tunnel::write_all(fd.get(), nothing) || ::fsync(fd.get()) != 0)
    throw_errno("overwrite", file);
}

}  // namespace

Card::Card(fs::path file, fs::path status) : file_{std::move(file)}, status_{std::move(status)} {
  if (!file_.has_parent_path()) file_ = "." / file_;
  if (status_.empty()) status_ = file_.parent_path() / "rdv-status.txt";
  if (!status_.has_parent_path()) status_ = "." / status_;
}

std::optional<std::string> Card::read() {
  const UniqueFd fd{::open(file_.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!fd && errno == ENOENT) return std::nullopt;
  if (!fd) throw_errno("open", file_);
  std::string text(tunnel::provision::file_bytes_max + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const auto got = ::read(fd.get(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_errno("read", file_);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  text.resize(size);
  if (!text.starts_with(used_up)) return text;
  destroy();
  return std::nullopt;
}

void Card::write_status(std::string_view text) {
  const Writable window{status_.parent_path()};
  tunnel::write_file_durably(status_, text, tunnel::no_mode);
}

void Card::destroy() {
  const auto folder = file_.parent_path();
  const Writable window{folder};
  overwrite(file_);
  if (::unlink(file_.c_str()) != 0) throw_errno("delete", file_);
  if (!tunnel::sync_folder(folder)) throw_errno("sync", folder);
}

}  // namespace device
