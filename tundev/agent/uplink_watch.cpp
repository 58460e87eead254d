#include "agent/uplink_watch.hpp"

#include "base/log.hpp"

#include <algorithm>
#include <utility>

namespace device {
namespace {

namespace log = tunnel::log;
using asio::ip::tcp;
using tunnel::io::error_code;

/// An answer is an answer: a machine that refuses is reached.
bool is_answer(error_code ec) {
  return !ec || ec == asio::error::connection_refused;
}

Task<bool> reaches(tcp::endpoint server, tunnel::Ipv4Address source) {
  using namespace asio::experimental::awaitable_operators;
  tcp::socket socket{co_await asio::this_coro::executor};
  error_code ec;
  socket.open(tcp::v4(), ec);
  if (!ec) socket.bind({asio::ip::address_v4{source.value}, 0}, ec);
  if (ec) co_return false;
  const auto first = co_await (socket.async_connect(server, tunnel::io::use_tuple) ||
                               sleep_for(UplinkWatch::answer_timeout));
  co_return first.index() == 0 && is_answer(std::get<0>(std::get<0>(first)));
}

}  // namespace

Task<> UplinkWatch::run() {
  while (!stopping_) {
    if (!around_) {
      co_await wakeup_.wait();
      continue;
    }
    if (!servers_told_) co_await tell_servers();
    if (!answered_.empty()) (void)co_await netd_.report_uplink(std::exchange(answered_, {}), true);
    if (const auto next = next_round(); Clock::now() < next) {
      co_await wakeup_.wait_until(next);
      continue;
    }
    co_await try_from(to_try(), 0);
    if (online_)
      co_await wakeup_.wait_until(Clock::now() + online_every);
    else
      co_await wakeup_.wait_until(Clock::now() + pause_);
    pause_ = std::min<Clock::duration>(pause_ * 2, online_every * 6);
  }
}

void UplinkWatch::stop() {
  stopping_ = true;
  wakeup_.notify();
}

Task<> UplinkWatch::prepare(std::vector<tcp::endpoint> hops) {
  for (const auto& hop : hops)
    remember(hop);
  if (!servers_told_ && around_) co_await tell_servers();
}

void UplinkWatch::remember(const tcp::endpoint& server) {
  if (!server.address().is_v4() || server.address().is_loopback()) return;
  if (std::ranges::find(servers_, server) == servers_.end()) servers_told_ = false;
  std::erase(servers_, server);
  servers_.insert(servers_.begin(), server);
  if (servers_.size() > servers_max) servers_.pop_back();
}

Task<> UplinkWatch::tell_servers() {
  servers_told_ = true;
  if (servers_.empty()) co_return;
  std::vector<std::string> texts;
  for (const auto& server : servers_)
    texts.push_back(server.address().to_string());
  if (const auto failure = co_await netd_.set_servers(std::move(texts)))
    log::warn("tundev-netd does not route to the server", {log::reason(failure->text)});
}

void UplinkWatch::on_netd(std::optional<Surroundings> around) {
  const bool is_new = !around_ || !around;
  around_ = std::move(around);
  if (is_new) servers_told_ = false;
  pause_ = offline_every;
  wakeup_.notify();
}

void UplinkWatch::on_online(const tcp::endpoint& server) {
  online_ = true;
  last_change_ = Clock::now();
  remember(server);
  if (around_) answered_ = around_->uplink;
  wakeup_.notify();
}

void UplinkWatch::on_offline() {
  if (!online_) return;
  online_ = false;
  last_change_ = Clock::now();
  pause_ = offline_every;
  wakeup_.notify();
}

/// When to try next, or never: with one way there is nothing to choose.
Clock::time_point UplinkWatch::next_round() {
  if (!has_choice() || servers_.empty() || to_try().empty()) return Clock::time_point::max();
  return online_ ? last_change_ : last_change_ + offline_patience;
}

std::vector<UplinkWatch::Candidate> UplinkWatch::to_try() const {
  std::vector<Candidate> candidates;
  if (!online_ && !around_->uplink.empty())
    candidates.push_back({around_->uplink, around_->uplink_address});
  for (const auto& other : around_->others)
    if (!online_ || other.better) candidates.push_back({other.interface, other.address});
  return candidates;
}

/// Tries `candidates` from `first` on, all at the same time.
Task<> UplinkWatch::try_from(std::vector<Candidate> candidates, std::size_t first) {
  using namespace asio::experimental::awaitable_operators;
  if (first >= candidates.size()) co_return;
  const auto mine = candidates[first];
  co_await (try_one(mine) && try_from(std::move(candidates), first + 1));
}

Task<> UplinkWatch::try_one(Candidate candidate) {
  const bool answered = co_await answers(candidate.address);
  log::debug(answered ? "the server answers by an uplink" : "the server is silent by an uplink",
             {log::link(candidate.interface)});
  (void)co_await netd_.report_uplink(std::move(candidate.interface), answered);
}

/// The newest addresses first; two are enough to tell a dead server from a dead way.
Task<bool> UplinkWatch::answers(tunnel::Ipv4Address source) const {
  constexpr std::size_t tries = 2;
  const std::vector<tcp::endpoint> servers{
      servers_.begin(), servers_.begin() + static_cast<long>(std::min(tries, servers_.size()))};
  for (const auto& server : servers) {
    const bool reached = co_await reaches(server, source);
    if (reached) co_return true;
  }
  co_return false;
}

}  // namespace device
