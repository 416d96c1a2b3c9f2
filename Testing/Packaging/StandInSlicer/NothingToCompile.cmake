# Slicer extensions enable C and C++ by their plain project(); a scripted one compiles nothing. This toolchain file lets
# the test configure on a machine without a compiler: the languages are enabled, and no compiler is looked for or tried.
foreach(language IN ITEMS C CXX)
  set(CMAKE_${language}_COMPILER "${CMAKE_COMMAND}")
  set(CMAKE_${language}_COMPILER_FORCED TRUE)
  set(CMAKE_${language}_COMPILER_ID_RUN TRUE)
endforeach()
