#include "agent/lookup.hpp"

#include "agent/wakeup.hpp"
#include "base/unique_fd.hpp"

#include <arpa/nameser.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <netdb.h>
#include <resolv.h>
#include <system_error>
#include <thread>
#include <utility>

namespace device {
namespace {

using Addresses = std::variant<std::vector<tcp::endpoint>, LookupFailure>;
using Records = std::optional<std::vector<SrvRecord>>;

constexpr std::size_t srv_records_max = 16;
constexpr std::size_t addresses_max = 16;
constexpr std::size_t answer_bytes_max = 4096;
constexpr int srv_fixed_bytes = 6;  // priority, weight, port (RFC 2782)

std::atomic<int> running = 0;

/// One question on its way. Owned by the thread that asks, which may hang for minutes, and by the
/// coroutine that waits.
template <class Answer>
struct Question {
  tunnel::UniqueFd answered{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::mutex mutex;
  std::optional<Answer> answer;
};

template <class Answer>
void ask(const std::shared_ptr<Question<Answer>>& question, const std::function<Answer()>& work) {
  auto answer = work();
  {
    const std::lock_guard lock{question->mutex};
    question->answer = std::move(answer);
  }
  ::eventfd_write(question->answered.get(), 1);
  --running;
}

Task<> readable(asio::posix::stream_descriptor& fd) {
  co_await fd.async_wait(asio::posix::stream_descriptor::wait_read, tunnel::io::use_tuple);
}

/// @return nothing when there was no answer until `deadline`
template <class Answer>
Task<std::optional<Answer>> in_a_thread(std::function<Answer()> work,
                                        tunnel::Clock::time_point deadline) {
  using namespace asio::experimental::awaitable_operators;
  if (running.load() >= lookups_max) co_return std::nullopt;
  const auto question = std::make_shared<Question<Answer>>();
  if (!question->answered) co_return std::nullopt;
  ++running;
  try {
    std::thread{ask<Answer>, question, std::move(work)}.detach();
  } catch (const std::system_error&) {  // no thread to be had now
    --running;
    co_return std::nullopt;
  }
  asio::posix::stream_descriptor fd{co_await asio::this_coro::executor,
                                    ::dup(question->answered.get())};
  co_await (readable(fd) || sleep_for(deadline - tunnel::Clock::now()));
  const std::lock_guard lock{question->mutex};
  co_return std::move(question->answer);
}

tcp::endpoint endpoint_of(const addrinfo& found) {
  tcp::endpoint endpoint;
  std::memcpy(endpoint.data(), found.ai_addr,
              std::min<std::size_t>(found.ai_addrlen, endpoint.capacity()));
  endpoint.resize(found.ai_addrlen);
  return endpoint;
}

Addresses addresses_of(const HostPort& server) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(server.host.c_str(), server.port.c_str(), &hints, &found);
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner{found, &::freeaddrinfo};
  if (error != 0)
    return LookupFailure{std::string{"its name cannot be resolved: "} + ::gai_strerror(error)};
  std::vector<tcp::endpoint> endpoints;
  for (; found != nullptr && endpoints.size() < addresses_max; found = found->ai_next)
    if (found->ai_family == AF_INET || found->ai_family == AF_INET6)
      endpoints.push_back(endpoint_of(*found));
  if (endpoints.empty()) return LookupFailure{"its name has no address"};
  return endpoints;
}

std::vector<SrvRecord> parse_records(const unsigned char* answer, int length) {
  std::vector<SrvRecord> records;
  ns_msg message;
  if (::ns_initparse(answer, length, &message) != 0) return records;
  for (int i = 0; i < ns_msg_count(message, ns_s_an) && records.size() < srv_records_max; ++i) {
    ns_rr record;
    if (::ns_parserr(&message, ns_s_an, i, &record) != 0) break;
    if (ns_rr_type(record) != ns_t_srv || ns_rr_rdlen(record) <= srv_fixed_bytes) continue;
    const auto* data = ns_rr_rdata(record);
    std::array<char, NS_MAXDNAME> target{};
    if (::ns_name_uncompress(ns_msg_base(message), ns_msg_end(message), data + srv_fixed_bytes,
                             target.data(), target.size()) < 0)
      continue;
    const auto number = [&](int at) { return static_cast<std::uint16_t>(ns_get16(data + at)); };
    // The root as the target, which libc writes as ".", says that there is no such service.
    std::string name{target.data()};
    records.push_back({number(0), number(2), number(4), name == "." ? "" : std::move(name)});
  }
  return records;
}

Records records_of(const std::string& name) {
  struct __res_state state {};
  if (::res_ninit(&state) != 0) return std::nullopt;
  std::array<unsigned char, answer_bytes_max> answer;
  const int length =
      ::res_nquery(&state, name.c_str(), ns_c_in, ns_t_srv, answer.data(), answer.size());
  const int error = state.res_h_errno;
  ::res_nclose(&state);
  if (length < 0) {
    const bool none = error == HOST_NOT_FOUND || error == NO_DATA;
    return none ? Records{std::in_place} : std::nullopt;
  }
  return parse_records(answer.data(), std::min<int>(length, answer_bytes_max));
}

}  // namespace

Task<Addresses> look_up(HostPort server, tunnel::Clock::time_point deadline) {
  tunnel::io::error_code ec;
  const auto address = asio::ip::make_address(server.host, ec);
  if (!ec)
    co_return std::vector{
        tcp::endpoint{address, static_cast<std::uint16_t>(std::stoul(server.port))}};
  const std::function<Addresses()> work = [server] { return addresses_of(server); };
  auto answer = co_await in_a_thread<Addresses>(work, deadline);
  if (answer) co_return std::move(*answer);
  co_return LookupFailure{"its name cannot be resolved: no name server answers"};
}

Task<Records> look_up_srv(std::string name, tunnel::Clock::time_point deadline) {
  const std::function<Records()> work = [name] { return records_of(name); };
  auto answer = co_await in_a_thread<Records>(work, deadline);
  if (answer) co_return std::move(*answer);
  co_return std::nullopt;
}

}  // namespace device
