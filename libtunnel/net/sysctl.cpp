#include "net/sysctl.hpp"

#include "base/log.hpp"
#include "base/unique_fd.hpp"
#include "net/net_error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <exception>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <vector>

namespace tunnel::net {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t value_bytes_max = 256;
constexpr auto unfinished = ".new";

std::string path_of(const std::string& key) {
  return "/proc/sys/net/" + key;
}

/// A note of the old value: three lines, key, old value, ours.
fs::path note_of(const std::string& journal, std::string key) {
  std::replace(key.begin(), key.end(), '/', ',');
  return fs::path{journal} / key;
}

void write_note(const Sysctl::Spec& spec, const std::string& before) {
  const auto attempted = fmt::format("note the value of {} in {}", spec.key, spec.journal);
  std::error_code error;
  fs::create_directories(spec.journal, error);
  if (error) throw NetError{error.value(), attempted};
  const auto note = note_of(spec.journal, spec.key);
  const auto fresh = note.string() + unfinished;
  errno = 0;
  std::ofstream file{fresh, std::ios::trunc};
  file << spec.key << '\n' << before << '\n' << spec.value << '\n';
  file.close();
  if (!file) throw NetError{errno != 0 ? errno : EIO, attempted};
  fs::rename(fresh, note, error);  // whole or not at all
  if (error) throw NetError{error.value(), attempted};
}

void delete_note(const Sysctl::Spec& spec) noexcept try {
  std::error_code ignored;
  if (!spec.journal.empty()) fs::remove(note_of(spec.journal, spec.key), ignored);
} catch (const std::exception&) {
  // No memory for a path: the note stays, and the next start finds that it has been put back.
}

/// Puts one value back if it still is ours. @return whether it did
bool put_back(const std::string& key, const std::string& ours, const std::string& before) {
  if (read_sysctl(key) != ours) return false;
  try {
    write_sysctl(key, before);
  } catch (const NetError&) {
    if (!read_sysctl(key)) return false;  // unplugged at this very moment
    throw;
  }
  return true;
}

bool restore_note(const fs::path& note) {
  std::ifstream file{note};
  std::string key;
  std::string before;
  std::string ours;
  const bool whole =
      std::getline(file, key) && std::getline(file, before) && std::getline(file, ours);
  const bool done = whole && put_back(key, ours, before);
  std::error_code error;
  if (!fs::remove(note, error) && error)
    throw NetError{error.value(), fmt::format("delete {}", note.string())};
  return done;
}

}  // namespace

std::optional<std::string> read_sysctl(const std::string& key) {
  const UniqueFd file{::open(path_of(key).c_str(), O_RDONLY | O_CLOEXEC)};
  if (!file) return std::nullopt;
  std::array<char, value_bytes_max> bytes{};
  const auto count = ::read(file.get(), bytes.data(), bytes.size());
  if (count < 0) return std::nullopt;
  std::string value{bytes.data(), static_cast<std::size_t>(count)};
  while (value.ends_with('\n'))
    value.pop_back();
  return value;
}

void write_sysctl(const std::string& key, const std::string& value) {
  const auto attempted = fmt::format("set sysctl net/{} to {}", key, value);
  const UniqueFd file{::open(path_of(key).c_str(), O_WRONLY | O_CLOEXEC)};
  if (!file) throw NetError{errno, attempted};
  // The kernel takes the first write() and looks at nothing after it (proc_sys(5)).
  const auto count = ::write(file.get(), value.data(), value.size());
  if (count < 0) throw NetError{errno, attempted};
}

Sysctl::Sysctl(const Spec& spec) : spec_{spec} {
  const auto now = read_sysctl(spec_.key);
  if (!now) throw NetError{ENOENT, fmt::format("set sysctl net/{} to {}", spec_.key, spec_.value)};
  before_ = *now;
  if (before_ == spec_.value) return;
  if (!spec_.journal.empty()) write_note(spec_, before_);
  try {
    write_sysctl(spec_.key, spec_.value);
  } catch (const NetError&) {
    delete_note(spec_);
    throw;
  }
}

Sysctl::~Sysctl() {
  if (before_ == spec_.value) return;
  try {
    put_back(spec_.key, spec_.value, before_);
  } catch (const std::exception& e) {
    log::warn("cannot undo a change of the kernel's network", {log::reason(e.what())});
    return;  // the note stays for the next start
  }
  delete_note(spec_);
}

std::size_t restore_sysctls(const std::string& journal) {
  std::error_code error;
  std::vector<fs::path> notes;
  for (fs::directory_iterator at{journal, error}, end; !error && at != end; at.increment(error))
    notes.push_back(at->path());
  if (error && error != std::errc::no_such_file_or_directory)
    throw NetError{error.value(), fmt::format("read the sysctl notes in {}", journal)};
  std::size_t count = 0;
  for (const auto& note : notes) {
    if (note.extension() == unfinished)
      fs::remove(note, error);  // its value was not changed yet
    else if (restore_note(note))
      ++count;
  }
  return count;
}

}  // namespace tunnel::net
