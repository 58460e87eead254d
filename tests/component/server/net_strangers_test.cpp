#define BOOST_TEST_MODULE net_strangers
#include "net_fixture.hpp"

#include <boost/test/unit_test.hpp>
#include <netinet/in.h>
#include <sys/resource.h>

#include <ctime>
#include <poll.h>

// Whoever comes to port 443 and is none of ours, or not any more.

using namespace support;
using namespace std::chrono_literals;
using wire::Role;

namespace {

constexpr auto soon_after_hello_timeout = wire::client_hello_timeout + 3s;
static_assert(soon_after_hello_timeout < wire::authenticated_timeout);  // the next, if it came late

/// A ClientHello of ours, as it goes out.
Bytes client_hello(const Device& device) {
  const auto context =
      crypto::TlsContext::device(device.credentials(), device.ca, wire::alpn_control);
  auto ssl = context.new_ssl();
  ::SSL_set_bio(ssl.get(), ::BIO_new(::BIO_s_mem()), ::BIO_new(::BIO_s_mem()));
  ::SSL_do_handshake(ssl.get());
  Bytes bytes(::BIO_ctrl_pending(::SSL_get_wbio(ssl.get())));
  ::BIO_read(::SSL_get_wbio(ssl.get()), bytes.data(), static_cast<int>(bytes.size()));
  return bytes;
}

/// Running time until the server closes a connection to which `bytes` are sent one by one, `pause`
/// between them; rounded up to a pause.
std::chrono::milliseconds time_until_cut(std::uint16_t port, ByteView bytes,
                                         std::chrono::milliseconds pause) {
  Tcp tcp{port};
  std::chrono::milliseconds time{0};
  for (std::size_t i = 0; time < 20s; ++i, time += pause) {
    if (i < bytes.size()) try {
        tcp.send(bytes.subspan(i, 1));
      } catch (const PeerError&) {
        break;
      }
    if (tcp.is_closed_within(pause)) return time + pause;
  }
  return time;
}

bool is_cut_off(std::uint16_t port, std::string_view text) {
  Tcp tcp{port};
  try {
    tcp.send(tunnel::as_bytes(text));
  } catch (const PeerError&) {
    return true;
  }
  return tcp.is_closed_within(at_once);
}

Device made_by(const crypto::Authority& authority, Role role, const std::string& name) {
  auto key = crypto::Key::generate();
  const wire::Identity identity{*wire::Name::parse("default"), role, *wire::Name::parse(name)};
  auto certificate = authority.issue_device(key, identity, tunnel::unix_now(), 3600);
  return {identity, std::move(key), std::move(certificate),
          crypto::Certificate::from_pem(authority.certificate().pem())};
}

/// Connects with TLS and says Hello; the Goodbye that comes instead of Welcome.
wire::Goodbye goodbye_for(std::uint16_t port, const Device& device) {
  FramePeer peer{port,
                 crypto::TlsContext::device(device.credentials(), device.ca, wire::alpn_control),
                 wire::Channel::control};
  peer.send(wire::Hello{});
  return peer.expect<wire::Goodbye>();
}

struct Served : ServerFixture {
  ~Served() { BOOST_CHECK_NO_THROW(serves_a_good_client()); }  // whatever came before
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_client_hello_at_a_byte_a_second_is_cut_by_the_absolute_deadline, Served) {
  const auto device = new_device("slow", Role::onsite);
  BOOST_TEST((time_until_cut(port(), client_hello(device), 1s) < soon_after_hello_timeout));
}

BOOST_FIXTURE_TEST_CASE(a_client_hello_in_small_records_is_cut_by_the_same_deadline, Served) {
  const auto device = new_device("slow", Role::onsite);
  const auto whole = client_hello(device);
  Bytes small;  // the handshake message without its record header, one byte a record
  for (const auto byte : ByteView{whole}.subspan(5))
    for (const auto b :
         {std::byte{22}, std::byte{3}, std::byte{1}, std::byte{0}, std::byte{1}, byte})
      small.push_back(b);
  BOOST_TEST((time_until_cut(port(), small, 100ms) < soon_after_hello_timeout));
}

BOOST_FIXTURE_TEST_CASE(who_says_nothing_is_cut, Served) {
  BOOST_TEST((time_until_cut(port(), {}, 500ms) < soon_after_hello_timeout));
  const auto device = new_device("mute", Role::onsite);
  FramePeer peer{port(),
                 crypto::TlsContext::device(device.credentials(), device.ca, wire::alpn_control),
                 wire::Channel::control};
  BOOST_TEST(peer.tls().tcp().is_closed_within(wire::authenticated_timeout + 2s));
}

BOOST_FIXTURE_TEST_CASE(http_and_garbage_end_quickly, Served) {
  BOOST_TEST(is_cut_off(port(), "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"));
  BOOST_TEST(is_cut_off(port(), "SSH-2.0-OpenSSH_9.2\r\n"));
  BOOST_TEST(is_cut_off(port(), std::string(4096, '\0')));
  std::mt19937 random{1};
  for (int i = 0; i < 50; ++i) {
    std::string bytes(1 + random() % 5000, ' ');
    for (auto& byte : bytes)
      byte = static_cast<char>(random());
    // A byte that could begin a record may make the server wait for the rest, until the deadline.
    if (bytes[0] == 0x16) continue;
    bytes.resize(std::max<std::size_t>(bytes.size(), 16));
    BOOST_TEST(is_cut_off(port(), bytes));
  }
}

BOOST_FIXTURE_TEST_CASE(a_flood_of_half_open_connections_keeps_nobody_out, Served) {
  std::vector<std::unique_ptr<Tcp>> flood;
  for (int address = 2; address < 12; ++address)
    for (int i = 0; i < 30; ++i)
      flood.push_back(
          std::make_unique<Tcp>(port(), ("127.0.0." + std::to_string(address)).c_str()));
  const auto device = new_device("honest", Role::onsite);  // from 127.0.0.1, beside the flood
  BOOST_CHECK_NO_THROW((ControlPeer{port(), device}));
  std::size_t closed = 0;
  for (auto& tcp : flood)
    closed += tcp->is_closed_within(1ms) ? 1 : 0;
  BOOST_TEST(closed >= 10U * (30 - 16));  // at most 16 from one address
}

#if !defined(__SANITIZE_ADDRESS__)  // UBSan looks at memory by a pipe, and finds none then
BOOST_FIXTURE_TEST_CASE(without_descriptors_it_waits_and_does_not_spin, Served) {
  serves_a_good_client();  // what it needs is open now
  std::vector<tunnel::UniqueFd> strangers;
  for (int i = 0; i < 8; ++i)
    strangers.emplace_back(::socket(AF_INET, SOCK_STREAM, 0));
  rlimit limit{}, none{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  none = limit;
  none.rlim_cur = static_cast<rlim_t>(strangers.front().get());  // every lower number is taken
  ::setrlimit(RLIMIT_NOFILE, &none);
  sockaddr_in server{
      .sin_family = AF_INET, .sin_port = htons(port()), .sin_addr = {}, .sin_zero = {}};
  server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (const auto& stranger : strangers)
    ::connect(stranger.get(), reinterpret_cast<const sockaddr*>(&server), sizeof server);
  const auto before = std::clock();
  std::this_thread::sleep_for(1s);
  const auto spent = static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  BOOST_TEST(spent < 0.3);
  BOOST_CHECK_NO_THROW(serves_a_good_client());
}
#endif

BOOST_FIXTURE_TEST_CASE(many_honest_devices_at_once_all_come_in, Served) {
  std::vector<Device> devices;
  for (int i = 0; i < 12; ++i)
    devices.push_back(new_device(std::string{"d"}.append(std::to_string(i)), Role::onsite));
  std::vector<std::future<void>> comings;
  for (const auto& device : devices)
    comings.push_back(std::async(std::launch::async, [&] { ControlPeer{port(), device}; }));
  for (auto& coming : comings)
    BOOST_CHECK_NO_THROW(coming.get());
}

BOOST_FIXTURE_TEST_CASE(another_protocol_is_refused_in_the_handshake, Served) {
  const auto device = new_device("alpn", Role::onsite);
  for (const char* alpn : {"h2", "http/1.1", "rdv-control/2", "rdv-e2e/1"}) {
    const auto context = crypto::TlsContext::device(device.credentials(), device.ca, alpn);
    BOOST_CHECK_THROW((FramePeer{port(), context, wire::Channel::control}), PeerError);
  }
}

BOOST_FIXTURE_TEST_CASE(a_certificate_of_another_ca_is_not_let_in, Served) {
  const auto foreign_ca = crypto::Authority::create(tunnel::unix_now());
  auto foreign = made_by(foreign_ca, Role::onsite, "foreign");
  foreign.ca =
      crypto::Certificate::from_pem(authority().certificate().pem());  // it trusts the server
  BOOST_CHECK_THROW(goodbye_for(port(), foreign), PeerError);
}

BOOST_FIXTURE_TEST_CASE(an_expired_certificate_is_not_let_in, Served) {
  auto device = new_device("old", Role::onsite);
  device.certificate =
      authority().issue_device(device.key, device.identity, tunnel::unix_now() - 7200, 3600);
  BOOST_CHECK_THROW(goodbye_for(port(), device), PeerError);
}

BOOST_FIXTURE_TEST_CASE(a_good_certificate_of_an_unknown_device_or_another_key_is_told_so, Served) {
  BOOST_TEST((goodbye_for(port(), made_by(authority(), Role::onsite, "nobody")).code ==
              wire::GoodbyeCode::unknown_device));
  const auto known = new_device("known", Role::onsite);
  BOOST_TEST((goodbye_for(port(), made_by(authority(), Role::onsite, "known")).code ==
              wire::GoodbyeCode::wrong_key));
}

BOOST_FIXTURE_TEST_CASE(a_certificate_with_another_role_is_not_let_in, Served) {
  auto device = new_device("two-faced", Role::onsite);
  const wire::Identity master{device.identity.system, Role::master, device.identity.name};
  device.certificate = authority().issue_device(device.key, master, tunnel::unix_now(), 3600);
  BOOST_TEST((goodbye_for(port(), device).code == wire::GoodbyeCode::wrong_key));
}

BOOST_FIXTURE_TEST_CASE(a_revoked_device_is_cut_off_and_kept_out, Served) {
  const auto device = new_device("thief", Role::onsite);
  ControlPeer peer{port(), device};
  in_server([](rdv::Server& server) {
    server.control().revoke_device("thief", "stolen");
    return 0;
  });
  BOOST_TEST((peer.expect<wire::Goodbye>().code == wire::GoodbyeCode::revoked));
  BOOST_TEST(!peer.receive().has_value());
  BOOST_TEST((goodbye_for(port(), device).code == wire::GoodbyeCode::revoked));
}

BOOST_FIXTURE_TEST_CASE(the_newest_connection_of_a_device_wins, Served) {
  const auto device = new_device("twin", Role::onsite);
  ControlPeer first{port(), device};
  ControlPeer second{port(), device};
  BOOST_TEST((first.expect<wire::Goodbye>().code == wire::GoodbyeCode::replaced));
  second.send(wire::Ping{.token = 5});
  BOOST_TEST(second.expect<wire::Pong>().token == 5U);
}

BOOST_FIXTURE_TEST_CASE(an_enrolment_code_works_once, Served) {
  const auto code = in_server(
      [](rdv::Server& server) { return server.control().add_device("once", "onsite", {}).code; });
  BOOST_CHECK_NO_THROW((void)enrol(port(), code));
  BOOST_CHECK_THROW((void)enrol(port(), code), PeerError);
}

BOOST_FIXTURE_TEST_CASE(a_device_that_takes_nothing_is_closed_before_its_outbox_grows, Served) {
  const auto device = new_device("deaf", Role::master);
  in_server([](rdv::Server& server) {  // long answers
    for (int i = 0; i < 60; ++i)
      server.control().add_device(std::string{"o"}.append(std::to_string(i)), "onsite", {});
    return 0;
  });
  ControlPeer peer{port(), device, Cut::coalesced};
  const auto ask = [&] {
    for (;;) {
      for (int i = 0; i < 100; ++i)
        peer.send(wire::List{.request = 1});
      peer.tls().flush();
    }
  };
  BOOST_CHECK_THROW(ask(), PeerError);
  pollfd reset{.fd = peer.tls().tcp().fd(), .events = 0, .revents = 0};  // it still takes nothing
  BOOST_TEST(::poll(&reset, 1, 60'000) == 1);
}
