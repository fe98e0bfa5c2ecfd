# Runs `flashcore compile --pack`. A machine without NVRTC builds all the same, and says what it
# goes without; kernels over their budget are the gates' to fail, not the build's. The
# architectures are those of the GPUs that people have: a Jetson compiles at its first call, and on
# Hopper sm_90a stands for sm_90.
get_filename_component(folder ${PACK} DIRECTORY)
file(MAKE_DIRECTORY ${folder})
file(REMOVE ${PACK})
execute_process(COMMAND ${COMMAND} compile --shipped --arch sm_80,sm_86,sm_89,sm_90a --pack ${PACK}
  RESULT_VARIABLE status OUTPUT_VARIABLE table ERROR_VARIABLE messages)
string(STRIP "${messages}" messages)
if(status EQUAL 0)
  message(STATUS "${messages}")
elseif(status EQUAL 3)
  message(STATUS "No pack of default Configs: ${messages}")
else()
  message(WARNING "flashcore compile exits with ${status}:\n${messages}")
endif()
file(TOUCH ${STAMP})
