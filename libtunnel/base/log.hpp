#pragma once
#include "base/session_id.hpp"

#include <boost/system/error_code.hpp>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

/// Structured logging: one constant sentence, then fields. The functions below are the one list of
/// field names; docs/LOGGING.md explains them. Lines go to standard error, which journald keeps.
namespace tunnel::log {

enum class Level { debug, info, warn, error };

struct Field {
  std::string_view name;
  std::string value;
};

inline Field session(std::uint64_t id) {
  return {"session", format_session_id(id)};
}
inline Field device(std::string_view name) {
  return {"device", std::string{name}};
}
inline Field onsite(std::string_view name) {
  return {"onsite", std::string{name}};
}
inline Field master(std::string_view name) {
  return {"master", std::string{name}};
}
inline Field peer(std::string_view address) {
  return {"peer", std::string{address}};
}
inline Field link(std::string_view name) {
  return {"link", std::string{name}};
}
inline Field address(std::string_view text) {
  return {"address", std::string{text}};
}
inline Field path(std::string_view text) {
  return {"path", std::string{text}};
}
inline Field count(std::uint64_t n) {
  return {"count", std::to_string(n)};
}
inline Field pid(int n) {
  return {"pid", std::to_string(n)};
}
inline Field seconds(std::int64_t n) {
  return {"seconds", std::to_string(n)};
}
inline Field rx_bytes(std::uint64_t n) {
  return {"rx_bytes", std::to_string(n)};
}
inline Field tx_bytes(std::uint64_t n) {
  return {"tx_bytes", std::to_string(n)};
}
inline Field user(std::string_view name) {
  return {"user", std::string{name}};
}
inline Field code(std::string_view word) {
  return {"code", std::string{word}};
}
inline Field reason(std::string_view text) {
  return {"reason", std::string{text}};
}
inline Field reason(const boost::system::error_code& ec) {
  return {"reason", ec.message()};
}

/// Lines below `level` are dropped. Default: info.
void set_level(Level level);

/// @param event one constant sentence; anything that varies is a field
void debug(std::string_view event, std::initializer_list<Field> fields = {});
void info(std::string_view event, std::initializer_list<Field> fields = {});
void warn(std::string_view event, std::initializer_list<Field> fields = {});
void error(std::string_view event, std::initializer_list<Field> fields = {});

/// The line as it is written, without time and level: logfmt; in a value, quotes, backslashes,
/// control characters and bytes that are no UTF-8 are escaped, so that a peer cannot forge a line
/// or command a terminal.
std::string format_line(std::string_view event, std::initializer_list<Field> fields);

}  // namespace tunnel::log
