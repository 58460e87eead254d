#define BOOST_TEST_MODULE base
#include "base/session_id.hpp"
#include "base/unique_fd.hpp"

#include <boost/test/unit_test.hpp>

#include <fcntl.h>
#include <limits>

namespace tunnel {
namespace {

bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) != -1;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_session_number_is_always_16_digits) {
  BOOST_TEST(format_session_id(0) == "0000000000000000");
  BOOST_TEST(format_session_id(0x123456789abcdef0) == "123456789abcdef0");
  BOOST_TEST(format_session_id(std::numeric_limits<std::uint64_t>::max()) == "ffffffffffffffff");
}

BOOST_AUTO_TEST_CASE(a_descriptor_has_one_owner_and_is_closed_with_it) {
  const int raw = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  {
    UniqueFd first{raw};
    UniqueFd second{std::move(first)};
    BOOST_TEST(!first);  // NOLINT(bugprone-use-after-move): that it gave it up is the promise
    BOOST_TEST(second.get() == raw);
    auto& same = second;
    second = std::move(same);
    BOOST_TEST(is_open(raw));
  }
  BOOST_TEST(!is_open(raw));
}

BOOST_AUTO_TEST_CASE(assigning_closes_what_was_held_and_releasing_does_not) {
  const int old = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  const int other = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  UniqueFd fd{old};
  fd = UniqueFd{other};
  BOOST_TEST(!is_open(old));
  BOOST_TEST(fd.release() == other);
  BOOST_TEST(is_open(other));
  ::close(other);
}

}  // namespace tunnel
