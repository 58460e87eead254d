# rdv_test() and the precompiled headers that all tests share.

# A header compiled once as the tests compile (-fPIE), for others to REUSE_FROM.
function(rdv_test_header target header)
  add_library(${target} OBJECT ${CMAKE_SOURCE_DIR}/tests/support/precompiled.cpp)
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${target} PRIVATE -fPIE)
  target_compile_definitions(${target} PRIVATE BOOST_TEST_DYN_LINK)
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  target_link_libraries(${target} PRIVATE ${ARGN} rdv_base Boost::unit_test_framework rdv_warnings)
  target_precompile_headers(${target} PRIVATE ${CMAKE_SOURCE_DIR}/tests/support/${header})
endfunction()
rdv_test_header(rdv_test_header precompiled.hpp)
rdv_test_header(rdv_test_asio_header precompiled_asio.hpp rdv_asio)

# BOOST_TEST_MODULE in a test comes too late to make a main() when the header of Boost.Test is precompiled. The linker then
# takes the one of main.cpp out of this library, and leaves it there when the test has its own.
add_library(rdv_test_main STATIC ${CMAKE_SOURCE_DIR}/tests/support/main.cpp)
target_compile_definitions(rdv_test_main PRIVATE BOOST_TEST_DYN_LINK)
target_link_libraries(rdv_test_main PRIVATE rdv_base Boost::unit_test_framework rdv_warnings)

# In these a sanitizer hides part of what is checked (memory, descriptors), so they are run in the release build too.
add_custom_target(release_tests)
# What has threads of its own: they are also run with ThreadSanitizer.
add_custom_target(thread_tests)

# rdv_test(name LABEL unit SOURCES a.cpp LINK rdv_core [ASIO] [RELEASE] [THREADS]): one Boost.Test binary, registered under its label.
#   ASIO     its files include io/asio.hpp
#   LABEL    unit, component, or release for one that only the release build runs
#   RELEASE  it is one of release_tests, and has the label "release" too
#   THREADS  it is one of thread_tests, and has the label "threads" too
function(rdv_test name)
  cmake_parse_arguments(arg "ASIO;RELEASE;THREADS" "LABEL" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_compile_definitions(${name} PRIVATE BOOST_TEST_DYN_LINK)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # More of GCC 12's false alarms about std::string, when it optimises behind a precompiled header (GCC bug 105651).
    target_compile_options(${name} PRIVATE -Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread)
  endif()
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  target_link_libraries(${name} PRIVATE ${arg_LINK} rdv_test_main Boost::unit_test_framework rdv_warnings)
  if(arg_ASIO)
    target_precompile_headers(${name} REUSE_FROM rdv_test_asio_header)
  else()
    target_precompile_headers(${name} REUSE_FROM rdv_test_header)
  endif()
  add_test(NAME ${name} COMMAND ${name})
  set(labels ${arg_LABEL})
  if(arg_RELEASE)
    list(APPEND labels release)
    list(REMOVE_DUPLICATES labels)
    add_dependencies(release_tests ${name})
  endif()
  if(arg_THREADS)
    list(APPEND labels threads)
    add_dependencies(thread_tests ${name})
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "${labels}" TIMEOUT 400)
endfunction()
