#define BOOST_TEST_MODULE agent_uplink
#include "agent/uplink.hpp"
#include "component/device/no_sigpipe.hpp"
#include "support/memory_tls.hpp"
#include "support/patience.hpp"

#include <boost/test/unit_test.hpp>
#include <openssl/x509_vfy.h>

#include <deque>

using namespace device;
using namespace std::chrono_literals;
namespace core = tunnel::core;
using asio::ip::tcp;
using tunnel::Bytes;
using tunnel::ByteView;

/// A device's control connection against a server that the test scripts.
namespace {

Identity identity_of(const tunnel::test::World& world) {
  const auto& made = world.onsite;
  return {.self = made.identity,
          .server = "",
          .key = crypto::Key::private_from_pem(made.key.private_pem()),
          .certificate = crypto::Certificate::from_pem(made.certificate.pem()),
          .ca = crypto::Certificate::from_pem(world.ca().pem()),
          .grant_key = crypto::Key::generate()};
}

/// A server that takes one connection after the other, and a device that keeps dialling it.
struct Pair {
  /// @param certificates_made  when the server's and the device's certificates began
  explicit Pair(tunnel::UnixSeconds certificates_made = tunnel::unix_now())
      : world{certificates_made},
        context{crypto::TlsContext::server(world.server_credentials(), world.ca())},
        acceptor{io, tcp::endpoint{asio::ip::address_v4::loopback(), 0}},
        identity{identity_of(world)},
        control{{identity.self, identity.key.hash()},
                {.is_signed = [](ByteView, ByteView) { return false; },
                 .fresh_nonce = [] { return wire::Nonce{}; }}},
        uplink{io.get_executor(),
               control,
               identity,
               Dialler{"127.0.0.1:" + std::to_string(acceptor.local_endpoint().port()), {}},
               {.actions = [this](core::ControlActions actions) { apply(actions); },
                .status_changed = [this] { statuses.push_back(uplink.status()); },
                .info = [] { return wire::Info{.hostname = "boiler"}; }}} {
    // The device's clock is to be the wrong one, not the server's.
    ::X509_STORE_set_flags(::SSL_CTX_get_cert_store(context.get()), X509_V_FLAG_NO_CHECK_TIME);
    asio::co_spawn(io, serve(), asio::detached);
    asio::co_spawn(io, uplink.run(), [this](std::exception_ptr) { ended = true; });
  }
  ~Pair() {
    uplink.stop();
    run_until([this] { return ended; });
  }

  void apply(const core::ControlActions& actions) {
    for (const auto& action : actions) {
      if (const auto* send = std::get_if<core::SendMessage>(&action)) uplink.send(send->message);
      if (const auto* online = std::get_if<core::Online>(&action))
        uplink.on_online(online->welcome);
      if (const auto* bye = std::get_if<core::ServerSaidGoodbye>(&action))
        uplink.on_goodbye(bye->goodbye);
      if (std::holds_alternative<core::DropConnection>(action)) uplink.drop("protocol");
    }
  }

  Task<> serve() {
    for (;;) {
      auto [ec, socket] = co_await acceptor.async_accept(tunnel::io::use_tuple);
      if (ec) co_return;
      peer.emplace(std::move(socket), context);
      ++connections;
      if (co_await peer->handshake()) {
        ++failed_handshakes;
        continue;
      }
      co_await talk();
      ++disconnections;
    }
  }

  /// Reads what the device says; answers Hello with Welcome when told to.
  Task<> talk() {
    wire::FrameReader reader{wire::Channel::control};
    std::array<std::byte, 4096> chunk;
    for (;;) {
      const auto got = co_await peer->read_some(chunk);
      if (!got) co_return;
      reader.feed(std::span{chunk}.first(*got));
      for (auto frame = reader.next(); frame && *frame; frame = reader.next()) {
        auto message = wire::decode_control((*frame)->type, (*frame)->payload);
        BOOST_REQUIRE(message.has_value());
        if (std::holds_alternative<wire::Hello>(*message) && welcomes) send(welcome());
        if (const auto* ping = std::get_if<wire::Ping>(&*message); ping != nullptr && answers_pings)
          send(wire::Pong{.token = ping->token});
        heard.push_back(std::move(*message));
      }
    }
  }

  wire::Welcome welcome() const {
    return {.ping_after_seconds = ping_after,
            .server_time = server_time,
            .system = identity.self.system,
            .name = identity.self.name,
            .role = identity.self.role,
            .public_address = "198.51.100.1"};
  }
  void send(const wire::ControlMessage& message) { send_bytes(wire::encode(message)); }
  void send_bytes(ByteView bytes) { (void)peer->try_write(bytes); }

  /// @param limit  of running time
  bool run_until(const std::function<bool()>& done,
                 std::chrono::milliseconds limit = tunnel::test::patience) {
    for (tunnel::test::RunningTime time; !done() && time.turn() < limit;)
      io.run_one_for(10ms);
    return done();
  }
  bool come_online() {
    return run_until([this] { return uplink.is_online(); });
  }
  template <class Message>
  bool hears(std::chrono::milliseconds limit = tunnel::test::patience) {
    return run_until(
        [this] {
          return std::ranges::any_of(
              heard, [](const auto& m) { return std::holds_alternative<Message>(m); });
        },
        limit);
  }

  asio::io_context io{1};
  tunnel::test::World world;
  crypto::TlsContext context;
  tcp::acceptor acceptor;
  std::optional<tunnel::io::TlsSocket> peer;
  Identity identity;
  core::DeviceControl control;
  Uplink uplink;
  bool welcomes = true;
  bool answers_pings = false;
  std::uint32_t ping_after = 25;
  tunnel::UnixSeconds server_time = tunnel::unix_now();
  int connections = 0, disconnections = 0, failed_handshakes = 0;
  bool ended = false;
  std::deque<wire::ControlMessage> heard;
  std::vector<std::string> statuses;
};

}  // namespace

BOOST_TEST_GLOBAL_FIXTURE(NoSigpipe);

BOOST_AUTO_TEST_CASE(a_device_says_hello_and_is_online_when_welcomed) {
  Pair pair;
  BOOST_REQUIRE(pair.come_online());
  BOOST_TEST(std::get<wire::Hello>(pair.heard.front()).info.hostname == "boiler");
  BOOST_TEST(pair.uplink.status().find("connected to 127.0.0.1") == 0u);
}

BOOST_AUTO_TEST_CASE(a_silent_server_is_asked_and_then_left) {
  Pair pair;
  pair.ping_after = 1;
  BOOST_REQUIRE(pair.come_online());
  BOOST_REQUIRE(pair.hears<wire::Ping>(10s));
  BOOST_TEST(pair.run_until([&] { return pair.disconnections == 1; }));
  BOOST_TEST(pair.run_until([&] { return pair.connections == 2; }, 10s));
}

BOOST_AUTO_TEST_CASE(a_lost_connection_is_made_again_soon) {
  Pair pair;
  BOOST_REQUIRE(pair.come_online());
  pair.peer->close();
  BOOST_TEST(pair.run_until([&] { return pair.connections >= 2 && pair.uplink.is_online(); }, 10s));
}

BOOST_AUTO_TEST_CASE(a_connection_that_a_session_waits_for_proves_itself_or_is_made_anew) {
  Pair pair;
  BOOST_REQUIRE(pair.come_online());
  pair.heard.clear();
  pair.uplink.set_impatient(true);
  BOOST_REQUIRE(pair.hears<wire::Ping>(2s));  // nobody answers it
  const auto asked = Clock::now();
  BOOST_REQUIRE(pair.run_until([&] { return pair.connections >= 2 && pair.uplink.is_online(); },
                               wire::impatient_pong_timeout + 4s));
  BOOST_TEST((Clock::now() - asked >= wire::impatient_pong_timeout - 100ms));
}

BOOST_AUTO_TEST_CASE(a_connection_that_answers_is_kept_and_asked_again) {
  Pair pair;
  BOOST_REQUIRE(pair.come_online());
  pair.answers_pings = true;
  pair.uplink.set_impatient(true);
  const auto pings = [&] {
    return std::ranges::count_if(
        pair.heard, [](const auto& m) { return std::holds_alternative<wire::Ping>(m); });
  };
  BOOST_TEST(pair.run_until([&] { return pings() >= 3; }, 15s));
  BOOST_TEST(pair.connections == 1);
  pair.uplink.set_impatient(false);
  pair.run_until([] { return false; }, 100ms);
  const auto so_far = pings();
  BOOST_TEST(
      !pair.run_until([&] { return pings() > so_far; }, ControlLink::impatient_ping_after + 1s));
}

BOOST_AUTO_TEST_CASE(a_changed_network_asks_the_connection_that_still_leaves_by_its_address) {
  Pair pair;
  BOOST_REQUIRE(pair.come_online());
  pair.answers_pings = true;
  pair.heard.clear();
  BOOST_TEST(pair.uplink.source_address()->is_loopback());
  pair.uplink.on_network_changed();
  BOOST_TEST(pair.hears<wire::Ping>(2s));
  BOOST_TEST(
      !pair.run_until([&] { return pair.connections > 1; }, wire::impatient_pong_timeout + 500ms));
}

BOOST_AUTO_TEST_CASE(a_revoked_device_says_so_and_does_not_come_back_at_once) {
  Pair pair;
  BOOST_REQUIRE(pair.come_online());
  pair.send(wire::Goodbye{.code = wire::GoodbyeCode::revoked, .text = "this device was revoked"});
  BOOST_REQUIRE(pair.run_until([&] { return pair.disconnections == 1; }));
  BOOST_TEST(!pair.run_until([&] { return pair.connections > 1; }, 2s));
  BOOST_TEST(pair.uplink.status().find("this device was revoked") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_stop_sends_what_is_queued_and_ends) {
  Pair pair;
  BOOST_REQUIRE(pair.come_online());
  pair.uplink.send(wire::Close{.session = 5});
  pair.uplink.stop();
  BOOST_TEST(pair.hears<wire::Close>());
  BOOST_TEST(pair.run_until([&] { return pair.ended; }));
}

BOOST_AUTO_TEST_CASE(a_server_of_another_authority_is_never_spoken_to) {
  Pair pair;
  const tunnel::test::World other;
  pair.context = crypto::TlsContext::server(other.server_credentials(), other.ca());
  BOOST_TEST(pair.run_until([&] { return pair.failed_handshakes > 0; }));
  BOOST_TEST(!pair.uplink.is_online());
  BOOST_TEST(pair.heard.empty());
  BOOST_TEST(pair.run_until(
      [&] { return pair.uplink.status().find("another RDV server") != std::string::npos; }));
}

BOOST_AUTO_TEST_CASE(a_device_with_a_clock_of_1970_comes_online_by_the_servers_time) {
  const auto in_20_years = tunnel::unix_now() + 20 * 365 * tunnel::test::day;
  Pair pair{in_20_years};  // for those certificates our clock is twenty years behind
  pair.server_time = in_20_years + 3600;
  BOOST_REQUIRE(pair.come_online());
  BOOST_TEST(!pair.uplink.clock_is_good());
  BOOST_TEST((pair.uplink.clock_offset() > std::chrono::hours{24 * 365 * 19}));
}

BOOST_AUTO_TEST_CASE(a_device_with_a_clock_far_ahead_comes_online_too) {
  const auto past = tunnel::unix_now() - 15 * 365 * tunnel::test::day;
  Pair pair{past};  // by our clock the server's certificate ended years ago
  pair.server_time = past + 3600;
  BOOST_REQUIRE(pair.come_online());
  BOOST_TEST(!pair.uplink.clock_is_good());
}

BOOST_AUTO_TEST_CASE(an_expired_server_does_not_pass_as_a_wrong_clock) {
  const auto past = tunnel::unix_now() - 15 * 365 * tunnel::test::day;
  Pair pair{past};
  pair.server_time = tunnel::unix_now();  // it admits that its own certificate is over
  BOOST_TEST(pair.run_until([&] { return pair.disconnections > 0; }));
  BOOST_TEST(!pair.uplink.is_online());
}

BOOST_AUTO_TEST_CASE(every_frame_type_and_length_is_taken_ignored_or_drops_the_connection) {
  for (const bool welcomes : {false, true}) {
    for (const unsigned type :
         {0x00U, 0x01U, 0x02U, 0x03U, 0x04U, 0x07U, 0x09U, 0x0aU, 0x0bU, 0x0eU,
          0x0fU, 0x10U, 0x12U, 0x13U, 0x14U, 0x21U, 0x31U, 0x41U, 0x80U, 0xffU}) {
      for (const std::size_t length : {0U, 3U, 64U * 1024U, 64U * 1024U + 1U, 0xffffffU}) {
        Pair pair;
        pair.welcomes = welcomes;
        if (welcomes)
          BOOST_REQUIRE(pair.come_online());
        else
          BOOST_REQUIRE(pair.hears<wire::Hello>());
        Bytes frame(wire::header_bytes + std::min<std::size_t>(length, 64 * 1024), std::byte{0x08});
        wire::encode_header(std::span{frame}.first<wire::header_bytes>(),
                            static_cast<wire::FrameType>(type), length);
        asio::co_spawn(pair.io, pair.peer->write(frame), asio::detached);
        pair.heard.clear();
        const auto still_talks = [&] {
          return std::ranges::any_of(pair.heard, [](const auto& message) {
            const auto* pong = std::get_if<wire::Pong>(&message);
            return pong != nullptr && pong->token == 99;
          });
        };
        pair.run_until([] { return false; }, 20ms);
        if (pair.disconnections == 0) pair.send(wire::Ping{.token = 99});
        // Before Welcome a Ping drops the connection by itself: either way the device made up its
        // mind.
        BOOST_TEST(pair.run_until([&] { return still_talks() || pair.disconnections > 0; }),
                   "type " << type << ", length " << length);
      }
    }
  }
}
