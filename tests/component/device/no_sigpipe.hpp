#pragma once
#include <csignal>

/// A write to a peer that is gone is an error, as it is in the agent. For
/// BOOST_TEST_GLOBAL_FIXTURE.
struct NoSigpipe {
  NoSigpipe() { std::signal(SIGPIPE, SIG_IGN); }
};
