#pragma once
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rdv {

/// The lines of an audit's files, one after the other, while the server may be writing on the last.
class AuditReader {
 public:
  explicit AuditReader(std::vector<std::filesystem::path> files) : files_{std::move(files)} {}

  /// The next line without its end, valid until the next call; one that is too long for a record is
  /// cut there, and one that is not finished ends where the file does. @return nothing at the end
  /// @throws std::system_error naming the file
  std::optional<std::string_view> next();

  /// "audit-….jsonl:57", of the line that next() gave.
  std::string where() const;
  std::size_t files() const { return files_.size(); }

 private:
  bool open_next();
  bool read_line();

  std::vector<std::filesystem::path> files_;
  std::size_t opened_ = 0;  // so many of them
  std::ifstream file_;
  std::string line_;
  std::size_t number_ = 0;
};

}  // namespace rdv
