#include "netd/extremity_policy.hpp"
#include "netd/sysfs.hpp"
#include "support/temporary_folder.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace {

namespace fs = std::filesystem;
using device::ExtremityPolicy;
using device::LinkFacts;

/// A tree of tests/unit/device/sysfs (README.md there) as a folder.
class Tree {
 public:
  explicit Tree(const std::string& board) {
    std::ifstream in{fs::path{RDV_SYSFS_TREES} / (board + ".txt")};
    BOOST_REQUIRE(in.is_open());
    for (std::string path, kind, value; in >> path >> kind && std::getline(in >> std::ws, value);)
      add(root_ / path, kind, value);
  }

  /// Why this link is not the laptop's port, "" when it is.
  std::string why_not(const std::string& link) const {
    const auto place = device::place_of(link, root_.path());
    const LinkFacts facts{.index = 2,
                          .name = link,
                          .kind = {},
                          .ethernet = true,
                          .usb = place.usb,
                          .on_board = place.on_board,
                          .carrier = true};
    return std::string{ExtremityPolicy{{}}.why_not(facts).reason};
  }

 private:
  static void add(const fs::path& path, const std::string& kind, const std::string& value) {
    fs::create_directories(path.parent_path());
    if (kind == "->")
      fs::create_symlink(value, path);
    else
      std::ofstream{path} << value << '\n';
  }

  tunnel::test::TemporaryFolder root_;
};

constexpr auto own_port = "it is the board's own port";

BOOST_AUTO_TEST_SUITE(sysfs_of_boards)

BOOST_AUTO_TEST_CASE(the_boards_own_port_is_known_also_when_it_is_usb) {
  for (const char* board : {"pi3b", "pi3bplus", "pi4b", "pi5"})
    BOOST_TEST(Tree{board}.why_not("eth0") == own_port, board);
  BOOST_TEST(Tree{"pi3b-plain-tree"}.why_not("eth1") == own_port);
}

BOOST_AUTO_TEST_CASE(a_usb_adapter_is_the_laptops_port_whatever_its_name) {
  BOOST_TEST(Tree{"pi3b"}.why_not("usb0") == "");
  BOOST_TEST(Tree{"pi3b-plain-tree"}.why_not("eth0") == "", "it came before the own port");
  for (const char* board : {"pi3bplus", "pi4b", "pi5"})
    BOOST_TEST(Tree{board}.why_not("eth1") == "", board);
}

BOOST_AUTO_TEST_CASE(without_a_port_of_its_own_a_boards_only_adapter_is_the_laptops) {
  BOOST_TEST(Tree{"zero2w"}.why_not("eth0") == "");
  BOOST_TEST(Tree{"zero2w-hub"}.why_not("eth0") == "",
             "the Pi 3's chip at its place is no board's");
}

BOOST_AUTO_TEST_CASE(what_is_virtual_has_no_place) {
  const auto place = device::place_of("lo");
  BOOST_TEST(!place.usb);
  BOOST_TEST(!place.on_board);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
