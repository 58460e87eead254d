#include "base/log.hpp"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace tunnel::log {
namespace {

spdlog::logger& logger() {
  static const auto instance = [] {
    auto made = std::make_shared<spdlog::logger>("rdv", std::make_shared<spdlog::sinks::stderr_sink_mt>());
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
  if (logger().should_log(to_spdlog(level))) logger().log(to_spdlog(level), "{}", format_line(event, fields));
}

}  // namespace

std::string format_line(std::string_view event, std::initializer_list<Field> fields) {
  std::string line{event};
  for (const auto& field : fields) {
    line += fmt::format(" {}=\"", field.name);
    for (const char c : field.value) {
      const bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
      if (control) line += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
      else if (c == '"' || c == '\\') (line += '\\') += c;
      else line += c;
    }
    line += '"';
  }
  return line;
}

void set_level(Level level) { logger().set_level(to_spdlog(level)); }

void debug(std::string_view event, std::initializer_list<Field> fields) { write(Level::debug, event, fields); }
void info(std::string_view event, std::initializer_list<Field> fields) { write(Level::info, event, fields); }
void warn(std::string_view event, std::initializer_list<Field> fields) { write(Level::warn, event, fields); }
void error(std::string_view event, std::initializer_list<Field> fields) { write(Level::error, event, fields); }

}  // namespace tunnel::log
