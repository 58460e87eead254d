#pragma once
#include "base/unique_fd.hpp"

#include <cstdint>

namespace device::cli {

/// The Enter key of the terminal on which a question was asked, as a descriptor to wait on.
///
/// It reads the controlling terminal by a descriptor of its own, which never blocks: standard input
/// stays as the shell gave it. A command in the background asks nothing and takes nothing of what
/// is typed to the shell.
class EnterKey {
 public:
  enum class Typed : std::uint8_t {
    nothing,
    enter,  ///< a line with nothing in it
    other,  ///< any other line
    gone    ///< there is no answer to be had any more; it has stopped to listen
  };

  EnterKey();

  /// Listens from now on, if a person can see the question and answer it: standard input and
  /// standard error are terminals, and this command is in the foreground. What was typed before is
  /// forgotten: it is no answer.
  /// @return whether it listens
  bool listen();
  void stop() noexcept { terminal_.reset(); }
  /// Readable when something was typed; -1 while it does not listen.
  int fd() const noexcept { return terminal_.get(); }
  /// Only while it listens.
  Typed take();

 private:
  tunnel::UniqueFd terminal_;
};

}  // namespace device::cli
