# Install and export: find_package(ocellus) gives ocellus::core, ocellus::opencl and ocellus_add_plugin().
include(CMakePackageConfigHelpers)
install(TARGETS ocellus_opencl ocellus_core EXPORT ocelluslibs LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY opencl/include/ core/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY opencl/kernels/ocellus DESTINATION ${CMAKE_INSTALL_DATADIR}/ocellus/kernels)
set(cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/ocellus)
install(EXPORT ocelluslibs NAMESPACE ocellus:: DESTINATION ${cmake_dir})
configure_package_config_file(cmake/ocellus-config.cmake.in ${PROJECT_BINARY_DIR}/ocellus-config.cmake INSTALL_DESTINATION ${cmake_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/ocellus-config-version.cmake COMPATIBILITY ExactVersion)
install(FILES ${PROJECT_BINARY_DIR}/ocellus-config.cmake ${PROJECT_BINARY_DIR}/ocellus-config-version.cmake
              cmake/OcellusPlugin.cmake cmake/OcellusEmbed.cmake DESTINATION ${cmake_dir})
