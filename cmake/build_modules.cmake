# Runs `flashcore emulate --modules`: every variant's kernels for a first look and for the mission
# shape, in fp16 and bf16, so that they are emulated where there is no C++ compiler. The build does
# not depend on it.
file(REMOVE_RECURSE ${MODULES})
foreach(dtype fp16 bf16)
  execute_process(
    COMMAND ${CMAKE_COMMAND} -E env FLASHCORE_CXX=${CXX} ${COMMAND} emulate --dtype ${dtype}
            --shape b=1,h=1,s=128,d=64 --shape b=1,h=8,s=512,d=64 --modules ${MODULES}
    RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE messages)
  string(STRIP "${messages}" messages)
  if(NOT status EQUAL 0)
    message(WARNING "flashcore emulate exits with ${status}:\n${messages}")
  endif()
endforeach()
if(status EQUAL 0)
  message(STATUS "${messages}")
endif()
file(TOUCH ${STAMP})
