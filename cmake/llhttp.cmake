# SPDX-License-Identifier: Apache-2.0
# The HTTP/1 parser, in this order: the system's library (Debian 13: libllhttp-dev), or the C
# sources that a distribution installs (Debian 12: node-llhttp), compiled into this build. The
# result is SOON_HTTP, and for the library to use it the target soon_llhttp.

option(SOON_HTTP_WANTED "Build HTTP when llhttp is there" ON)
set(SOON_HTTP OFF)
set(SOON_LLHTTP_OBJECTS "")

if(SOON_HTTP_WANTED)
	pkg_check_modules(llhttp IMPORTED_TARGET libllhttp)
	find_path(SOON_LLHTTP_DIR llhttp.c PATHS /usr/share/llhttp NO_DEFAULT_PATH)
	find_path(SOON_LLHTTP_INCLUDE llhttp.h PATHS /usr/share/include/llhttp /usr/share/llhttp
		NO_DEFAULT_PATH)
endif()

if(llhttp_FOUND)
	set(SOON_HTTP ON)
	add_library(soon_llhttp INTERFACE)
	target_link_libraries(soon_llhttp INTERFACE PkgConfig::llhttp)
	list(APPEND SOON_LINK PkgConfig::llhttp)
	list(APPEND SOON_STATIC_NAMES llhttp)
	message(STATUS "soon: HTTP on, llhttp ${llhttp_VERSION} from the system")
elseif(SOON_LLHTTP_DIR AND SOON_LLHTTP_INCLUDE)
	set(SOON_HTTP ON)
	add_library(soon_llhttp OBJECT
		${SOON_LLHTTP_DIR}/api.c
		${SOON_LLHTTP_DIR}/http.c
		${SOON_LLHTTP_DIR}/llhttp.c)
	target_include_directories(soon_llhttp SYSTEM PUBLIC ${SOON_LLHTTP_INCLUDE})
	target_compile_options(soon_llhttp PRIVATE -w)
	# llhttp before 9 knows two modes; this is the one that later ones have left.
	target_compile_definitions(soon_llhttp PUBLIC LLHTTP_STRICT_MODE=1)
	set_target_properties(soon_llhttp PROPERTIES
		POSITION_INDEPENDENT_CODE ON
		C_VISIBILITY_PRESET hidden)
	set(SOON_LLHTTP_OBJECTS $<TARGET_OBJECTS:soon_llhttp>)
	message(STATUS "soon: HTTP on, llhttp compiled from ${SOON_LLHTTP_DIR}")
else()
	message(STATUS "soon: HTTP off, llhttp not found "
		"(Debian 13: libllhttp-dev, Debian 12: node-llhttp)")
endif()
