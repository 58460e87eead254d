# RDV_SANITIZE -> flags for everything; the whole program must be built with the same ones.
if(RDV_SANITIZE)
  add_compile_options(-fsanitize=${RDV_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${RDV_SANITIZE})
  # operator[] of spans, vectors and optionals checks its bounds.
  add_compile_definitions(_GLIBCXX_ASSERTIONS)
  if(RDV_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Asio has fences, which ThreadSanitizer cannot see; what it hands between threads it also locks.
    add_compile_options(-Wno-tsan)
  endif()
  if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    # clang's function and vptr checks reject coroutine frames.
    add_compile_options(-fno-sanitize=function,vptr)
  endif()
endif()

# RDV_FUZZ -> what libFuzzer wants to see of every line of ours; tests/fuzz links the fuzzer itself.
if(RDV_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "RDV_FUZZ needs clang: configure with the preset \"fuzz\"")
  endif()
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
