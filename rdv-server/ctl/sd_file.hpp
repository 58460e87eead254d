#pragma once
#include "ctl/reserved_file.hpp"
#include "provision/provisioning.hpp"

#include <memory>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace rdv::ctl {

/// The options of `rdvctl device add` and `device code` for the file that makes an SD card a
/// device.
class SdFile {
 public:
  /// Adds the options to `command`; they are read into this object, which must outlive the parsing.
  void add_options(CLI::App& command);

  bool wanted() const { return !path_.empty(); }
  const std::string& path() const { return path_; }

  /// Before the server is asked for a code: everything else is checked as the device will check it,
  /// and the file is made.
  /// @throws ClientError when an option cannot be used or the file cannot be made; nothing has
  ///         happened then
  void prepare(const std::string& name, const std::string& role);
  /// @throws ClientError when the disk does not take it; the code is good all the same
  void write(const std::string& code);

 private:
  void read_files();

  std::string path_;
  std::vector<std::string> ssh_key_files_;
  std::string passphrase_file_, apn_password_file_, pin_file_, proxy_password_file_;
  tunnel::provision::Provisioning provisioning_;
  std::unique_ptr<ReservedFile> file_;
};

}  // namespace rdv::ctl
