/// LD_PRELOADed, gives a process a wall clock that is wrong by as many seconds as the file
/// $RDV_WALL_CLOCK says (8 bytes, two's complement, the machine's order). Whoever writes the file
/// makes the clock jump. All other clocks stay true: CLOCK_BOOTTIME and CLOCK_MONOTONIC count as in
/// any process. CLOCK_REALTIME has no namespace, and the machine's own is not ours to set.
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

namespace {

using Offset = std::atomic<std::int64_t>;

/// Mapped once and for ever; null without a file.
const Offset* map_offset() {
  const char* path = std::getenv("RDV_WALL_CLOCK");
  if (path == nullptr) return nullptr;
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return nullptr;
  void* page = ::mmap(nullptr, sizeof(Offset), PROT_READ, MAP_SHARED, fd, 0);
  ::close(fd);
  return page == MAP_FAILED ? nullptr : static_cast<const Offset*>(page);
}

std::int64_t offset() {
  static const Offset* const mapped = map_offset();
  return mapped == nullptr ? 0 : mapped->load(std::memory_order_relaxed);
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t id, timespec* now) noexcept {
  const auto result = static_cast<int>(::syscall(SYS_clock_gettime, id, now));
  if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) now->tv_sec += offset();
  return result;
}

time_t time(time_t* out) noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  if (out != nullptr) *out = now.tv_sec;
  return now.tv_sec;
}

int gettimeofday(timeval* out, void*) noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  out->tv_sec = now.tv_sec;
  out->tv_usec = now.tv_nsec / 1000;
  return 0;
}
}
