#include "netd/dnsmasq.hpp"

#include "base/log.hpp"

#include <algorithm>
#include <fcntl.h>
#include <signal.h>
#include <system_error>
#include <unistd.h>

namespace device {

namespace log = tunnel::log;
using tunnel::Clock;
using tunnel::io::error_code;

namespace {

constexpr std::chrono::milliseconds ready_poll{20};
constexpr std::chrono::seconds settled{
    1};  ///< from its pid file to its main loop, on a slow machine

/// Replaces the file as a whole: nobody reads half of it.
void write_file(const std::filesystem::path& path, const std::string& text) {
  const auto fresh = path.string() + ".new";
  const auto fail = [&] {
    throw std::system_error{errno, std::generic_category(), "write " + path.string()};
  };
  const tunnel::UniqueFd file{
      ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644)};
  if (!file) fail();
  if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) fail();
  if (::rename(fresh.c_str(), path.c_str()) != 0) fail();
}

}  // namespace

Dnsmasq::Dnsmasq(tunnel::io::asio::io_context& io, Spec spec, std::function<void()> on_ready)
    : io_{io},
      spec_{std::move(spec)},
      paths_{DnsmasqPaths::in(spec_.runtime_dir)},
      on_ready_{std::move(on_ready)},
      end_{io},
      restart_{io},
      ready_{io},
      alive_{std::make_shared<bool>(true)} {
  std::filesystem::create_directories(spec_.runtime_dir);
  write_file(paths_.config, dnsmasq_config(spec_.port, spec_.address, spec_.hostname, paths_));
  write_file(paths_.servers, "");
  start();
}

Dnsmasq::~Dnsmasq() {
  *alive_ = false;
  child_.reset();
  std::error_code ec;
  for (const auto& path : {paths_.config, paths_.servers, paths_.pid})
    std::filesystem::remove(path, ec);
}

void Dnsmasq::ask(const std::vector<tunnel::Ipv4Address>& servers, const std::string& tunnel) {
  write_file(paths_.servers, dnsmasq_servers(servers, tunnel));
  if (child_ && answering_) child_->signal(SIGHUP);
  asked_early_ = !answering_;
}

void Dnsmasq::start() {
  std::error_code ignored;
  std::filesystem::remove(paths_.pid, ignored);
  started_ = Clock::now();
  try {
    child_.emplace(std::vector<std::string>{"dnsmasq", "--keep-in-foreground",
                                            "--conf-file=" + paths_.config.string()});
  } catch (const std::system_error& error) {
    log::error("cannot start dnsmasq", {log::reason(error.what())});
    return restart_later();
  }
  log::info("dnsmasq started", {log::link(spec_.port), log::pid(child_->pid())});
  watch_end();
  watch_ready(ready_poll);
}

void Dnsmasq::watch_end() {
  const int copy = ::fcntl(child_->pidfd(), F_DUPFD_CLOEXEC, 3);
  if (copy < 0) throw std::system_error{errno, std::generic_category(), "watch dnsmasq"};
  end_.assign(copy);
  end_.async_wait(end_.wait_read, [this, alive = alive_](error_code ec) {
    if (!ec && *alive) ended();
  });
}

void Dnsmasq::watch_ready(std::chrono::milliseconds delay) {
  ready_.expires_after(delay);
  ready_.async_wait([this, alive = alive_](error_code ec) {
    if (!ec && *alive && child_) look_ready();
  });
}

void Dnsmasq::look_ready() {
  // dnsmasq writes it when its sockets are open, and soon after that listens to SIGHUP; before,
  // SIGHUP is lost, or kills it. So servers set while it started are told it twice.
  std::error_code ignored;
  if (!answering_ && !std::filesystem::exists(paths_.pid, ignored)) return watch_ready(ready_poll);
  if (asked_early_) {
    child_->signal(SIGHUP);
    if (answering_)
      asked_early_ = false;
    else
      watch_ready(settled);
  }
  answering_ = true;
  if (on_ready_) std::exchange(on_ready_, nullptr)();
}

void Dnsmasq::ended() {
  end_.close();
  answering_ = false;
  const auto how = child_->reap();
  child_.reset();
  log::error("dnsmasq ended by itself; it is started again",
             {log::link(spec_.port), log::reason(how)});
  if (Clock::now() - started_ > healthy_after) delay_ = first_delay;
  restart_later();
}

void Dnsmasq::restart_later() {
  restart_.expires_after(delay_);
  delay_ = std::min<std::chrono::milliseconds>(delay_ * 2, last_delay);
  restart_.async_wait([this, alive = alive_](error_code ec) {
    if (!ec && *alive) start();
  });
}

}  // namespace device
