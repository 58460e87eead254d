// Every message in every state of a connection and a session: handled, ignored, or
// Goodbye{protocol}; never an assertion, never a session or connection left behind.
#include "broker_fixture.hpp"

#include <functional>

using namespace rdv;
using namespace rdv::test;

namespace {

/// One of each message, about `session` and `request`.
std::vector<wire::ControlMessage> all_messages(std::uint64_t session, std::uint32_t request) {
  const auto onsite = name("rpi1100");
  const auto master = name("rpi2001");
  return {wire::Hello{},
          wire::Welcome{.system = name("default"), .name = onsite, .role = wire::Role::onsite},
          wire::Ping{},
          wire::Pong{},
          wire::InfoUpdate{},
          wire::List{},
          wire::Listing{},
          wire::Open{.request = request, .onsite = onsite},
          wire::Waiting{.request = request},
          wire::Refused{.request = request},
          wire::Offer{.session = session, .master = master},
          wire::Accept{.session = session},
          wire::Decline{.session = session},
          wire::Granted{.request = request},
          wire::Close{.session = session},
          wire::Goodbye{},
          wire::Renew{},
          wire::Renewed{},
          wire::Cancel{.request = request},
          wire::Interrupted{.session = session, .epoch = 2},
          wire::Resume{.session = session, .epoch = 2}};
}

constexpr std::size_t message_count = std::variant_size_v<wire::ControlMessage>;

/// A broker brought into some state, and the two devices' connections.
struct Scene : BrokerFixture {
  ConnectionId onsite{}, master{};
  std::uint64_t session = 12345;
};

using Setting = std::function<void(Scene&)>;

void greeting(Scene& scene) {
  scene.onsite = scene.connect("rpi1100");
  scene.master = scene.connect("rpi2001");
}
void ready(Scene& scene) {
  scene.onsite = scene.online("rpi1100");
  scene.master = scene.online("rpi2001");
}
void master_waits(Scene& scene) {
  scene.onsite = scene.connect("rpi1100");
  scene.master = scene.online("rpi2001");
  scene.send(scene.master, BrokerFixture::open_of("rpi1100"));
}
void offered(Scene& scene) {
  ready(scene);
  scene.send(scene.master, BrokerFixture::open_of("rpi1100"));
  scene.session = scene.only<wire::Offer>(scene.onsite).session;
}
void granted(Scene& scene) {
  ready(scene);
  scene.session = scene.grant(scene.master, scene.onsite, BrokerFixture::open_of("rpi1100"));
}
void running(Scene& scene) {
  ready(scene);
  scene.session = scene.run(scene.master, scene.onsite, BrokerFixture::open_of("rpi1100"));
}
void interrupted(Scene& scene) {
  running(scene);
  scene.send(scene.master, BrokerFixture::resume_of(scene.session, 2));
}
void granted_again(Scene& scene) {
  interrupted(scene);
  scene.send(scene.onsite, BrokerFixture::resume_of(scene.session, 2));
}
void ended(Scene& scene) {
  running(scene);
  scene.send(scene.master, wire::Close{.session = scene.session, .text = {}});
}
void gone(Scene& scene) {
  ready(scene);
  scene.lose(scene.onsite);
  scene.lose(scene.master);
}

const std::vector<Setting> settings{greeting, ready,       master_waits,  offered, granted,
                                    running,  interrupted, granted_again, ended,   gone};

/// Whatever happened, everybody can leave and nothing is left.
void check_clean_end(Scene& scene) {
  scene.run_until(scene.now.steady + 9h);  // the limit of a session whose legs are said to stand
  BOOST_TEST(scene.broker.sessions().empty());
  scene.take(scene.broker.on_shutdown(scene.now));
  BOOST_TEST(scene.broker.connections() == 0U);
  BOOST_TEST(scene.broker.registry().size() == 0U);
  scene.run_until(scene.now.steady + 1h);
  BOOST_TEST((scene.broker.next_deadline() == tunnel::Clock::time_point::max()));
}

bool is_for_servers_only(const wire::ControlMessage& message) {
  return std::holds_alternative<wire::Welcome>(message) ||
         std::holds_alternative<wire::Listing>(message) ||
         std::holds_alternative<wire::Waiting>(message) ||
         std::holds_alternative<wire::Refused>(message) ||
         std::holds_alternative<wire::Offer>(message) ||
         std::holds_alternative<wire::Granted>(message) ||
         std::holds_alternative<wire::Interrupted>(message) ||
         std::holds_alternative<wire::Renewed>(message);
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_message_in_every_state_leaves_the_broker_sound) {
  for (const auto& setting : settings)
    for (const bool by_master : {false, true})
      for (std::size_t i = 0; i < message_count; ++i) {
        Scene scene;
        setting(scene);
        const auto from = by_master ? scene.master : scene.onsite;
        scene.send(from, all_messages(scene.session, 1)[i]);
        check_clean_end(scene);
      }
}

BOOST_AUTO_TEST_CASE(every_pair_of_messages_in_every_state_leaves_the_broker_sound) {
  for (const auto& setting : settings)
    for (std::size_t first = 0; first < message_count; ++first)
      for (std::size_t second = 0; second < message_count; ++second)
        for (const bool crossed : {false, true}) {
          Scene scene;
          setting(scene);
          scene.send(scene.master, all_messages(scene.session, 1)[first]);
          scene.send(crossed ? scene.onsite : scene.master, all_messages(scene.session, 2)[second]);
          check_clean_end(scene);
        }
}

BOOST_AUTO_TEST_CASE(anything_before_hello_breaks_the_protocol) {
  for (std::size_t i = 0; i < message_count; ++i) {
    Scene scene;
    greeting(scene);
    const auto message = all_messages(1, 1)[i];
    if (std::holds_alternative<wire::Hello>(message)) continue;
    scene.send(scene.onsite, message);
    BOOST_TEST((scene.goodbye(scene.onsite).value().code == wire::GoodbyeCode::protocol));
  }
}

BOOST_AUTO_TEST_CASE(what_only_a_server_sends_breaks_the_protocol) {
  for (std::size_t i = 0; i < message_count; ++i) {
    Scene scene;
    ready(scene);
    const auto message = all_messages(1, 1)[i];
    if (!is_for_servers_only(message)) continue;
    scene.send(scene.master, message);
    BOOST_TEST((scene.goodbye(scene.master).value().code == wire::GoodbyeCode::protocol));
    BOOST_TEST(scene.noted(Event::Kind::protocol_violated));
  }
}

BOOST_AUTO_TEST_CASE(a_second_hello_and_a_request_number_in_use_break_the_protocol) {
  Scene scene;
  ready(scene);
  scene.send(scene.onsite, wire::Hello{});
  BOOST_TEST((scene.goodbye(scene.onsite).value().code == wire::GoodbyeCode::protocol));
  scene.send(scene.master, BrokerFixture::open_of("rpi1200", 3));
  scene.send(scene.master, BrokerFixture::open_of("rpi1200", 3));
  BOOST_TEST((scene.goodbye(scene.master).value().code == wire::GoodbyeCode::protocol));
}

BOOST_AUTO_TEST_CASE(bytes_that_are_no_message_break_the_protocol) {
  Scene scene;
  ready(scene);
  scene.take(scene.broker.on_bad_message(scene.onsite, wire::Errc::malformed, scene.now));
  BOOST_TEST((scene.goodbye(scene.onsite).value().code == wire::GoodbyeCode::protocol));
  scene.take(scene.broker.on_bad_message(scene.onsite, wire::Errc::malformed, scene.now));
  BOOST_TEST(scene.actions.empty());
}

BOOST_AUTO_TEST_CASE(an_answer_to_an_offer_of_another_breaks_the_protocol) {
  Scene scene;
  offered(scene);
  const auto other = scene.online("rpi1200");
  scene.send(other, BrokerFixture::accept_of(scene.session));
  BOOST_TEST((scene.goodbye(other).value().code == wire::GoodbyeCode::protocol));
  BOOST_TEST(scene.broker.sessions().size() == 1U);
}
