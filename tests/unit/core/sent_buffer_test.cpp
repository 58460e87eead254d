#define BOOST_TEST_MODULE sent_buffer
#include "core/sent_buffer.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <deque>
#include <random>

using namespace tunnel;
using namespace tunnel::core;
using wire::FrameType;

namespace {

constexpr std::size_t batch_bytes_max = 200'000;

struct Sender {
  SentBuffer sent{batch_bytes_max};
  std::deque<Bytes> under_way;  ///< payloads, oldest first
  std::uint64_t sent_bytes = 0, acked_bytes = 0;
  std::uint32_t number = 0;

  /// A batch of packets of this length, and a frame of our own among them.
  void send(std::size_t packets, std::size_t payload_bytes) {
    const auto batch = sent.next_batch();
    BOOST_REQUIRE(batch.size() == batch_bytes_max);
    batch.back() = std::byte{1};  // all of it is there
    std::size_t end = 0;
    const auto put = [&](FrameType type, const Bytes& payload) {
      const auto frame = wire::encode_frame(type, payload);
      std::ranges::copy(frame, batch.subspan(end).begin());
      end += frame.size();
    };
    for (std::size_t i = 0; i < packets; ++i) {
      Bytes payload(payload_bytes, static_cast<std::byte>(++number));
      put(FrameType::packet, payload);
      if (i == packets / 2) put(FrameType::alive, Bytes(8));
      sent_bytes += wire::header_bytes + payload.size();
      under_way.push_back(std::move(payload));
    }
    sent.keep_batch(end);
  }
  void acknowledge(std::size_t packets) {
    for (; packets > 0 && !under_way.empty(); --packets) {
      acked_bytes += wire::header_bytes + under_way.front().size();
      under_way.pop_front();
    }
    sent.on_ack(acked_bytes);
  }
  std::deque<Bytes> kept() const {
    std::deque<Bytes> found;
    std::uint64_t last_end = 0;
    sent.for_each_unacknowledged([&](ByteView payload, std::uint64_t end) {
      found.emplace_back(payload.begin(), payload.end());
      last_end = end;
    });
    if (!found.empty()) BOOST_REQUIRE(last_end == sent_bytes);
    return found;
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(what_is_not_acknowledged_is_kept_in_order) {
  Sender sender;
  BOOST_TEST(sender.kept().empty());
  sender.send(3, 100);
  sender.send(2, 1500);
  BOOST_CHECK(sender.kept() == sender.under_way);
  sender.acknowledge(1);
  BOOST_CHECK(sender.kept() == sender.under_way);
  sender.sent.on_ack(sender.acked_bytes + 50);  // half of a packet: not that one
  BOOST_CHECK(sender.kept() == sender.under_way);
  sender.acknowledge(4);
  BOOST_TEST(sender.kept().empty());
}

BOOST_AUTO_TEST_CASE(with_little_under_way_little_memory_is_touched) {
  Sender sender;
  std::byte* const start = sender.sent.next_batch().data();
  std::ptrdiff_t furthest = 0;
  for (int i = 0; i < 1000; ++i) {
    sender.send(2, 60'000);
    furthest = std::max(furthest, sender.sent.next_batch().data() - start);
    if (i > 0) sender.acknowledge(2);
    BOOST_REQUIRE((sender.kept() == sender.under_way));
  }
  BOOST_TEST(furthest < 1'200'000);
}

BOOST_AUTO_TEST_CASE(with_too_much_under_way_the_oldest_is_forgotten_and_256_KiB_are_kept) {
  Sender sender;
  for (int i = 0; i < 100; ++i)
    sender.send(3, 50'000);
  const auto kept = sender.kept();
  BOOST_TEST((kept.size() + 1) * 50'000 >= SentBuffer::kept_bytes_min);
  BOOST_REQUIRE(kept.size() < sender.under_way.size());
  const auto missing = static_cast<std::ptrdiff_t>(sender.under_way.size() - kept.size());
  BOOST_CHECK(std::equal(kept.begin(), kept.end(), sender.under_way.begin() + missing));
  sender.acknowledge(100);  // of what is forgotten
  BOOST_CHECK(sender.kept() == kept);
  sender.acknowledge(200);
  BOOST_TEST(sender.kept().empty());
}

BOOST_AUTO_TEST_CASE(any_order_of_sending_and_acknowledging_keeps_the_newest) {
  std::mt19937 random{20261127};
  Sender sender;
  for (int i = 0; i < 6000; ++i) {
    // Phases with little, with much and with far too much under way.
    const unsigned sends_of_8 = 3 + i / 500 % 4;
    if (random() % 8 < sends_of_8)
      sender.send(1 + random() % 3, random() % 2 == 0 ? 60'000 : random() % 2000);
    else
      sender.acknowledge(random() % 6);
    const auto kept = sender.kept();
    BOOST_REQUIRE(kept.size() <= sender.under_way.size());
    BOOST_REQUIRE(std::equal(kept.rbegin(), kept.rend(), sender.under_way.rbegin()));
    if (i % 500 == 0) sender.acknowledge(i % 1000 == 0 ? sender.under_way.size() : 0);
  }
}
