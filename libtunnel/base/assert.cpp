#include "base/log.hpp"

#include <boost/assert.hpp>

#include <cstdlib>

/// BOOST_ASSERT also holds in release builds: we were wrong, say where and stop before harm is
/// done.
void boost::assertion_failed(const char* expr, const char* function, const char* file, long line) {
  tunnel::log::error("assertion failed", {{"expression", expr},
                                          {"function", function},
                                          {"file", file},
                                          {"line", std::to_string(line)}});
  std::abort();
}
void boost::assertion_failed_msg(const char* expr, const char*, const char* function,
                                 const char* file, long line) {
  assertion_failed(expr, function, file, line);
}
