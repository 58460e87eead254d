#include "base/log.hpp"

#include "base/utf8.hpp"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>

namespace tunnel::log {
namespace {

spdlog::logger& logger() {
  static const auto instance = [] {
    auto made =
        std::make_shared<spdlog::logger>("rdv", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
    made->flush_on(spdlog::level::debug);
    return made;
  }();
  return *instance;
}

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::debug: return spdlog::level::debug;
    case Level::info: return spdlog::level::info;
    case Level::warn: return spdlog::level::warn;
    case Level::error: return spdlog::level::err;
  }
  return spdlog::level::info;
}

void write(Level level, std::string_view event, std::initializer_list<Field> fields) {
  if (logger().should_log(to_spdlog(level)))
    logger().log(to_spdlog(level), "{}", format_line(event, fields));
}

/// Nothing in `value` can end it, begin a line, or be a terminal's command; what is no UTF-8 would
/// make journald hide the line.
void append_escaped(std::string& line, std::string_view value) {
  while (!value.empty()) {
    const auto length = utf8_sequence_bytes(value);
    const auto taken = value.substr(0, std::max<std::size_t>(length, 1));
    value.remove_prefix(taken.size());
    if (length == 0 || is_control_character(taken)) {
      for (const char c : taken)
        line += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      if (taken == "\"" || taken == "\\") line += '\\';
      line += taken;
    }
  }
}

}  // namespace

std::string format_line(std::string_view event, std::initializer_list<Field> fields) {
  std::string line{event};
  for (const auto& field : fields) {
    line += fmt::format(" {}=\"", field.name);
    append_escaped(line, field.value);
    line += '"';
  }
  return line;
}

void set_level(Level level) {
  logger().set_level(to_spdlog(level));
}

void debug(std::string_view event, std::initializer_list<Field> fields) {
  write(Level::debug, event, fields);
}
void info(std::string_view event, std::initializer_list<Field> fields) {
  write(Level::info, event, fields);
}
void warn(std::string_view event, std::initializer_list<Field> fields) {
  write(Level::warn, event, fields);
}
void error(std::string_view event, std::initializer_list<Field> fields) {
  write(Level::error, event, fields);
}

}  // namespace tunnel::log
