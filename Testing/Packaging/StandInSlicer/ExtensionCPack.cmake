# As Slicer's: one archive of everything that is installed.
set(CPACK_MONOLITHIC_INSTALL ON)
set(CPACK_GENERATOR "TGZ")
set(CPACK_PACKAGE_FILE_NAME "${EXTENSION_NAME}")
include(CPack)
