#pragma once
#include "base/unique_fd.hpp"

#include <filesystem>
#include <string_view>

namespace rdv::ctl {

/// A new file with room for what will be written once it is known: when the constructor returns,
/// the place is ours and the disk has room. Removed by the destructor unless write() went well.
class ReservedFile {
 public:
  /// Mode 0600; an existing file is never touched.
  /// @param bytes  room that is set aside
  /// @throws std::system_error naming the path; with errc::file_exists when there is one
  ReservedFile(std::filesystem::path path, std::size_t bytes);
  ~ReservedFile();
  ReservedFile(ReservedFile&&) = delete;

  /// Writes all of it, and waits until it is on the disk.
  /// @throws std::system_error naming the path
  void write(std::string_view text);

 private:
  std::filesystem::path path_;
  tunnel::UniqueFd file_;
  bool written_ = false;
};

}  // namespace rdv::ctl
