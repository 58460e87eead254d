#define BOOST_TEST_MODULE audit_sync
#include "net/audit_sync.hpp"

#include "support/patience.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <fcntl.h>
#include <optional>
#include <string>
#include <unistd.h>
#include <vector>

namespace rdv {

using namespace std::chrono_literals;
using tunnel::UniqueFd;

struct Disk {
  tunnel::io::asio::io_context context;
  tunnel::io::asio::executor_work_guard<tunnel::io::asio::io_context::executor_type> guard{
      context.get_executor()};
  std::vector<std::string> said;
  std::optional<AuditSync> sync{std::in_place, context.get_executor(), [this](std::string failure) {
                                  said.push_back(std::move(failure));
                                }};

  static UniqueFd file() {
    char name[] = "/tmp/rdv-audit-sync-XXXXXX";
    UniqueFd made{::mkostemp(name, O_CLOEXEC)};
    BOOST_REQUIRE(made);
    ::unlink(name);
    BOOST_REQUIRE(::write(made.get(), "line\n", 5) == 5);
    return made;
  }
  void wait_for(std::size_t answers) {
    const auto deadline = std::chrono::steady_clock::now() + tunnel::test::patience;
    while (said.size() < answers && std::chrono::steady_clock::now() < deadline)
      context.run_one_until(deadline);
    BOOST_REQUIRE(said.size() == answers);
  }
};

BOOST_FIXTURE_TEST_CASE(each_file_that_is_on_its_disk_is_told_once, Disk) {
  for (std::size_t i = 1; i <= 20; ++i) {
    sync->start(file());
    wait_for(i);
    BOOST_TEST(said.back() == "");
  }
}

BOOST_FIXTURE_TEST_CASE(what_cannot_be_written_says_why, Disk) {
  int ends[2];
  BOOST_REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const UniqueFd other{ends[0]};
  sync->start(UniqueFd{ends[1]});  // a pipe has no disk: EINVAL
  wait_for(1);
  BOOST_TEST(said[0].starts_with("cannot write the audit to the disk: "));
}

BOOST_FIXTURE_TEST_CASE(after_its_end_nobody_is_called, Disk) {
  sync->start(file());
  sync.reset();
  context.poll();
  BOOST_TEST(said.empty());
}

}  // namespace rdv
