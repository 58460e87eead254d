#pragma once
#include "broker.hpp"
#include "crypto/certificate.hpp"
#include "store.hpp"
#include "wire/enrolment_code.hpp"

#include <optional>
#include <string>

namespace rdv {

/// Turns one-time codes into certificates, and old certificates into new ones. The identity comes
/// from the store alone; of a CSR only the key and the proof of possession count.
class Enrolment {
 public:
  /// All must outlive it. @param grant_public_pem  public half of the grant key, for the devices
  Enrolment(Store& store, const tunnel::crypto::Authority& authority, std::string grant_public_pem);

  struct Outcome {
    tunnel::wire::EnrollMessage reply;  ///< Enrolled or EnrollRefused
    std::optional<tunnel::wire::Name>
        enrolled{};  ///< then call Broker::on_device_changed(wrong_key): it has a new key
    Event event;     ///< for log_event()
  };
  /// Never throws what the peer or the disk caused: the reply says it.
  /// @param public_address  for the record
  Outcome enroll(const tunnel::wire::Enroll& request, const std::string& public_address,
                 tunnel::UnixSeconds now);

  /// @throws StoreError, CryptoError
  Issuer::Renewal renew(const DeviceRecord& device, tunnel::ByteView csr, tunnel::UnixSeconds now);

  /// A fresh code for a device. @param server  host:port that goes into it
  struct FreshCode {
    tunnel::wire::EnrolmentCode code;
    NewCode stored;
  };
  FreshCode make_code(const std::string& server, tunnel::UnixSeconds now) const;

 private:
  Outcome welcome(CodeAccepted accepted, const std::string& public_address) const;

  Store& store_;
  const tunnel::crypto::Authority& authority_;
  std::string grant_public_pem_;
};

/// The Issuer of the running server: kernel randomness, the grant key, the CA.
class KeyIssuer final : public Issuer {
 public:
  KeyIssuer(const tunnel::crypto::Key& grant_key, Enrolment& enrolment)
      : grant_key_{grant_key}, enrolment_{enrolment} {}
  std::uint64_t random() override;
  tunnel::Bytes sign_grant(tunnel::ByteView grant) override;
  Renewal renew(const DeviceRecord& device, tunnel::ByteView csr, tunnel::UnixSeconds now) override;

 private:
  const tunnel::crypto::Key& grant_key_;
  Enrolment& enrolment_;
};

}  // namespace rdv
