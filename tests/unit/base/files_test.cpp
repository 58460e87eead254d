#include "base/files.hpp"

#include "support/temporary_folder.hpp"

#include <boost/test/unit_test.hpp>
#include <sys/stat.h>

#include <cstdlib>
#include <system_error>

namespace tunnel {
namespace {

struct Folder {
  tunnel::test::TemporaryFolder folder;
  std::filesystem::path path = folder.path();
};

unsigned mode_of(const std::filesystem::path& path) {
  struct stat found {};
  BOOST_REQUIRE(::stat(path.c_str(), &found) == 0);
  return found.st_mode & 07777U;
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_file_holds_what_was_written_and_nothing_stays_beside_it, Folder) {
  const auto file = path / "device.key";
  const std::string text = std::string(20'000, 'k') + '\0' + "end";
  write_file_durably(file, "old", 0644);
  write_file_durably(file, text, 0600);
  BOOST_TEST(read_file(file) == text);
  BOOST_TEST(mode_of(file) == 0600U);
  write_file_durably(file, "", 0640);
  BOOST_TEST(read_file(file).empty());
  BOOST_TEST(mode_of(file) == 0640U);
  BOOST_TEST(std::distance(std::filesystem::directory_iterator{path}, {}) == 1);
}

BOOST_FIXTURE_TEST_CASE(what_an_earlier_attempt_left_does_not_decide_who_may_read_it, Folder) {
  const auto file = path / "device.key";
  write_file_durably(path / "device.key.new", "left over", 0666);
  write_file_durably(file, "secret", 0600);
  BOOST_TEST(mode_of(file) == 0600U);
}

BOOST_FIXTURE_TEST_CASE(an_error_names_the_file, Folder) {
  const auto names = [](const std::system_error& error) {
    return std::string{error.what()}.find("missing") != std::string::npos;
  };
  BOOST_CHECK_EXCEPTION(static_cast<void>(read_file(path / "missing")), std::system_error, names);
  BOOST_CHECK_EXCEPTION(write_file_durably(path / "missing" / "x", "", 0600), std::system_error,
                        names);
}

}  // namespace tunnel
