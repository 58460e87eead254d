#include "audit/files.hpp"

#include "audit/verifier.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <fstream>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace rdv {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view name_begins = "audit-";
constexpr std::string_view name_ends = ".jsonl";
constexpr std::size_t sequence_digits = 12;
constexpr std::size_t month_chars = 7;
/// Files that begin with the same number: each but the last came to grief.
constexpr int files_of_one_number_max = 99;
/// Room is set aside in steps of so much, on top of what must be there: small ones, so that a disk
/// that is full is soon noticed.
constexpr std::uint64_t room_step_bytes = 4 * 1024;
/// When there was none there must be more before all is well: a disk that is all but full is not an
/// alarm every few seconds.
constexpr std::uint64_t room_step_after_alarm_bytes = 64 * 1024;

[[noreturn]] void fail(const std::string& attempted) {
  throw std::system_error{errno, std::generic_category(), "cannot " + attempted};
}

/// Sorts behind those of earlier records, and of earlier attempts (`again` > 1) under this number.
std::string file_name(const AuditLine& line, std::string_view month, int again) {
  const auto more = again > 1 ? fmt::format("_{}", again) : std::string{};
  return fmt::format("{}{:012}-{}{}{}", name_begins, line.head.sequence, month, more, name_ends);
}

/// "2026-01" of a record or of a file's name.
std::string month_of(const AuditLine& line) {
  constexpr std::string_view before = R"("time":")";
  return line.text.substr(line.text.find(before) + before.size(), month_chars);
}
std::string month_of(const fs::path& file) {
  constexpr std::size_t at = name_begins.size() + sequence_digits + 1;
  const auto name = file.filename().string();
  return name.size() > at ? name.substr(at, month_chars) : std::string{};
}

/// The last bytes of a file, at most two lines long.
std::string read_tail(int file, std::uint64_t size) {
  const auto bytes = std::min<std::uint64_t>(size, 2 * audit_line_bytes_max);
  std::string tail(static_cast<std::size_t>(bytes), '\0');
  const auto got = ::pread(file, tail.data(), tail.size(), static_cast<off_t>(size - bytes));
  if (got != static_cast<ssize_t>(tail.size())) fail("read the audit's last record");
  return tail;
}

AuditFiles::Found last_record(std::string_view tail) {
  AuditFiles::Found found;
  const auto good_end = tail.rfind('\n') + 1;  // 0 when there is none
  found.torn_bytes = tail.size() - good_end;
  if (good_end == 0) {
    if (tail.size() > audit_line_bytes_max) found.damage = "it has no end";
    return found;
  }
  tail = tail.substr(0, good_end - 1);
  auto read = read_audit_line(tail.substr(tail.rfind('\n') + 1));
  if (auto* record = std::get_if<AuditRecord>(&read)) {
    found.head = record->head;
    found.what = std::move(record->what);
  } else {
    found.damage = std::get<AuditDamage>(read).why;
  }
  return found;
}

/// Of a file whose end is damaged: where the chain ends that it begins with.
AuditHead last_good(const fs::path& path) {
  AuditVerifier verifier;
  std::ifstream file{path};
  for (std::string line; std::getline(file, line) && verifier.take(line).empty();) {
  }
  return verifier.head();
}

/// @return as far as the disk has room set aside now; `from` when the file system sets none aside
/// and can only be asked
std::uint64_t set_aside(int file, std::uint64_t from, std::uint64_t bytes) {
  int done = 0;
  do
    done =
        ::fallocate(file, FALLOC_FL_KEEP_SIZE, static_cast<off_t>(from), static_cast<off_t>(bytes));
  while (done != 0 && errno == EINTR);
  if (done == 0) return from + bytes;
  if (errno != EOPNOTSUPP) fail("set room aside for the audit");
  struct statvfs disk {};
  if (::fstatvfs(file, &disk) != 0) fail("ask for the room on the audit's disk");
  errno = ENOSPC;
  if (std::uint64_t{disk.f_bavail} * disk.f_frsize < bytes) fail("set room aside for the audit");
  return from;
}

void sync_folder(const fs::path& path) {
  const tunnel::UniqueFd folder{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!folder || ::fsync(folder.get()) != 0) fail("write to the disk the folder " + path.string());
}

}  // namespace

std::vector<fs::path> audit_files(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator{folder}) {
    const auto name = entry.path().filename().string();
    if (name.starts_with(name_begins) && name.ends_with(name_ends)) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

AuditFiles::~AuditFiles() {
  finish_file();
}

AuditFiles::Found AuditFiles::open() {
  file_ = {};
  if (fs::create_directories(settings_.folder))
    fs::permissions(settings_.folder, fs::perms::owner_all);
  auto files = audit_files(settings_.folder);
  std::uint64_t torn_bytes = 0;
  for (; !files.empty(); files.pop_back()) {
    auto found = open(files.back());
    found.torn_bytes += std::exchange(torn_bytes, 0);
    if (found.head.sequence != 0 || !found.damage.empty()) return found;
    // The disk was full or the power failed before its first record was there.
    torn_bytes = found.torn_bytes;
    file_ = {};
    fs::remove(files.back());
  }
  return {.head = {}, .what = {}, .torn_bytes = torn_bytes, .damage = {}};
}

AuditFiles::Found AuditFiles::open(const fs::path& path) {
  tunnel::UniqueFd file{::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW)};
  if (!file) fail("open " + path.string());
  const auto size = fs::file_size(path);
  auto found = last_record(read_tail(file.get(), size));
  if (!found.damage.empty()) {
    found.head = last_good(path);
    found.torn_bytes = 0;
    found.damage = fmt::format("the last line of {}: {}", path.string(), found.damage);
    return found;
  }
  size_ = size - found.torn_bytes;
  if (found.torn_bytes > 0 && ::ftruncate(file.get(), static_cast<off_t>(size_)) != 0)
    fail("remove the torn line of " + path.string());
  room_ends_ = size_;
  month_ = month_of(path);
  file_ = std::move(file);
  return found;
}

bool AuditFiles::is_full(const AuditLine& line) const {
  return size_ + line.text.size() > settings_.file_bytes_max || month_of(line) > month_;
}

void AuditFiles::append(const AuditLine& line) {
  if (!file_) {
    begin_file(line);
  } else if (size_ > 0 && is_full(line)) {
    try {
      begin_file(line);
    } catch (const std::system_error&) {
      // On a full disk the file before has room set aside, and the next record tries again.
    }
  }
  // Not O_APPEND: what a write left behind that was not whole is written over.
  const auto wrote =
      ::pwrite(file_.get(), line.text.data(), line.text.size(), static_cast<off_t>(size_));
  if (wrote == static_cast<ssize_t>(line.text.size())) {
    size_ += line.text.size();
    return;
  }
  const int why = wrote < 0 ? errno : ENOSPC;
  if (::ftruncate(file_.get(), static_cast<off_t>(size_)) == 0) room_ends_ = size_;
  errno = why;
  fail("write the audit");
}

void AuditFiles::begin_file(const AuditLine& line) {
  const auto month = month_of(line);
  fs::path path;
  tunnel::UniqueFd file;
  for (int again = 1; !file && again <= files_of_one_number_max; ++again) {
    path = settings_.folder / file_name(line, month, again);
    file.reset(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file && errno != EEXIST) break;
  }
  if (!file) fail("make " + path.string());
  std::uint64_t room_ends = 0;
  try {
    room_ends = set_aside(file.get(), 0, settings_.room_bytes + room_step_bytes);
    sync_folder(settings_.folder);
  } catch (const std::system_error&) {
    ::unlink(path.c_str());
    throw;
  }
  finish_file();
  file_ = std::move(file);
  month_ = month;
  size_ = 0;
  room_ends_ = room_ends;
}

/// The last of it to the disk, and the room that was set aside back: ext4 takes it back with the
/// first call, others with the second.
void AuditFiles::finish_file() noexcept {
  if (!file_) return;
  const auto size = static_cast<off_t>(size_);
  if (::ftruncate(file_.get(), size) == 0 && room_ends_ > size_)
    ::fallocate(file_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, size,
                static_cast<off_t>(room_ends_ - size_));
  ::fdatasync(file_.get());
  file_ = {};
}

void AuditFiles::make_room() {
  if (!file_ || room_ends_ >= size_ + settings_.room_bytes) return;
  const auto step = is_short_ ? room_step_after_alarm_bytes : room_step_bytes;
  is_short_ = true;
  room_ends_ = set_aside(file_.get(), size_, settings_.room_bytes + step);
  is_short_ = false;
}

void AuditFiles::sync() {
  if (file_ && ::fdatasync(file_.get()) != 0) fail("write the audit to the disk");
}

tunnel::UniqueFd AuditFiles::descriptor() const {
  return file_ ? tunnel::UniqueFd{::fcntl(file_.get(), F_DUPFD_CLOEXEC, 3)} : tunnel::UniqueFd{};
}

void AuditFiles::look_after_file() {
  struct stat facts {};
  if (file_ && ::fstat(file_.get(), &facts) == 0 && facts.st_nlink == 0) file_ = {};
}

}  // namespace rdv
