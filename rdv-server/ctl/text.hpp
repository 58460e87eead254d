#pragma once
#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// What rdvctl shows to people: tables, sentences. Pure. The JSON is what org.rdv.Server1 answered,
/// key by key.
namespace rdv::ctl {

/// Columns as wide as their widest cell (in characters), two spaces between, no space at a line's
/// end.
std::string table(const std::vector<std::vector<std::string>>& rows);

std::string device_table(const nlohmann::json& devices);
std::string device_details(const nlohmann::json& device);
std::string session_table(const nlohmann::json& sessions);
std::string status_details(const nlohmann::json& status);

/// The enrolment code on a line of its own, then what to do with it and until when.
std::string code_text(std::string_view name, std::string_view code, std::int64_t expires);

/// What to do with the file that makes an SD card a device, and until when.
std::string sd_file_text(std::string_view name, std::string_view path, std::int64_t expires);

/// "0 B", "812 kB", "1.4 GB": powers of 1000.
std::string bytes_text(std::uint64_t bytes);

}  // namespace rdv::ctl
