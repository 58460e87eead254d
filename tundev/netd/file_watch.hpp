#pragma once
#include "io/asio.hpp"

#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

namespace device {

/// Tells that one of a few files may have changed: written, replaced, or its symbolic link turned
/// elsewhere. They need not exist, their folders neither (then nothing is told of them until the
/// next change of another).
class FileWatch {
 public:
  /// @throws std::system_error when inotify has none left
  FileWatch(tunnel::io::asio::io_context& io, std::vector<std::filesystem::path> files,
            std::function<void()> on_change);
  ~FileWatch();
  FileWatch(FileWatch&&) = delete;

 private:
  void arm();
  void wait();

  std::vector<std::filesystem::path> files_;
  std::function<void()> on_change_;
  tunnel::io::asio::posix::stream_descriptor inotify_;
  std::shared_ptr<bool> alive_;  // shared with a handler that may run after our destruction
};

}  // namespace device
