# Slicer writes <name>Config.cmake for dependent extensions here; the test only wants the metadata as CMake has read it.
file(WRITE "${CMAKE_BINARY_DIR}/metadata.txt" "NAME ${EXTENSION_NAME}\n")
foreach(key IN ITEMS HOMEPAGE CATEGORY CONTRIBUTORS DESCRIPTION ICONURL SCREENSHOTURLS DEPENDS)
  if(NOT EXTENSION_${key})
    message(FATAL_ERROR "EXTENSION_${key} is not set")
  endif()
  file(APPEND "${CMAKE_BINARY_DIR}/metadata.txt" "${key} ${EXTENSION_${key}}\n")
endforeach()
