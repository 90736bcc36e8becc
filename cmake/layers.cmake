# SPDX-License-Identifier: Apache-2.0
# Three object libraries, soon_core, soon_uring and soon_net, become one library. A layer sees the
# public headers of the layers below it and of itself, never of those above: the compiler enforces
# that half of the include table, tools/tidy.py the other half.

set(SOON_LAYER_ORDER core uring net)

# Names core/arch/switch_<arch>.S.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$")
	set(SOON_ARCH x86_64)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
	set(SOON_ARCH aarch64)
else()
	message(FATAL_ERROR "soon: no context switch for '${CMAKE_SYSTEM_PROCESSOR}' "
		"(there is one for x86_64 and aarch64)")
endif()

set_property(GLOBAL PROPERTY SOON_LAYERS "")
set_property(GLOBAL PROPERTY SOON_HEADERS "")

# soon_layer(<name> SOURCES <file>... HEADERS <file>... [LINK <target>...] [DEFINE <macro>...])
# Files are relative to the layer's folder; HEADERS are the public ones, include/soon/*.h.
function(soon_layer name)
	cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;HEADERS;LINK;DEFINE")
	list(TRANSFORM arg_HEADERS PREPEND "${CMAKE_CURRENT_SOURCE_DIR}/")
	set_property(GLOBAL APPEND PROPERTY SOON_HEADERS ${arg_HEADERS})
	if(NOT arg_SOURCES)
		return()
	endif()

	set(target soon_${name})
	add_library(${target} OBJECT ${arg_SOURCES})
	set_property(GLOBAL APPEND PROPERTY SOON_LAYERS ${name})
	foreach(layer IN LISTS SOON_LAYER_ORDER)
		target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/${layer}/include")
		if(layer STREQUAL name)
			break()
		endif()
	endforeach()
	# Private headers are found by quotes only: core has a sched.h, and so has the system.
	foreach(folder IN ITEMS "${PROJECT_SOURCE_DIR}" "${CMAKE_CURRENT_SOURCE_DIR}")
		target_compile_options(${target} PRIVATE
			"$<$<COMPILE_LANGUAGE:C>:SHELL:-iquote ${folder}>")
	endforeach()
	target_link_libraries(${target} PRIVATE Threads::Threads ${arg_LINK})
	target_compile_definitions(${target} PRIVATE _GNU_SOURCE ${arg_DEFINE})
	# Who may call what, checked by clang.
	if(CMAKE_C_COMPILER_ID MATCHES "Clang")
		target_compile_definitions(${target} PRIVATE SOON_CHECK_AFFINITY)
	endif()
	if(SOON_VALGRIND)
		target_compile_definitions(${target} PRIVATE SOON_VALGRIND=1)
	endif()
	# Frame pointers let soon_dump() walk the stacks of parked tasks, from a signal handler too.
	target_compile_options(${target} PRIVATE
		"$<$<COMPILE_LANGUAGE:C>:-fno-omit-frame-pointer;-momit-leaf-frame-pointer>")
	# The current core is one load from thread-local storage, also in the shared library; and a
	# call from one public function to another is a plain call.
	target_compile_options(${target} PRIVATE
		"$<$<COMPILE_LANGUAGE:C>:-ftls-model=initial-exec;-fno-semantic-interposition>")
	set_target_properties(${target} PROPERTIES
		C_STANDARD 17
		C_STANDARD_REQUIRED ON
		C_EXTENSIONS ON
		C_VISIBILITY_PRESET hidden
		POSITION_INDEPENDENT_CODE ON)
	soon_warnings(${target})
endfunction()

# The public headers as one target, and the layers as a shared and a static library.
function(soon_library)
	get_property(layers GLOBAL PROPERTY SOON_LAYERS)
	get_property(headers GLOBAL PROPERTY SOON_HEADERS)
	if(NOT layers)
		message(STATUS "soon: no layer has sources, nothing to build")
		return()
	endif()
	list(TRANSFORM layers REPLACE "(.+)" "$<TARGET_OBJECTS:soon_\\1>" OUTPUT_VARIABLE objects)
	list(APPEND objects ${SOON_LLHTTP_OBJECTS})
	list(TRANSFORM SOON_LAYER_ORDER REPLACE "(.+)" "${PROJECT_SOURCE_DIR}/\\1/include"
		OUTPUT_VARIABLE base_dirs)

	add_library(soon_headers INTERFACE)
	target_sources(soon_headers INTERFACE
		FILE_SET HEADERS BASE_DIRS ${base_dirs} FILES ${headers})
	set_target_properties(soon_headers PROPERTIES EXPORT_NAME headers)

	add_library(soon SHARED ${objects})
	target_link_libraries(soon PUBLIC soon_headers PRIVATE ${SOON_LINK})
	set(map "${PROJECT_SOURCE_DIR}/cmake/soon.map")
	target_link_options(soon PRIVATE
		"-Wl,--version-script=${map}" -Wl,-Bsymbolic-functions)
	if(NOT SOON_SANITIZE)
		target_link_options(soon PRIVATE -Wl,-z,defs)
	endif()
	set_target_properties(soon PROPERTIES
		LINKER_LANGUAGE C
		LINK_DEPENDS "${map}"
		VERSION ${PROJECT_VERSION}
		SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})

	add_library(soon_static STATIC ${objects})
	target_link_libraries(soon_static PUBLIC soon_headers)
	foreach(lib IN LISTS SOON_LINK)
		target_link_libraries(soon_static PRIVATE "$<BUILD_INTERFACE:${lib}>")
	endforeach()
	target_link_libraries(soon_static INTERFACE
		"$<INSTALL_INTERFACE:${SOON_STATIC_NAMES}>" "$<INSTALL_INTERFACE:-pthread>")
	set_target_properties(soon_static PROPERTIES LINKER_LANGUAGE C OUTPUT_NAME soon)

	add_library(soon::soon ALIAS soon)
	add_library(soon::soon_static ALIAS soon_static)
endfunction()
