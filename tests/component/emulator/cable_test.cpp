#define BOOST_TEST_MODULE emulator_component
#include "component/emulator/fixture.hpp"
#include "emulator/control_socket.hpp"

#include <boost/test/unit_test.hpp>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>

#include <chrono>
#include <sched.h>
#include <thread>

using namespace std::chrono_literals;
using namespace emulator::test;
using tunnel::Clock;
using tunnel::test::eventually;

namespace {

struct OwnNamespace {
  OwnNamespace() {
    BOOST_REQUIRE_MESSAGE(::unshare(CLONE_NEWNET) == 0,
                          "cannot make a network namespace: not root?");
    run("ip link set lo up && echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6");
  }
};

}  // namespace

BOOST_TEST_GLOBAL_FIXTURE(OwnNamespace);

BOOST_FIXTURE_TEST_CASE(frames_pass_unchanged_and_in_order_both_ways, Fixture) {
  for (auto [from, to] : {std::pair{&site, &net}, std::pair{&net, &site}}) {
    for (std::uint8_t n = 0; n < 100; ++n)
      send(*from, 60u + n * 14u, n);
    const auto received = receive(*to, 100);
    BOOST_REQUIRE(received.size() == 100u);
    for (std::uint8_t n = 0; n < 100; ++n) {
      BOOST_TEST(received[n].frame->bytes == 60u + n * 14u);
      BOOST_TEST((received[n].frame->ethernet[received[n].frame->bytes - 1] == std::byte{n}));
      BOOST_TEST((received[n].frame->ethernet[20] == std::byte{0xff}));
    }
  }
}

BOOST_FIXTURE_TEST_CASE(a_delay_is_for_its_direction_and_never_shorter, Fixture) {
  set(R"({"up": {"delay_ms": 40}})");
  const auto began = Clock::now();
  for (int n = 0; n < 20; ++n)
    send(site, 100);
  const auto delayed = receive(net, 20);
  BOOST_REQUIRE(delayed.size() == 20u);
  BOOST_TEST((delayed.front().arrived - began >= 40ms));
  const auto state = set("{}");
  BOOST_TEST(state["up"]["tx_frames"] >= 20);
  BOOST_TEST(state["down"]["delay_ms"] == 0.0);
}

BOOST_FIXTURE_TEST_CASE(a_rate_spaces_frames, Fixture) {
  set(R"({"down": {"rate_bps": 10000000}})");
  const auto spread = [this]() -> std::optional<Clock::duration> {
    const auto began = Clock::now();
    for (int n = 0; n < 60; ++n)
      send(net, 1250);  // 1 ms each
    const auto spaced = receive(site, 60);
    BOOST_REQUIRE(spaced.size() == 60u);
    if (spaced.front().arrived - began > 19ms) return std::nullopt;
    return spaced.back().arrived - spaced.front().arrived;
  };
  // When the first is late the time between the two is shorter; all of them never are.
  std::optional<Clock::duration> took;
  for (int round = 0; round < 20 && !took; ++round)
    took = spread();
  BOOST_REQUIRE(took.has_value());
  BOOST_TEST((*took > 40ms));
  const auto state = set("{}");
  BOOST_TEST(state["down"]["queued_bytes_max"] > 20 * 1250);
}

BOOST_FIXTURE_TEST_CASE(a_full_queue_drops_and_counts, Fixture) {
  set(R"({"up": {"rate_bps": 10000, "queue_bytes": 12500}})");
  for (int n = 0; n < 30; ++n)
    send(site, 1250);  // 1 s each
  BOOST_TEST(receive(net, 30, 300ms).size() < 10u);
  BOOST_TEST(eventually([&] { return set("{}")["up"]["rx_frames"] == 30; }));
  BOOST_TEST(set("{}")["up"]["dropped_queue"] > 10);
}

BOOST_FIXTURE_TEST_CASE(it_becomes_a_black_hole_and_a_cable_again_while_it_runs, Fixture) {
  set(R"({"up": {"open": false}, "down": {"open": false}})");
  send(site, 100);
  send(net, 100);
  for (const auto* direction : {"up", "down"})
    BOOST_TEST(eventually([&] { return set("{}")[direction]["dropped_closed"] == 1; }));
  BOOST_TEST(receive(net, 1, 200ms).empty());
  BOOST_TEST(receive(site, 1, 50ms).empty());
  set(R"({"up": {"open": true}, "down": {"open": true}})");
  send(site, 100);
  BOOST_TEST(receive(net, 1).size() == 1u);
}

BOOST_FIXTURE_TEST_CASE(the_same_seed_loses_the_same_frames, Fixture) {
  std::vector<std::byte> first;
  for (int round = 0; round < 2; ++round) {
    set(R"({"up": {"loss_percent": 30}, "seed": 5, "reset": true})");
    for (std::uint8_t n = 0; n < 200; ++n)
      send(site, 100, n);
    const auto lost = [&] { return set("{}")["up"]["dropped_loss"].get<std::size_t>(); };
    BOOST_REQUIRE(eventually([&] { return set("{}")["up"]["rx_frames"] == 200; }));
    const auto received = receive(net, 200 - lost());
    BOOST_TEST(received.size() == 200 - lost());
    std::vector<std::byte> marks;
    for (const auto& r : received)
      marks.push_back(r.frame->ethernet[r.frame->bytes - 1]);
    if (round == 0) first = marks;
    BOOST_TEST((marks == first));
  }
  BOOST_TEST(first.size() > 100u);
  BOOST_TEST(first.size() < 180u);
}

BOOST_FIXTURE_TEST_CASE(a_frame_that_no_cable_carries_is_dropped_and_counted, Fixture) {
  run("for l in site near; do ip link set $l mtu 9000; done");
  const tunnel::UniqueFd fd{::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)};
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_ifindex = static_cast<int>(::if_nametoindex("site"));
  const std::vector<std::byte> frame(4000, std::byte{0xff});
  BOOST_TEST(::sendto(fd.get(), frame.data(), frame.size(), 0,
                      reinterpret_cast<const sockaddr*>(&address), sizeof address) == 4000);
  send(site, 100);
  BOOST_TEST(receive(net, 1).size() == 1u);
  BOOST_TEST(set("{}")["up"]["too_long"] == 1);
}

BOOST_FIXTURE_TEST_CASE(a_refused_request_changes_nothing, Fixture) {
  const Client client{control};
  for (const auto* wrong :
       {"{", R"({"up": {"rate_bps": 5000000}, "down": {"loss_percent": 200}})"}) {
    const auto answer = client.ask(wrong);
    BOOST_REQUIRE(answer.has_value());
    BOOST_TEST(answer->contains("error"));
  }
  BOOST_TEST(client.ask("{}").value()["up"]["rate_bps"] == 0);
}

BOOST_FIXTURE_TEST_CASE(a_client_too_many_is_turned_away_and_the_others_are_served, Fixture) {
  std::vector<Client> clients;
  for (std::size_t n = 0; n < emulator::ControlSocket::clients_max; ++n) {
    clients.emplace_back(control);
    BOOST_TEST(clients.back().ask("{}").has_value());
  }
  BOOST_TEST(!Client{control}.ask("{}").has_value());
  clients.pop_back();
  // The program may see the new one before it has seen the other one go.
  bool served = false;
  for (int n = 0; n < 1000 && !served; ++n)
    served = Client{control}.ask("{}").has_value();
  BOOST_TEST(served);
  BOOST_TEST(clients.front().ask("{}").has_value());
}

BOOST_FIXTURE_TEST_CASE(sigterm_ends_it_and_nothing_is_left, Fixture) {
  program.terminate();
  BOOST_TEST(program.wait() == 0);
  BOOST_TEST(!std::filesystem::exists(control));
}

BOOST_AUTO_TEST_CASE(without_its_links_it_fails_and_with_wrong_words_it_says_how) {
  BOOST_TEST((Program{{"no-such-link", "neither", "/tmp/rdv-link-none"}}.wait() == 1));
  BOOST_TEST((Program{{"near"}}.wait() == 2));
  BOOST_TEST((Program{{"--help"}}.wait() == 0));
}
