#include "base/files.hpp"

#include "base/unique_fd.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <fcntl.h>
#include <system_error>
#include <unistd.h>

namespace tunnel {
namespace {

/// A file that is not there any more unless it took its place: what could not be written whole does
/// not keep the last room of a full disk.
class Temporary {
 public:
  explicit Temporary(std::filesystem::path path) : path_{std::move(path)} {}
  Temporary(Temporary&&) = delete;
  ~Temporary() {
    if (!kept_) ::unlink(path_.c_str());
  }
  void keep() noexcept { kept_ = true; }

 private:
  std::filesystem::path path_;
  bool kept_ = false;
};

}  // namespace

void throw_errno(const std::string& attempted, const std::filesystem::path& path) {
  throw std::system_error{errno, std::generic_category(), attempted + " " + path.string()};
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

bool sync_folder(const std::filesystem::path& folder) {
  const UniqueFd fd{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  return fd && ::fsync(fd.get()) == 0;
}

void write_file_durably(const std::filesystem::path& path, std::string_view text, unsigned mode) {
  const auto temporary = std::filesystem::path{path.string() + ".new"};
  UniqueFd file{::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
                       mode == no_mode ? 0600 : mode)};
  if (!file) throw_errno("create", temporary);
  Temporary guard{temporary};
  if (mode != no_mode && ::fchmod(file.get(), mode) != 0) throw_errno("set the mode of", temporary);
  if (!write_all(file.get(), text)) throw_errno("write", temporary);
  if (::fsync(file.get()) != 0) throw_errno("sync", temporary);
  if (::rename(temporary.c_str(), path.c_str()) != 0) throw_errno("rename to", path);
  guard.keep();
  const auto parent = path.has_parent_path() ? path.parent_path() : std::filesystem::path{"."};
  if (!sync_folder(parent)) throw_errno("sync", parent);
}

std::string read_file(const std::filesystem::path& path) {
  const UniqueFd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!file) throw_errno("open", path);
  std::string text;
  char buffer[4096];
  for (;;) {
    const auto got = ::read(file.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_errno("read", path);
    if (got == 0) return text;
    text.append(buffer, static_cast<std::size_t>(got));
  }
}

}  // namespace tunnel
