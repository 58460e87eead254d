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
/// @throws std::system_error naming the path
std::string read_file(const std::filesystem::path& path);

}  // namespace tunnel
