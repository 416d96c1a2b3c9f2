# What include(${Slicer_USE_FILE}) gives a scripted extension: BUILD_TESTING, install folders, and three macros.
set(Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR "${Slicer_INSTALL_ROOT}${Slicer_QTSCRIPTEDMODULES_LIB_DIR}")
set(EXTENSION_NAME "${PROJECT_NAME}")

include(CTest)

# As CTK's: each file goes to DESTINATION_DIR under its path relative to SOURCE_DIR when the project is built, and
# all of DESTINATION_DIR is installed. Names without ending are Python scripts.
macro(ctkMacroCompilePythonScript)
  cmake_parse_arguments(CTKPY
    "NO_INSTALL_SUBDIR;GLOBAL_TARGET"
    "TARGET_NAME;SOURCE_DIR;DESTINATION_DIR;INSTALL_DIR"
    "SCRIPTS;RESOURCES"
    ${ARGN}
    )
  foreach(required IN ITEMS TARGET_NAME SCRIPTS DESTINATION_DIR INSTALL_DIR)
    if(NOT CTKPY_${required})
      message(FATAL_ERROR "ctkMacroCompilePythonScript: ${required} is missing")
    endif()
  endforeach()
  if(NOT CTKPY_SOURCE_DIR)
    set(CTKPY_SOURCE_DIR "${CMAKE_CURRENT_SOURCE_DIR}")
  endif()

  set(copied_scripts)
  foreach(file IN LISTS CTKPY_SCRIPTS)
    get_filename_component(extension "${file}" EXT)
    if(NOT extension MATCHES "py")
      string(APPEND file ".py")
    endif()
    _standin_copy("${CTKPY_SOURCE_DIR}/${file}" "${CTKPY_DESTINATION_DIR}/${file}")
    list(APPEND copied_scripts "${CTKPY_DESTINATION_DIR}/${file}")
  endforeach()
  add_custom_target(Copy${CTKPY_TARGET_NAME}PythonScriptFiles ALL DEPENDS ${copied_scripts})

  set(copied_resources)
  foreach(file IN LISTS CTKPY_RESOURCES)
    _standin_copy("${CTKPY_SOURCE_DIR}/${file}" "${CTKPY_DESTINATION_DIR}/${file}")
    list(APPEND copied_resources "${CTKPY_DESTINATION_DIR}/${file}")
  endforeach()
  if(copied_resources)
    add_custom_target(Copy${CTKPY_TARGET_NAME}PythonResourceFiles ALL DEPENDS ${copied_resources})
  endif()

  if(CTKPY_NO_INSTALL_SUBDIR)
    string(APPEND CTKPY_DESTINATION_DIR "/")
  endif()
  install(DIRECTORY "${CTKPY_DESTINATION_DIR}"
    DESTINATION "${CTKPY_INSTALL_DIR}" COMPONENT RuntimeLibraries USE_SOURCE_PERMISSIONS)
endmacro()

function(_standin_copy source target)
  add_custom_command(OUTPUT "${target}" DEPENDS "${source}"
    COMMAND ${CMAKE_COMMAND} -E copy "${source}" "${target}")
endfunction()

# As Slicer's: refuses files that are not there, then hands over to the macro above.
macro(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(SCRIPTED "WITH_GENERIC_TESTS;WITH_SUBDIR;VERBOSE" "NAME" "SCRIPTS;RESOURCES" ${ARGN})
  if(SCRIPTED_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "slicerMacroBuildScriptedModule: unknown keywords ${SCRIPTED_UNPARSED_ARGUMENTS}")
  endif()
  foreach(file IN LISTS SCRIPTED_SCRIPTS SCRIPTED_RESOURCES)
    if(NOT EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/${file}")
      message(FATAL_ERROR "slicerMacroBuildScriptedModule: there is no ${file}")
    endif()
  endforeach()
  ctkMacroCompilePythonScript(
    TARGET_NAME ${SCRIPTED_NAME}
    SCRIPTS "${SCRIPTED_SCRIPTS}"
    RESOURCES "${SCRIPTED_RESOURCES}"
    DESTINATION_DIR ${CMAKE_BINARY_DIR}/${Slicer_QTSCRIPTEDMODULES_LIB_DIR}
    INSTALL_DIR ${Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR}
    NO_INSTALL_SUBDIR
    )
  if(BUILD_TESTING AND SCRIPTED_WITH_GENERIC_TESTS)
    add_test(NAME py_nomainwindow_qSlicer${SCRIPTED_NAME}ModuleGenericTest COMMAND ${CMAKE_COMMAND} -E false)
  endif()
endmacro()

# As Slicer's: one test py_<script>. There is no Slicer to run it in, so a run of it fails; the names can be listed.
macro(slicer_add_python_unittest)
  cmake_parse_arguments(UNITTEST "" "SCRIPT;TESTNAME_PREFIX" "SLICER_ARGS" ${ARGN})
  if(NOT EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/${UNITTEST_SCRIPT}")
    message(FATAL_ERROR "slicer_add_python_unittest: there is no ${UNITTEST_SCRIPT}")
  endif()
  get_filename_component(test_name "${UNITTEST_SCRIPT}" NAME_WE)
  add_test(NAME py_${UNITTEST_TESTNAME_PREFIX}${test_name} COMMAND ${CMAKE_COMMAND} -E false)
endmacro()
