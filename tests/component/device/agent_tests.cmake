set(agent_test_support agent_relay.cpp agent_end.cpp ${CMAKE_SOURCE_DIR}/tests/support/memory_tls.cpp)
rdv_test(agent_leg_test LABEL component SOURCES agent_leg_test.cpp ${agent_test_support} LINK rdv_io ASIO)
rdv_test(agent_resume_test LABEL component SOURCES agent_resume_test.cpp ${agent_test_support} LINK rdv_io ASIO)
rdv_test(agent_hostile_relay_test LABEL component SOURCES agent_hostile_relay_test.cpp ${agent_test_support} LINK rdv_io ASIO)
rdv_test(agent_pump_frames_test LABEL component SOURCES agent_pump_frames_test.cpp ${agent_test_support} LINK rdv_io ASIO)
rdv_test(agent_tun_test LABEL component SOURCES agent_tun_test.cpp ${agent_test_support} LINK rdv_io rdv_net ASIO)
rdv_test(agent_runner_test LABEL component
  SOURCES agent_runner_test.cpp agent_runner.cpp cli_harness.cpp ${agent_test_support} LINK rdv_agent rdv_dbus ASIO)
rdv_test(agent_identity_test LABEL component
  SOURCES agent_identity_test.cpp ${CMAKE_SOURCE_DIR}/tests/support/memory_tls.cpp
    ${CMAKE_SOURCE_DIR}/tests/support/traced_child.cpp
  LINK rdv_agent ASIO)
rdv_test(agent_dial_test LABEL component SOURCES agent_dial_test.cpp LINK rdv_agent ASIO)
rdv_test(agent_uplink_test LABEL component
  SOURCES agent_uplink_test.cpp ${CMAKE_SOURCE_DIR}/tests/support/memory_tls.cpp LINK rdv_agent ASIO THREADS)
