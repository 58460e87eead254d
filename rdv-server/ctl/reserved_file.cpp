#include "ctl/reserved_file.hpp"

#include <cerrno>
#include <fcntl.h>
#include <string>
#include <system_error>
#include <unistd.h>

namespace rdv::ctl {
namespace {

[[noreturn]] void fail(const std::string& attempted, const std::filesystem::path& path) {
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

}  // namespace

// No fchmod: FAT has no modes and refuses it, and open() never gives more than is asked for.
ReservedFile::ReservedFile(std::filesystem::path path, std::size_t bytes)
    : path_{std::move(path)},
      file_{::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)} {
  if (!file_) fail("create", path_);
  if (write_all(file_.get(), std::string(bytes, '\n')) && ::fsync(file_.get()) == 0) return;
  const int why = errno;
  ::unlink(path_.c_str());
  errno = why;
  fail("write", path_);
}

ReservedFile::~ReservedFile() {
  if (!written_) ::unlink(path_.c_str());
}

void ReservedFile::write(std::string_view text) {
  const bool done = ::lseek(file_.get(), 0, SEEK_SET) == 0 && write_all(file_.get(), text) &&
                    ::ftruncate(file_.get(), static_cast<off_t>(text.size())) == 0 &&
                    ::fsync(file_.get()) == 0;
  if (!done) fail("write", path_);
  const auto parent = path_.has_parent_path() ? path_.parent_path() : std::filesystem::path{"."};
  const tunnel::UniqueFd folder{::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (folder) ::fsync(folder.get());  // FAT may refuse it; the file itself is on the disk
  written_ = true;
}

}  // namespace rdv::ctl
