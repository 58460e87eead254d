# Asio compiled once (BOOST_ASIO_SEPARATE_COMPILATION) and its headers precompiled for whoever links rdv_asio.
add_library(rdv_asio STATIC ${CMAKE_CURRENT_LIST_DIR}/asio.cpp)
target_compile_definitions(rdv_asio PUBLIC BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED
  BOOST_ASIO_DISABLE_BOOST_DATE_TIME)
target_link_libraries(rdv_asio PUBLIC Boost::system Threads::Threads)

# rdv_precompile_asio(target): gives the target a precompiled header of the Asio parts we use.
function(rdv_precompile_asio target)
  target_precompile_headers(${target} PRIVATE ${CMAKE_SOURCE_DIR}/libtunnel/io/asio.hpp)
endfunction()
