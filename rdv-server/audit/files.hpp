#pragma once
#include "audit/record.hpp"
#include "base/unique_fd.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace rdv {

/// The audit's folder: the chain goes on over its files, in the order of their names.
///
///   audit-000000000001-2026-01.jsonl    the number of its first record, and the month
///
/// A new file begins with a month, and when one is full. Nothing here ever removes or changes one
/// that is finished. At the end of the newest one there is always room set aside on the disk, so
/// that what must be recorded of sessions that run still can be when the disk is full.
class AuditFiles {
 public:
  struct Settings {
    std::filesystem::path folder;
    std::uint64_t file_bytes_max = 16'000'000;  ///< then the next one begins
    std::uint64_t room_bytes = 256 * 1024;      ///< set aside
  };
  /// What stood at the end of the chain when it was opened.
  struct Found {
    AuditHead head;                ///< of the last good record; {0, zeros}: there is none
    std::string what;              ///< that record's word
    std::uint64_t torn_bytes = 0;  ///< of a line that was not finished; it is removed
    std::string damage;  ///< the newest file ends with what is no record; it stays as it is
  };

  explicit AuditFiles(Settings settings) : settings_{std::move(settings)} {}
  AuditFiles(AuditFiles&&) = delete;
  ~AuditFiles();

  /// Makes the folder if need be, and takes the newest file to write on. To be called before
  /// anything else, and again after it threw. @throws std::system_error
  Found open();
  /// The next record begins a new file.
  void leave_file() { finish_file(); }

  /// Adds a record; what is written is not on the disk before sync(). @throws std::system_error
  /// with nothing of the line left behind
  void append(const AuditLine& line);
  /// Sets room aside for records to come. @throws std::system_error when there is none
  void make_room();
  /// Writes to the disk what it may still hold back. @throws std::system_error
  void sync();
  /// Another descriptor of the file, for a thread that syncs; none while no file is open.
  tunnel::UniqueFd descriptor() const;
  /// Somebody has removed the file that we write on; the next record begins another one.
  void look_after_file();

 private:
  Found open(const std::filesystem::path& file);
  bool is_full(const AuditLine& line) const;
  void begin_file(const AuditLine& line);
  void finish_file() noexcept;

  Settings settings_;
  tunnel::UniqueFd file_;
  std::string month_;            // of the file that is open
  std::uint64_t size_ = 0;       // of its good lines
  bool is_short_ = false;        // there was no room when it was last asked for
  std::uint64_t room_ends_ = 0;  // as far as the disk has room set aside
};

/// The files of an audit's folder, oldest first. @throws std::system_error
std::vector<std::filesystem::path> audit_files(const std::filesystem::path& folder);

}  // namespace rdv
