# What tundev-netd decides, and the configuration file that it shares with the agent.
rdv_test(netd_unit_test LABEL unit
  SOURCES netd_unit_test.cpp netd_config_test.cpp netd_extremity_policy_test.cpp netd_sysfs_test.cpp netd_filter_text_test.cpp
    netd_dnsmasq_config_test.cpp netd_session_setup_test.cpp netd_uplink_test.cpp netd_uplink_policy_test.cpp netd_l2_test.cpp netd_carrier_drop_test.cpp
  LINK rdv_netd)
target_compile_definitions(netd_unit_test PRIVATE RDV_SYSFS_TREES="${CMAKE_CURRENT_SOURCE_DIR}/sysfs")
