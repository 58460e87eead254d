#include "netd/file_watch.hpp"

#include <sys/inotify.h>

#include <array>
#include <system_error>
#include <unistd.h>

namespace device {
namespace {

constexpr std::uint32_t of_a_file = IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;
constexpr std::uint32_t of_a_folder =
    IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_CLOSE_WRITE | IN_ONLYDIR;

}  // namespace

FileWatch::FileWatch(tunnel::io::asio::io_context& io, std::vector<std::filesystem::path> files,
                     std::function<void()> on_change)
    : files_{std::move(files)},
      on_change_{std::move(on_change)},
      inotify_{io},
      alive_{std::make_shared<bool>(true)} {
  const int fd = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (fd < 0) throw std::system_error{errno, std::generic_category(), "watch files"};
  inotify_.assign(fd);
  arm();
  wait();
}

FileWatch::~FileWatch() {
  *alive_ = false;
}

/// Adding a watch that is there already changes nothing, so this follows links that were turned
/// elsewhere.
void FileWatch::arm() {
  for (const auto& file : files_) {
    std::error_code ec;
    const auto target = std::filesystem::weakly_canonical(file, ec);
    ::inotify_add_watch(inotify_.native_handle(), file.c_str(), of_a_file);
    for (const auto& folder : {file.parent_path(), target.parent_path()})
      if (!folder.empty())
        ::inotify_add_watch(inotify_.native_handle(), folder.c_str(), of_a_folder);
  }
}

void FileWatch::wait() {
  inotify_.async_wait(inotify_.wait_read, [this, alive = alive_](tunnel::io::error_code ec) {
    if (ec || !*alive) return;
    // Which of them it was does not matter: whoever is told reads them again.
    alignas(inotify_event) std::array<char, 4096> events;
    while (::read(inotify_.native_handle(), events.data(), events.size()) > 0) {
    }
    arm();
    wait();
    on_change_();
  });
}

}  // namespace device
