#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace device {

/// The FAT partition that every computer shows: the file is read there, the status written, the
/// file destroyed. It may be mounted read-only (the image does so): each change remounts it
/// writable and back.
class Card {
 public:
  /// @param file    rdv-provision.toml  @param status  "": rdv-status.txt beside it
  Card(std::filesystem::path file, std::filesystem::path status);

  /// The file's text, of which at most one byte more than the limit is read; nothing when there is
  /// none. What destroy() left half done is finished first.
  /// @throws std::system_error when it cannot be read
  std::optional<std::string> read();
  /// The old or the new status is there after a power cut.
  /// @throws std::system_error when the card cannot be written
  void write_status(std::string_view text);
  /// Overwrites the file and deletes it. FAT may have kept copies of its blocks elsewhere (so may
  /// the card itself): what protects is that the code works once.
  /// @throws std::system_error when the card cannot be written
  void destroy();

 private:
  std::filesystem::path file_, status_;
};

}  // namespace device
