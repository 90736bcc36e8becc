# SPDX-License-Identifier: Apache-2.0
# Sanitizers are the one thing that goes on a whole directory tree: every object of a process has
# to agree on them. A finding is always fatal, otherwise it does not fail a test.

if(SOON_FUZZ AND NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
	message(FATAL_ERROR "SOON_FUZZ needs clang: libFuzzer is part of it")
endif()

if(SOON_SANITIZE)
	foreach(name IN LISTS SOON_SANITIZE)
		if(NOT name MATCHES "^(address|thread|undefined)$")
			message(FATAL_ERROR "SOON_SANITIZE: unknown sanitizer '${name}'")
		endif()
	endforeach()
	list(JOIN SOON_SANITIZE "," soon_sanitizers)
	set(soon_sanitize_flags -fsanitize=${soon_sanitizers} -fno-sanitize-recover=all
		-fno-omit-frame-pointer)
	add_compile_options("$<$<COMPILE_LANGUAGE:C>:${soon_sanitize_flags}>")
	add_link_options(-fsanitize=${soon_sanitizers})
endif()

if(SOON_FUZZ)
	add_compile_options("$<$<COMPILE_LANGUAGE:C>:-fsanitize=fuzzer-no-link>")
endif()
