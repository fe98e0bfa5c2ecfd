# The pack of default Configs: compiled at build time where NVRTC is there, so that nobody's first
# call waits for a compiler. build/share/flashcore/default.pack is where a build directory's own
# binaries look for it, and what is installed.
set(FLASHCORE_PACK_FILE ${CMAKE_BINARY_DIR}/share/flashcore/default.pack)

# Where a program that links the installed library finds it.
set_source_files_properties(${CMAKE_SOURCE_DIR}/src/jit/binary_store.cpp PROPERTIES
  COMPILE_DEFINITIONS
    FLASHCORE_INSTALLED_PACK="${CMAKE_INSTALL_FULL_DATADIR}/flashcore/default.pack")

# Tuned records: beside the pack, for the build directory's own binaries and for the installation.
set_source_files_properties(${CMAKE_SOURCE_DIR}/src/dispatch/tuned_files.cpp PROPERTIES
  COMPILE_DEFINITIONS
    FLASHCORE_INSTALLED_TUNED="${CMAKE_INSTALL_FULL_DATADIR}/flashcore/tuned")
if(EXISTS ${CMAKE_SOURCE_DIR}/tuned)
  add_custom_target(flashcore_tuned ALL
    COMMAND ${CMAKE_COMMAND} -E copy_directory ${CMAKE_SOURCE_DIR}/tuned
            ${CMAKE_BINARY_DIR}/share/flashcore/tuned
    VERBATIM)
  install(DIRECTORY tuned DESTINATION ${CMAKE_INSTALL_DATADIR}/flashcore)
endif()

# A sanitizer's build is for its tests; a pack compiled by it would be the same, only slower.
if(TARGET flashcore_command AND NOT FLASHCORE_SANITIZE)
  file(GLOB pack_sources CONFIGURE_DEPENDS
    ${CMAKE_SOURCE_DIR}/kernels/*/*.cpp ${CMAKE_SOURCE_DIR}/src/jit/*.cpp)
  set(stamp ${CMAKE_BINARY_DIR}/generated/default_pack.stamp)
  # Made anew when the kernels change, not whenever the command is linked again.
  add_custom_command(OUTPUT ${stamp}
    COMMAND ${CMAKE_COMMAND} -DCOMMAND=$<TARGET_FILE:flashcore_command>
            -DPACK=${FLASHCORE_PACK_FILE} -DSTAMP=${stamp}
            -P ${CMAKE_SOURCE_DIR}/cmake/build_pack.cmake
    DEPENDS ${CMAKE_BINARY_DIR}/generated/embedded_kernels.cpp ${pack_sources}
            ${CMAKE_SOURCE_DIR}/cmake/build_pack.cmake
    COMMENT "Compiling the pack of default Configs" VERBATIM)
  add_custom_target(flashcore_pack ALL DEPENDS ${stamp})
  add_dependencies(flashcore_pack flashcore_command)

  # The same for the emulator, by this build's own C++ compiler.
  set(modules ${CMAKE_BINARY_DIR}/share/flashcore/modules)
  set(stamp ${CMAKE_BINARY_DIR}/generated/modules.stamp)
  file(GLOB module_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/emulate/*.cpp)
  add_custom_command(OUTPUT ${stamp}
    COMMAND ${CMAKE_COMMAND} -DCOMMAND=$<TARGET_FILE:flashcore_command>
            -DMODULES=${modules} -DCXX=${CMAKE_CXX_COMPILER} -DSTAMP=${stamp}
            -P ${CMAKE_SOURCE_DIR}/cmake/build_modules.cmake
    DEPENDS ${CMAKE_BINARY_DIR}/generated/embedded_kernels.cpp ${pack_sources} ${module_sources}
            ${CMAKE_SOURCE_DIR}/cmake/build_modules.cmake
    COMMENT "Compiling the emulator's modules" VERBATIM)
  add_custom_target(flashcore_modules ALL DEPENDS ${stamp})
  add_dependencies(flashcore_modules flashcore_command)
  install(DIRECTORY ${modules} DESTINATION ${CMAKE_INSTALL_DATADIR}/flashcore OPTIONAL)

  install(FILES ${FLASHCORE_PACK_FILE} DESTINATION ${CMAKE_INSTALL_DATADIR}/flashcore OPTIONAL)
endif()
