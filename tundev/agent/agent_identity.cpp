// The agent's own identity: how it comes, how it is renewed, and how it gets onto the disk.
#include "agent/agent.hpp"
#include "base/log.hpp"

#include <utility>

namespace device {

namespace core = tunnel::core;
namespace log = tunnel::log;
using tunnel::Clock;
using namespace std::chrono_literals;

namespace {

/// A certificate could not be renewed, or not be stored: how soon to try again.
constexpr auto renew_again_after = 1h;
constexpr auto store_again_after = 10s;

}  // namespace

void Agent::enrol(std::string code, OnEnrolled done) {
  if (std::exchange(enrolling_, true))
    throw AgentError{"Busy", "another enrolment is in progress; try again when it is over"};
  if (!records_.empty()) {
    enrolling_ = false;
    throw AgentError{"Busy", "a session is running; end it first"};
  }
  try {
    store_.require_room();  // before the code is used up for nothing
    enrolment_.emplace(std::move(code), store_.enrolling_key(), std::move(done));
  } catch (const IdentityError& error) {
    enrolling_ = false;
    throw AgentError{"Failed", error.what()};
  }
  enrolment_wakeup_.notify();
}

void Agent::renew_if_due() {
  if (!is_online()) return;
  next_renewal_ = Clock::now() + renew_again_after;
  const auto& certificate = identity_->certificate;
  if (server_now() < core::renewal_due(certificate.not_before(), certificate.not_after())) return;
  log::info("asking for a new certificate", {log::device(identity_->self.name.str())});
  apply(control_->renew(crypto::make_csr(identity_->key)));
}

void Agent::on(const core::CertificateRenewed& action) {
  try {
    auto certificate = crypto::Certificate::from_pem(tunnel::as_text(action.certificate));
    const auto certified = certificate.identity();
    if (certificate.key_hash() != identity_->key.hash() || !certified ||
        *certified != identity_->self)
      throw IdentityError{"it is for somebody else"};
    identity_->certificate = std::move(certificate);
  } catch (const std::exception& error) {
    log::error("the new certificate cannot be used", {log::reason(error.what())});
    return;
  }
  log::info("the certificate was renewed", {log::device(identity_->self.name.str())});
  store_renewed();
}

/// It is used from now on in any case; the one on the disk is good for a while, and does after a
/// restart until this one is there.
void Agent::store_renewed() {
  const auto before = unstored_;
  try {
    store_.store_certificate(identity_->certificate);
    unstored_.clear();
    next_store_ = Clock::time_point::max();
    if (!before.empty()) log::info("the new certificate is stored");
  } catch (const IdentityError& error) {
    unstored_ = error.what();
    next_store_ = Clock::now() + store_again_after;
    if (before.empty())
      log::error("the new certificate cannot be stored; it is tried again",
                 {log::reason(unstored_)});
  }
  if (unstored_ != before) events_.facts_changed();
}

}  // namespace device
