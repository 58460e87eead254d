# RDV_SANITIZE -> flags for everything; the whole program must be built with the same ones.
if(RDV_SANITIZE)
  add_compile_options(-fsanitize=${RDV_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${RDV_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    # clang's function and vptr checks reject coroutine frames.
    add_compile_options(-fno-sanitize=function,vptr)
  endif()
endif()
