#define BOOST_TEST_MODULE emulator_request
#include "emulator/request.hpp"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include <stdexcept>

using namespace std::chrono_literals;
using namespace emulator;

namespace {

Request parsed(std::string_view text) {
  return parse_request(text, {}, {});
}

}  // namespace

BOOST_AUTO_TEST_CASE(what_a_request_names_is_changed_and_the_rest_stays) {
  const Settings up{.rate_bps = 5'000'000, .delay = 3ms, .open = false};
  const auto request = parse_request(R"({"up": {"delay_ms": 0.25, "loss_percent": 1.5}})", up, {});
  BOOST_TEST(request.up.rate_bps == 5'000'000u);
  BOOST_TEST((request.up.delay == 250us));
  BOOST_TEST(request.up.loss_percent == 1.5);
  BOOST_TEST(!request.up.open);
  BOOST_TEST(request.down.rate_bps == 0u);
  BOOST_TEST(request.down.queue_bytes == queue_bytes_default);
  BOOST_TEST(!request.seed);
  BOOST_TEST(!request.reset);
}

BOOST_AUTO_TEST_CASE(all_settings_are_understood) {
  const auto request = parsed(
      R"({"down": {"rate_bps": 1e6, "delay_ms": 75, "queue_bytes": 2000000, "open": false}, "seed": 9, "reset": true})");
  BOOST_TEST(request.down.rate_bps == 1'000'000u);
  BOOST_TEST((request.down.delay == 75ms));
  BOOST_TEST(request.down.queue_bytes == 2'000'000u);
  BOOST_TEST(!request.down.open);
  BOOST_TEST(request.seed.value() == 9u);
  BOOST_TEST(request.reset);
}

BOOST_AUTO_TEST_CASE(what_makes_no_sense_is_refused) {
  for (const auto* text : {
           "",
           "{",
           "[]",
           "7",
           R"({"sideways": {}})",
           R"({"up": 3})",
           R"({"up": {"speed": 3}})",
           R"({"up": {"rate_bps": "fast"}})",
           R"({"up": {"rate_bps": -1}})",
           R"({"up": {"rate_bps": 999}})",
           R"({"up": {"rate_bps": 1e12}})",
           R"({"up": {"delay_ms": -1}})",
           R"({"up": {"delay_ms": 10001}})",
           R"({"up": {"loss_percent": 101}})",
           R"({"up": {"loss_percent": null}})",
           R"({"up": {"queue_bytes": 100}})",
           R"({"up": {"queue_bytes": 1e9}})",
           R"({"up": {"open": 1}})",
           R"({"seed": -1})",
           R"({"seed": "x"})",
           R"({"reset": 1})",
       })
    BOOST_CHECK_THROW(parsed(text), std::invalid_argument);
}

BOOST_AUTO_TEST_CASE(an_answer_has_settings_counters_and_lateness) {
  Direction up{1}, down{2};
  up.set({.rate_bps = 10'000'000, .delay = 20ms}, Clock::time_point{});
  down.arrive(std::make_unique<Frame>(), Clock::time_point{});
  EdgeCounters edge{.not_read = 3};
  edge.lateness.add(42us);
  const auto answer = nlohmann::json::parse(format_answer({up, edge}, {down, {}}));
  BOOST_TEST(answer["up"]["rate_bps"] == 10'000'000);
  BOOST_TEST(answer["up"]["delay_ms"] == 20.0);
  BOOST_TEST(answer["up"]["not_read"] == 3);
  BOOST_TEST(answer["up"]["late_us_max"] == 42.0);
  BOOST_TEST(answer["down"]["rx_frames"] == 1);
  BOOST_TEST(answer["down"]["open"] == true);
}

BOOST_AUTO_TEST_CASE(a_refusal_is_an_answer_too) {
  const auto answer = nlohmann::json::parse(format_error("no \"such\" \xff thing"));
  BOOST_TEST(answer["error"].get<std::string>().starts_with("no \"such\""));
}
