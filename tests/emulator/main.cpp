// rdv-lab-link: stands in for one cable of the lab, with a rate, a queue, a delay and losses.
#include "emulator/cable.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <sched.h>
#include <string_view>

namespace {

constexpr int priority = 10;  // of SCHED_FIFO: above all that is measured, below the kernel's own

constexpr std::string_view usage =
    "usage: rdv-lab-link NEAR FAR CONTROL\n"
    "\n"
    "Carries Ethernet frames between the links NEAR and FAR of this network namespace (root "
    "only),\n"
    "unchanged until told otherwise on the Unix socket CONTROL: see tests/emulator/request.hpp,\n"
    "or use scripts/lab link. Ends with SIGTERM.\n";

/// A busy machine must not make frames late. Where it is not allowed (a container), they may be.
void take_precedence() {
  const sched_param wanted{.sched_priority = priority};
  if (::sched_setscheduler(0, SCHED_FIFO, &wanted) != 0)
    fmt::print(stderr, "rdv-lab-link: no real-time priority: frames may be late\n");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view{argv[1]} == "--help") {
    fmt::print("{}", usage);
    return 0;
  }
  if (argc != 4) {
    fmt::print(stderr, "{}", usage);
    return 2;
  }
  try {
    emulator::Cable cable{{.near = argv[1], .far = argv[2], .control = argv[3]}};
    take_precedence();
    cable.run();
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "rdv-lab-link: {}\n", error.what());
    return 1;
  }
}
