// The parts of a packet's way through an agent, one by one: frame headers, the check of what comes,
// the queues, the window, and TLS. `--benchmark_filter=NAME` runs one; under callgrind a part's
// instructions can be counted where the machine is too busy for times (bench/micro/instructions).
#include "core/ack_clock.hpp"
#include "core/flow_queue.hpp"
#include "core/send_window.hpp"
#include "support/memory_tls.hpp"
#include "wire/frame.hpp"
#include "wire/packet.hpp"

#include <benchmark/benchmark.h>
#include <openssl/bio.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace tunnel;
using Time = Clock::time_point;

constexpr std::size_t record_bytes = 16 * 1024;
constexpr std::uint8_t udp = 17;

/// A UDP packet with its virtio_net_hdr; `port` makes the flow.
Bytes make_packet(std::size_t bytes, std::uint8_t port = 1) {
  Bytes packet(wire::vnet_header_bytes + bytes);
  const auto ip = std::span{packet}.subspan(wire::vnet_header_bytes);
  ip[0] = std::byte{0x45};
  ip[2] = static_cast<std::byte>(bytes >> 8U);
  ip[3] = static_cast<std::byte>(bytes & 0xffU);
  ip[9] = std::byte{udp};
  ip[12] = ip[16] = std::byte{10};
  ip[21] = std::byte{port};
  return packet;
}

void set_speed(benchmark::State& state, std::size_t bytes) {
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * bytes));
}

void check_packet(benchmark::State& state) {
  const auto packet = make_packet(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state)
    benchmark::DoNotOptimize(wire::check_packet(packet));
}

void frame_header(benchmark::State& state) {
  std::array<std::byte, wire::header_bytes> header{};
  for (auto _ : state) {
    wire::encode_header(header, wire::FrameType::packet, 1510);
    benchmark::DoNotOptimize(wire::decode_header(wire::Channel::end_to_end, header));
  }
}

/// In and out again, with as many flows as the argument says; 1500 bytes each.
void flow_queue(benchmark::State& state) {
  core::FlowQueue queue{1};
  const auto flows = static_cast<std::size_t>(state.range(0));
  std::vector<Bytes> packets;
  for (std::size_t i = 0; i < flows; ++i)
    packets.push_back(make_packet(1500, static_cast<std::uint8_t>(i)));
  Bytes out(wire::packet_payload_bytes_max);
  Time now{std::chrono::hours{1}};
  const auto push = [&](const Bytes& packet) {
    std::copy(packet.begin(), packet.end(), queue.space()[0].begin());
    queue.push(packet.size(), now);
  };
  for (std::size_t i = 0; i < 2 * flows; ++i)
    push(packets[i % flows]);
  std::size_t next = 0;
  for (auto _ : state) {
    push(packets[next++ % flows]);
    benchmark::DoNotOptimize(queue.pop(out, now));
    now += std::chrono::microseconds{1};
  }
  set_speed(state, 1500);
}

/// A batch of 128 KiB sent and acknowledged, as at full speed.
void send_window(benchmark::State& state) {
  core::SendWindow window;
  Time now{std::chrono::hours{1}};
  std::uint64_t sent = 0;
  for (auto _ : state) {
    window.on_sent(131'072, now);
    sent += 131'072;
    now += std::chrono::microseconds{300};
    benchmark::DoNotOptimize(window.on_ack({sent, {}}, now));
  }
}

/// One record sealed at one end and opened at the other.
void seal_and_open(benchmark::State& state) {
  const test::World world;
  const auto client = crypto::TlsContext::end_to_end(
      world.master.credentials(), world.ca(), world.onsite.identity, world.onsite.key.hash());
  const auto server = crypto::TlsContext::end_to_end(
      world.onsite.credentials(), world.ca(), world.master.identity, world.master.key.hash());
  test::TlsPair pair{client, server};
  if (!pair.handshake()) return state.SkipWithError("no handshake");
  SSL* from = pair.client.ssl();
  SSL* to = pair.server.ssl();
  Bytes record(static_cast<std::size_t>(state.range(0)), std::byte{0x41});
  Bytes wire(2 * record_bytes);
  Bytes out(record_bytes);
  for (auto _ : state) {
    std::size_t moved = 0;
    if (::SSL_write_ex(from, record.data(), record.size(), &moved) != 1)
      return state.SkipWithError("not sealed");
    const int bytes = ::BIO_read(::SSL_get_wbio(from), wire.data(), static_cast<int>(wire.size()));
    ::BIO_write(::SSL_get_rbio(to), wire.data(), bytes);
    if (::SSL_read_ex(to, out.data(), out.size(), &moved) != 1)
      return state.SkipWithError("not opened");
  }
  set_speed(state, record.size());
}

}  // namespace

/// @param argv  "--iterations=N": exactly so many of each, for counting instructions; the rest is
/// Google Benchmark's
int main(int argc, char** argv) {
  constexpr std::string_view option = "--iterations=";
  benchmark::IterationCount iterations = 0;
  if (argc > 1 && std::string_view{argv[1]}.starts_with(option)) {
    iterations = std::atoll(argv[1] + option.size());
    std::swap(argv[0], argv[1]);
    ++argv;
    --argc;
  }
  struct Part {
    const char* name;
    void (*run)(benchmark::State&);
    std::vector<std::int64_t> arguments;
  };
  const std::vector<Part> parts{
      {"check_packet", check_packet, {64, 1500}},
      {"frame_header", frame_header, {0}},
      {"flow_queue", flow_queue, {1, 8, 100}},
      {"send_window", send_window, {0}},
      {"seal_and_open", seal_and_open, {1514, record_bytes}},
  };
  for (const auto& part : parts) {
    auto* registered = benchmark::RegisterBenchmark(part.name, part.run);
    for (const auto argument : part.arguments)
      registered->Arg(argument);
    if (iterations > 0) registered->Iterations(iterations);
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
}
