#pragma once
#include <filesystem>
#include <string>
#include <string_view>

namespace tunnel {

inline constexpr unsigned no_mode = 0;  ///< for FAT, which refuses to set one

/// Writes a file that is either the old or the new one after a power cut: temporary file, fsync,
/// rename, fsync of the folder. @param mode e.g. 0600, or no_mode  @throws std::system_error naming
/// the path
void write_file_durably(const std::filesystem::path& path, std::string_view text, unsigned mode);
/// All of it, also when a signal comes between. @return false, and errno says why, when that fails
bool write_all(int fd, std::string_view text);
/// What was made, renamed or deleted there is on the disk. @return false, and errno says why, when
/// the file system refuses
bool sync_folder(const std::filesystem::path& folder);
/// @throws std::system_error of errno: "open /etc/hostname: Permission denied"
[[noreturn]] void throw_errno(const std::string& attempted, const std::filesystem::path& path);
/// @throws std::system_error naming the path
std::string read_file(const std::filesystem::path& path);

}  // namespace tunnel
