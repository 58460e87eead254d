#pragma once
#include <filesystem>

namespace rdv {

/// The user the daemon runs as; files made by root are given to it.
inline constexpr char server_user[] = "rdv";

/// Makes the folder (and those above it) with mode 0700, or takes the one that is there.
/// @throws std::system_error naming the path
void make_state_dir(const std::filesystem::path& folder);

bool server_user_exists();

/// Gives the folder and the files in it to `server_user`, when we are root and there is such a
/// user; else does nothing.
/// @throws std::system_error naming the path
void give_to_rdv(const std::filesystem::path& folder);

}  // namespace rdv
