# cmake --install: the library, its headers, the command, and what find_package(flashcore) reads.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS flashcore EXPORT flashcoreTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/flashcore DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
if(TARGET flashcore_command)
  install(TARGETS flashcore_command RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(EXPORT flashcoreTargets NAMESPACE flashcore::
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/flashcore)
file(WRITE ${CMAKE_BINARY_DIR}/generated/flashcoreConfig.cmake [[
include(CMakeFindDependencyMacro)
find_dependency(Threads)
include(${CMAKE_CURRENT_LIST_DIR}/flashcoreTargets.cmake)
# The pack of compiled kernels, for $FLASHCORE_PACK where the installation was moved.
get_filename_component(flashcore_PACK
  ${CMAKE_CURRENT_LIST_DIR}/../../../share/flashcore/default.pack ABSOLUTE)
]])
write_basic_package_version_file(${CMAKE_BINARY_DIR}/generated/flashcoreConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/generated/flashcoreConfig.cmake
              ${CMAKE_BINARY_DIR}/generated/flashcoreConfigVersion.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/flashcore)

include(FlashcorePack)
