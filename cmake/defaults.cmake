# The language, the linker and the compiler cache that every target gets.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_INTERPROCEDURAL_OPTIMIZATION_RELEASE OFF)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Release, Debug, RelWithDebInfo" FORCE)
endif()

find_program(RDV_CCACHE ccache)
if(RDV_CCACHE)
  # pch_defines and time_macros: a precompiled header is otherwise never found in the cache (ccache(1), "Precompiled headers").
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      # Another clone of the same source finds what this one compiled.
      CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
      ${RDV_CCACHE})
endif()

# A cross-compiler looks for a linker of its own name only.
find_program(RDV_LLD ld.lld)
if(RDV_LLD AND NOT CMAKE_CROSSCOMPILING)
  add_link_options(-fuse-ld=lld)
endif()

# What Debian compiles its packages with (dpkg-buildflags(1), hardening=+all), so that the tests run what is shipped.
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT RDV_SANITIZE)
  add_compile_options(-fstack-protector-strong -fstack-clash-protection -Wformat -Werror=format-security)
  add_compile_definitions(_FORTIFY_SOURCE=2)
  add_link_options(-pie LINKER:-z,relro LINKER:-z,now)
endif()

add_compile_definitions(RDV_VERSION="${PROJECT_VERSION}")
# BOOST_ASSERT also holds in release builds: it calls our handler, which logs and aborts.
add_compile_definitions(BOOST_ENABLE_ASSERT_HANDLER)
