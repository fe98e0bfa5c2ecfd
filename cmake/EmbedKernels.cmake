# Embeds every device header under kernels/ into the library, so that it can compile kernels on a
# machine that has only the library.

function(flashcore_embed_kernels output)
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR}/kernels
    ${CMAKE_SOURCE_DIR}/kernels/*.h ${CMAKE_SOURCE_DIR}/kernels/*.cuh)
  set(paths)
  foreach(header IN LISTS headers)
    list(APPEND paths ${CMAKE_SOURCE_DIR}/kernels/${header})
  endforeach()
  add_custom_command(OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DOUTPUT=${output} -DROOT=${CMAKE_SOURCE_DIR}/kernels
            "-DHEADERS=${headers}" -P ${CMAKE_SOURCE_DIR}/cmake/write_embedded_kernels.cmake
    DEPENDS ${paths} ${CMAKE_SOURCE_DIR}/cmake/write_embedded_kernels.cmake
    COMMENT "Embedding the kernels' sources" VERBATIM)
endfunction()
