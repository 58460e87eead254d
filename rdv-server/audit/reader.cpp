#include "audit/reader.hpp"

#include "audit/record.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <system_error>
#include <thread>

namespace rdv {

namespace {

/// The server writes a line at once; whoever reads in that moment may see a part of it.
constexpr int looks_max = 10;
constexpr auto look_again = std::chrono::milliseconds{20};

}  // namespace

std::optional<std::string_view> AuditReader::next() {
  for (;;) {
    if (file_.is_open() && read_line()) return line_;
    if (!open_next()) return std::nullopt;
  }
}

bool AuditReader::open_next() {
  if (opened_ == files_.size()) return false;
  const auto& path = files_[opened_++];
  file_ = std::ifstream{path, std::ios::binary};
  number_ = 0;
  if (!file_)
    throw std::system_error{errno, std::generic_category(), "cannot read " + path.string()};
  return true;
}

bool AuditReader::read_line() {
  const auto begins = file_.tellg();
  for (int look = 1;; ++look) {
    line_.resize(audit_line_bytes_max);
    file_.getline(line_.data(), static_cast<std::streamsize>(line_.size()));
    const auto got = static_cast<std::size_t>(file_.gcount());
    const bool unfinished = file_.eof() && got > 0;
    if (!unfinished || opened_ < files_.size() || look == looks_max) {
      if (got == 0) return false;
      // A line's end was counted too; of a line that is too long the rest comes as a line of its
      // own.
      line_.resize(unfinished || file_.fail() ? got : got - 1);
      if (file_.fail() && !file_.eof()) file_.clear();
      ++number_;
      return true;
    }
    std::this_thread::sleep_for(look_again);
    file_.clear();
    file_.seekg(begins);
  }
}

std::string AuditReader::where() const {
  return opened_ == 0 ? std::string{} : fmt::format("{}:{}", files_[opened_ - 1].string(), number_);
}

}  // namespace rdv
