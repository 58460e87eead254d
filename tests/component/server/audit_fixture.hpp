#pragma once
#include "audit/files.hpp"
#include "audit/reader.hpp"
#include "audit/verifier.hpp"
#include "component/server/ctl_harness.hpp"

#include <sys/mount.h>

#include <fcntl.h>
#include <sched.h>
#include <system_error>
#include <unistd.h>

namespace rdv::test {

/// A disk of `bytes` in `folder`, that only this process sees.
class SmallDisk {
 public:
  SmallDisk(std::filesystem::path folder, std::size_t bytes) : folder_{std::move(folder)} {
    std::filesystem::create_directories(folder_);
    const auto options = "size=" + std::to_string(bytes);
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", folder_.c_str(), "tmpfs", 0, options.c_str()) != 0)
      throw std::system_error{errno, std::generic_category(), "cannot make a small disk"};
  }
  ~SmallDisk() { ::umount2(folder_.c_str(), MNT_DETACH); }
  SmallDisk(SmallDisk&&) = delete;

  /// Takes all the room that is left.
  void fill() {
    const tunnel::UniqueFd file{::open(ballast().c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600)};
    const std::string block(4096, 'x');
    while (::write(file.get(), block.data(), block.size()) > 0) {
    }
  }
  void free() { std::filesystem::remove(ballast()); }

 private:
  std::filesystem::path ballast() const { return folder_ / "ballast"; }
  std::filesystem::path folder_;
};

/// What `rdvctl audit verify` finds in a folder. @return "" or where and why
inline std::string broken(const std::filesystem::path& folder, std::vector<AuditHead> noted = {}) {
  AuditReader reader{audit_files(folder)};
  AuditVerifier verifier{std::move(noted)};
  while (const auto line = reader.next())
    if (auto why = verifier.take(*line); !why.empty()) return why;
  return verifier.finish();
}

/// The records of a folder, in order.
inline std::vector<AuditRecord> records(const std::filesystem::path& folder) {
  std::vector<AuditRecord> all;
  AuditReader reader{audit_files(folder)};
  while (const auto line = reader.next())
    all.push_back(std::get<AuditRecord>(read_audit_line(*line)));
  return all;
}

/// Their words.
inline std::vector<std::string> words(const std::filesystem::path& folder) {
  std::vector<std::string> all;
  for (const auto& record : records(folder))
    all.push_back(record.what);
  return all;
}

}  // namespace rdv::test
