# Installs the programs, and the client library for find_package(starling CONFIG).
include(CMakePackageConfigHelpers)

foreach(program kvd kvctl kvbench)
  if(TARGET ${program})
    install(TARGETS ${program} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  endif()
endforeach()

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/starling)
install(TARGETS starling_client starling_wire starling_messages starling_crdt EXPORT starling_targets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT starling_targets NAMESPACE starling:: FILE starlingTargets.cmake DESTINATION ${package_dir})
install(DIRECTORY client crdt wire DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/starling
        FILES_MATCHING PATTERN "*.h" PATTERN "client/cli" EXCLUDE)
configure_package_config_file(cmake/starlingConfig.cmake.in ${PROJECT_BINARY_DIR}/starlingConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/starlingConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/starlingConfig.cmake ${PROJECT_BINARY_DIR}/starlingConfigVersion.cmake
        cmake/StarlingLibraries.cmake DESTINATION ${package_dir})
