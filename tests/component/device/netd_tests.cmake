# A real tundev-netd, its own D-Bus daemon and real links, each host a network namespace; runs as root.
rdv_test(netd_component_test LABEL component
  SOURCES netd_main.cpp ${CMAKE_SOURCE_DIR}/tests/support/network_namespace.cpp netd_support.cpp netd_wire.cpp netd_port_test.cpp netd_session_test.cpp netd_traffic_test.cpp
    netd_crash_test.cpp netd_survival_test.cpp netd_uplink_test.cpp netd_frames.cpp netd_l2_test.cpp netd_l2_kill_test.cpp
  LINK rdv_netd rdv_dbus rdv_base Threads::Threads)
target_compile_definitions(netd_component_test PRIVATE
  NETD_PROGRAM="$<TARGET_FILE:tundev-netd>" NETD_POLICY="${CMAKE_SOURCE_DIR}/dbus/org.rdv.Netd1.conf")
add_dependencies(netd_component_test tundev-netd)
# Most of its time is processes started one after the other, which a busy machine makes slow.
set_tests_properties(netd_component_test PROPERTIES TIMEOUT 400)
