#include "agent/identity.hpp"

#include "agent/identity_text.hpp"
#include "base/files.hpp"
#include "base/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

namespace device {

namespace fs = std::filesystem;
namespace log = tunnel::log;

/// What stands in one of the two files.
struct IdentityStore::Copy {
  std::string text{};
  std::string damage{};  ///< why it cannot be used; "": it can, or there is none
  std::optional<StoredIdentity> stored{};

  std::uint64_t generation() const { return stored ? stored->generation : 0; }
};

namespace {

constexpr char enrolling_name[] = "enrolling.key";

std::string name_of(std::size_t which) {
  return IdentityStore::names.at(which);
}

}  // namespace

IdentityStore::Copies IdentityStore::read() const {
  Copies copies;
  for (std::size_t i = 0; i < copies.size(); ++i) {
    const auto path = folder_ / name_of(i);
    try {
      if (!fs::exists(path)) continue;
      copies[i].text = tunnel::read_file(path);
      copies[i].stored = parse_identity(copies[i].text);
    } catch (const std::exception& error) {
      copies[i].damage = error.what();
    }
  }
  return copies;
}

void IdentityStore::write(std::size_t which, const std::string& text) const {
  tunnel::write_file_durably(folder_ / name_of(which), text, 0600);
}

std::optional<Identity> IdentityStore::load() const {
  auto copies = read();
  const std::size_t best = copies[1].generation() > copies[0].generation() ? 1 : 0;
  const std::size_t other = 1 - best;
  if (!copies[best].stored) {
    for (std::size_t i = 0; i < copies.size(); ++i)
      if (!copies[i].damage.empty())
        throw IdentityError{fmt::format("cannot use the identity {}: {}",
                                        (folder_ / name_of(i)).string(), copies[i].damage)};
    return std::nullopt;
  }
  if (copies[other].text != copies[best].text) {
    log::warn("a copy of the identity was damaged or old, it is made anew",
              {log::path((folder_ / name_of(other)).string()), log::reason(copies[other].damage)});
    try {
      write(other, copies[best].text);
    } catch (const std::system_error& error) {
      log::error("the second copy of the identity cannot be written", {log::reason(error.what())});
    }
  }
  return std::move(copies[best].stored->identity);
}

void IdentityStore::require_room() const {
  constexpr std::size_t bytes = 16 * 1024;  // both copies, and the one that is being written
  const auto probe = folder_ / "room";
  try {
    tunnel::write_file_durably(probe, std::string(bytes, ' '), 0600);
    fs::remove(probe);
  } catch (const std::system_error& error) {
    throw IdentityError{fmt::format("cannot store an identity: {}", error.what())};
  }
}

crypto::Key IdentityStore::enrolling_key() const {
  const auto path = folder_ / enrolling_name;
  try {
    if (fs::exists(path)) {
      auto key = crypto::Key::private_from_pem(tunnel::read_file(path));
      // The power may have failed between the identity and the end of this file.
      if (const auto own = load(); !own || own->key.hash() != key.hash()) return key;
    }
  } catch (const std::exception& error) {
    log::warn("the key of an earlier enrolment cannot be used, it is made anew",
              {log::path(path.string()), log::reason(error.what())});
  }
  try {
    auto key = crypto::Key::generate();
    tunnel::write_file_durably(path, key.private_pem(), 0600);
    return key;
  } catch (const std::system_error& error) {
    throw IdentityError{fmt::format("cannot store the key to enrol with: {}", error.what())};
  }
}

void IdentityStore::forget_enrolling_key() const noexcept {
  std::error_code ignored;
  if (fs::remove(folder_ / enrolling_name, ignored)) tunnel::sync_folder(folder_);
}

void IdentityStore::store(const Identity& identity) const {
  const auto copies = read();
  const auto newest = std::max(copies[0].generation(), copies[1].generation());
  const auto text = to_text(identity, newest + 1);
  // The newest one stands until the new one does.
  const std::size_t first = copies[0].generation() > copies[1].generation() ? 1 : 0;
  try {
    write(first, text);
  } catch (const std::system_error& error) {
    throw IdentityError{fmt::format("cannot store the identity: {}", error.what())};
  }
  try {
    write(1 - first, text);
  } catch (const std::system_error& error) {
    log::error("the second copy of the identity cannot be written", {log::reason(error.what())});
  }
  forget_enrolling_key();
}

void IdentityStore::store_certificate(const crypto::Certificate& certificate) const {
  auto identity = load();
  if (!identity) throw IdentityError{"cannot store a certificate without an identity"};
  identity->certificate = crypto::Certificate::from_pem(certificate.pem());
  store(*identity);
}

}  // namespace device
