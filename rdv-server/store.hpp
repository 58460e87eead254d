#pragma once
#include "audit/record.hpp"
#include "device_record.hpp"
#include "kept_session.hpp"

#include <functional>
#include <memory>
#include <stdexcept>
#include <variant>

namespace rdv {

/// The store cannot be read or written (disk full, file damaged). what() says what was attempted on
/// which file.
class StoreError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// What `rdvctl device add` gives.
struct NewDevice {
  tunnel::wire::Name name, system;
  tunnel::wire::Role role;
  std::string site;
  std::vector<tunnel::Ipv4Prefix> allow;
  bool allows_l2 = false;
};

/// A one-time code as the store keeps it: the secret itself is nowhere.
struct NewCode {
  tunnel::wire::Hash secret_hash{};  ///< SHA-256 of the secret
  tunnel::UnixSeconds expires = 0;
};

struct IssuedCertificate {
  std::string pem;
  tunnel::wire::Hash key_hash{};
  tunnel::UnixSeconds expires = 0;
};

/// How an attempt to use an enrolment code ended.
struct CodeUnknown {};
struct CodeUsed {
  tunnel::wire::Name device;
  tunnel::UnixSeconds when = 0;
};
struct CodeExpired {
  tunnel::wire::Name device;
  tunnel::UnixSeconds when = 0;
  bool replaced = false;  ///< by a newer code
};
struct CodeOfRevoked {
  tunnel::wire::Name device;
  tunnel::UnixSeconds when = 0;  ///< revoked
};
struct KeyTaken {
  tunnel::wire::Name device;  ///< which has this key already; the code stays unused
};
struct CodeAccepted {
  DeviceRecord device;  ///< as it is after the enrolment
  IssuedCertificate certificate;
};
using EnrolOutcome =
    std::variant<CodeUnknown, CodeUsed, CodeExpired, CodeOfRevoked, KeyTaken, CodeAccepted>;

enum class StoreAnswer {
  done,
  exists,   ///< the name is taken
  unknown,  ///< no device of this name
  revoked,  ///< the device is revoked
  full,     ///< as many devices as the configuration allows
};

/// Devices, enrolment codes and live sessions, durable: what returned is on the disk, but for
/// note_seen() and what says otherwise. One thread per instance; several instances and processes
/// may use one file. Every function throws StoreError when the file cannot be read or written.
class Store : public Directory {
 public:
  /// Issues the certificate while the code is being consumed; what it throws leaves the code
  /// unused.
  using Issue = std::function<IssuedCertificate(const DeviceRecord&)>;

  virtual std::vector<DeviceRecord> devices() = 0;  ///< all, sorted by name
  /// @param devices_max  StoreAnswer::full beyond
  virtual StoreAnswer add(const NewDevice& device, const NewCode& code, tunnel::UnixSeconds now,
                          std::size_t devices_max) = 0;
  /// A new code for a device, registered or enrolled; codes given out before can no longer be used.
  virtual StoreAnswer replace_code(const tunnel::wire::Name& name, const NewCode& code,
                                   tunnel::UnixSeconds now) = 0;
  /// Consumes a code and issues a certificate, or does neither: one transaction, so that of many
  /// keys one gets it. That key may ask again until the code expires: the first answer may have
  /// been lost.
  virtual EnrolOutcome enrol(const tunnel::wire::Hash& secret_hash, tunnel::UnixSeconds now,
                             const Issue& issue) = 0;
  /// The device works with its new certificate in any case: what cannot be written now is written
  /// with the next write_pending(), and nothing is thrown.
  virtual void note_renewed(const tunnel::wire::Name& name,
                            tunnel::UnixSeconds certificate_expires) = 0;
  virtual StoreAnswer revoke(const tunnel::wire::Name& name, std::string_view reason,
                             tunnel::UnixSeconds now) = 0;
  virtual StoreAnswer set_allows_l2(const tunnel::wire::Name& name, bool allows) = 0;
  virtual StoreAnswer remove(const tunnel::wire::Name& name) = 0;
  /// Writes what note_seen() was told since the last time, and what could not be written before.
  virtual void write_pending() = 0;

  /// In place of what was kept of this session before. What cannot be written now is written with
  /// the next write_pending().
  virtual void keep(const KeptSession& session) = 0;
  /// As keep().
  virtual void drop(std::uint64_t session) = 0;
  /// All, in no order. Rows that cannot be read are removed.
  virtual std::vector<KeptSession> kept_sessions() = 0;

  /// The newest record of the audit that is on the disk, so that one that is cut off is found.
  virtual void note_audit_head(const AuditHead& head) = 0;
  /// {0, zeros}: none was noted.
  virtual AuditHead audit_head() = 0;
};

}  // namespace rdv
