# rdv_dbus_interface(org.rdv.Netd1): makes <name>_adaptor.hpp and <name>_proxy.hpp from dbus/<name>.xml at build time.
# Include them as "org.rdv.Netd1_adaptor.hpp" after linking rdv_dbus.
function(rdv_dbus_interface target name)
  set(xml ${CMAKE_SOURCE_DIR}/dbus/${name}.xml)
  set(out ${CMAKE_BINARY_DIR}/dbus)
  add_custom_command(
    OUTPUT ${out}/${name}_adaptor.hpp ${out}/${name}_proxy.hpp
    COMMAND ${CMAKE_COMMAND} -E make_directory ${out}
    COMMAND ${RDV_XML2CPP} ${xml} --adaptor=${out}/${name}_adaptor.hpp --proxy=${out}/${name}_proxy.hpp
    DEPENDS ${xml} VERBATIM)
  # A target of its own, since only the folder that has the command knows how to make its outputs.
  add_custom_target(${target}_${name} DEPENDS ${out}/${name}_adaptor.hpp ${out}/${name}_proxy.hpp)
  add_dependencies(${target} ${target}_${name})
endfunction()
