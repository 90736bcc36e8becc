# SPDX-License-Identifier: Apache-2.0
# Installs headers, both libraries, the CMake package and soon.pc.

include(CMakePackageConfigHelpers)

set(soon_cmake_dir "${CMAKE_INSTALL_LIBDIR}/cmake/soon")

install(TARGETS soon soon_static soon_headers EXPORT soonTargets FILE_SET HEADERS)
install(EXPORT soonTargets NAMESPACE soon:: DESTINATION "${soon_cmake_dir}")

configure_package_config_file(cmake/soonConfig.cmake.in soonConfig.cmake
	INSTALL_DESTINATION "${soon_cmake_dir}")
# Before 1.0 every minor release may change the interface.
write_basic_package_version_file(soonConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES
	"${PROJECT_BINARY_DIR}/soonConfig.cmake"
	"${PROJECT_BINARY_DIR}/soonConfigVersion.cmake"
	DESTINATION "${soon_cmake_dir}")

# soon.pc finds its prefix from where it lies, so that an installed tree can be moved.
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}" OR IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
	set(SOON_PC_PREFIX "${CMAKE_INSTALL_PREFIX}")
	set(SOON_PC_LIBDIR "${CMAKE_INSTALL_FULL_LIBDIR}")
	set(SOON_PC_INCLUDEDIR "${CMAKE_INSTALL_FULL_INCLUDEDIR}")
else()
	file(RELATIVE_PATH up "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
	string(REGEX REPLACE "/$" "" up "${up}")
	set(SOON_PC_PREFIX "\${pcfiledir}/${up}")
	set(SOON_PC_LIBDIR "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
	set(SOON_PC_INCLUDEDIR "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
# By name, not by Requires.private: pkg-config --static would then ask for what a static libcrypto
# needs as well (Debian 13: zstd, which libssl-dev does not bring), and it is linked shared.
list(TRANSFORM SOON_STATIC_NAMES PREPEND "-l" OUTPUT_VARIABLE libs)
list(JOIN libs " " SOON_PC_LIBS_PRIVATE)
configure_file(cmake/soon.pc.in soon.pc @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/soon.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
if(TARGET soon_guard)
	configure_file(cmake/soon-guard.pc.in soon-guard.pc @ONLY)
	install(FILES "${PROJECT_BINARY_DIR}/soon-guard.pc"
		DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
endif()
