# Installs the programs, and the client library for find_package(starling CONFIG).
include(CMakePackageConfigHelpers)

foreach(program kvd kvctl kvbench)
  if(TARGET ${program})
    install(TARGETS ${program} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  endif()
endforeach()

if(TARGET kvctl AND NOT CMAKE_CROSSCOMPILING)
  add_custom_command(OUTPUT ${PROJECT_BINARY_DIR}/kvctl.bash
    COMMAND kvctl completion bash > ${PROJECT_BINARY_DIR}/kvctl.bash DEPENDS kvctl VERBATIM)
  add_custom_target(kvctl_completion ALL DEPENDS ${PROJECT_BINARY_DIR}/kvctl.bash)
  install(FILES ${PROJECT_BINARY_DIR}/kvctl.bash RENAME kvctl
          DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions OPTIONAL)
endif()

# The client library: `cmake --install BUILD --component client` installs nothing else. Its public headers need no other
# header of ours, so none is installed.
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/starling)
install(TARGETS starling_client starling_wire starling_messages starling_crdt EXPORT starling_targets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT client)
install(EXPORT starling_targets NAMESPACE starling:: FILE starlingTargets.cmake DESTINATION ${package_dir} COMPONENT client)
install(DIRECTORY client/include/starling DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT client)
configure_package_config_file(cmake/starlingConfig.cmake.in ${PROJECT_BINARY_DIR}/starlingConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/starlingConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/starlingConfig.cmake ${PROJECT_BINARY_DIR}/starlingConfigVersion.cmake
        cmake/StarlingLibraries.cmake DESTINATION ${package_dir} COMPONENT client)
