# One interface target with every warning we hold ourselves to.
add_library(rdv_warnings INTERFACE)
target_compile_options(rdv_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Werror
  -Wshadow -Woverloaded-virtual -Wcast-align -Wunused -Wswitch
  # A designated initialiser that leaves a member to its default is how our option structs are meant to be used.
  -Wno-missing-field-initializers
  -Wnull-dereference -Wdouble-promotion -Wformat=2 -Wimplicit-fallthrough)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(rdv_warnings INTERFACE
    -Wduplicated-cond -Wlogical-op
    # GCC 12 reports false positives of these three inside optimised coroutines and std::string.
    -Wno-null-dereference -Wno-maybe-uninitialized -Wno-restrict -Wno-stringop-overflow
    -Wno-dangling-pointer)
endif()
