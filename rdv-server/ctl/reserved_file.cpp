#include "ctl/reserved_file.hpp"

#include "base/files.hpp"

#include <cerrno>
#include <fcntl.h>
#include <string>
#include <unistd.h>

namespace rdv::ctl {

using tunnel::throw_errno;
using tunnel::write_all;

// No fchmod: FAT has no modes and refuses it, and open() never gives more than is asked for.
ReservedFile::ReservedFile(std::filesystem::path path, std::size_t bytes)
    : path_{std::move(path)},
      file_{::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)} {
  if (!file_) throw_errno("create", path_);
  if (write_all(file_.get(), std::string(bytes, '\n')) && ::fsync(file_.get()) == 0) return;
  const int why = errno;
  ::unlink(path_.c_str());
  errno = why;
  throw_errno("write", path_);
}

ReservedFile::~ReservedFile() {
  if (!written_) ::unlink(path_.c_str());
}

void ReservedFile::write(std::string_view text) {
  const bool done = ::lseek(file_.get(), 0, SEEK_SET) == 0 && write_all(file_.get(), text) &&
                    ::ftruncate(file_.get(), static_cast<off_t>(text.size())) == 0 &&
                    ::fsync(file_.get()) == 0;
  if (!done) throw_errno("write", path_);
  const auto parent = path_.has_parent_path() ? path_.parent_path() : std::filesystem::path{"."};
  tunnel::sync_folder(parent);  // FAT may refuse it; the file itself is on the disk
  written_ = true;
}

}  // namespace rdv::ctl
