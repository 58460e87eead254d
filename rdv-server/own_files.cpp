#include "own_files.hpp"

#include "base/files.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <pwd.h>
#include <system_error>
#include <unistd.h>

namespace rdv {

namespace fs = std::filesystem;

void make_state_dir(const fs::path& folder) {
  const bool made = !fs::exists(folder);
  std::error_code ec;
  fs::create_directories(folder, ec);
  if (ec) throw std::system_error{ec, "cannot make the folder " + folder.string()};
  if (made && ::chmod(folder.c_str(), 0700) != 0)
    tunnel::throw_errno("cannot restrict the folder", folder);
}

bool server_user_exists() {
  return ::getpwnam(server_user) != nullptr;
}

void give_to_rdv(const fs::path& folder) {
  if (::geteuid() != 0) return;
  errno = 0;
  const passwd* user = ::getpwnam(server_user);
  if (user == nullptr) return;
  const auto give = [user](const fs::path& path) {
    if (::lchown(path.c_str(), user->pw_uid, user->pw_gid) != 0)
      tunnel::throw_errno("cannot give it to the user rdv:", path);
  };
  for (const auto& entry : fs::directory_iterator{folder})
    give(entry.path());
  give(folder);
}

}  // namespace rdv
