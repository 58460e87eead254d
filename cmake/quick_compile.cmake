# rdv_compile_quickly(main.cpp ...): files of this folder that only read arguments with CLI11. Optimising its templates takes
# half of their compile time and makes nothing faster that anybody waits for.
function(rdv_compile_quickly)
  set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS "$<$<CONFIG:Release>:-O1>")
endfunction()
