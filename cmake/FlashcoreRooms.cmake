# What every target of the project shares.

# flashcore_room_sources(<out> <folder>...): the .cpp files under the folders.
function(flashcore_room_sources out)
  set(all)
  foreach(folder IN LISTS ARGN)
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*.cpp)
    list(APPEND all ${sources})
  endforeach()
  set(${out} ${all} PARENT_SCOPE)
endfunction()

function(flashcore_compile_options target)
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror -fvisibility=hidden
    -ffp-contract=off)
  if(FLASHCORE_SANITIZE)
    target_compile_options(${target} PRIVATE
      -fsanitize=${FLASHCORE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g1)
    target_link_options(${target} PUBLIC -fsanitize=${FLASHCORE_SANITIZE})
  endif()
endfunction()

# For code whose speed nobody feels: half the time in the compiler.
function(flashcore_optimise_lightly target)
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
endfunction()

# A binary that runs on a machine with nothing installed, but for the C library.
function(flashcore_link_statically target)
  if(NOT FLASHCORE_SANITIZE)
    target_link_options(${target} PRIVATE -static-libstdc++ -static-libgcc -s)
  endif()
endfunction()

# The objects of a static library become the target's own: what links an installed libflashcore.a
# needs no other library beside it.
function(flashcore_take_in_archive target archive)
  set(folder ${CMAKE_BINARY_DIR}/generated/${target}_archive)
  execute_process(COMMAND ${CMAKE_AR} t ${archive}
    OUTPUT_VARIABLE members OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX REPLACE "[\n]+" ";" members "${members}")
  list(TRANSFORM members PREPEND ${folder}/)
  file(MAKE_DIRECTORY ${folder})
  add_custom_command(OUTPUT ${members} COMMAND ${CMAKE_AR} x ${archive}
    WORKING_DIRECTORY ${folder} DEPENDS ${archive} VERBATIM)
  set_source_files_properties(${members} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
  target_sources(${target} PRIVATE ${members})
endfunction()
