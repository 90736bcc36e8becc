# SPDX-License-Identifier: Apache-2.0
# Warnings are a property of our own targets, never a global flag: a user who adds this tree as
# a subdirectory keeps their own.

set(SOON_WARNINGS
	-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes
	-Wmissing-prototypes -Wold-style-definition -Wcast-qual -Wwrite-strings -Wpointer-arith
	-Wvla -Walloca -Wundef -Wformat=2 -Wnull-dereference -Wdouble-promotion
	-Wimplicit-fallthrough -Wswitch-enum -Wredundant-decls -Wnested-externs
	-Wbad-function-cast -Wdate-time -Wunused-macros)

set(SOON_WARNINGS_GNU
	-Wcast-align=strict -Wformat-signedness -Wimplicit-fallthrough=5 -Wduplicated-cond
	-Wduplicated-branches -Wlogical-op -Wjump-misses-init -Warith-conversion -Wtrampolines)

set(SOON_WARNINGS_CLANG
	-Wthread-safety -Wshorten-64-to-32 -Wmissing-variable-declarations -Wextra-semi
	-Wdocumentation -Wcomma -Wassign-enum)

# A task stack is small, so these are correctness. Sanitizers and -O0 blow frames up several times
# over, and the limit is about the code we ship.
set(SOON_WARNINGS_STACK -Wframe-larger-than=1024)
set(SOON_WARNINGS_STACK_GNU -Wstack-usage=2048)

# What holds for a test: Criterion's macros define external functions, use extensions, and compare
# a count with a length, which clang sees through where gcc does not.
set(SOON_WARNINGS_TEST -Wall -Wextra -Wshadow -Wwrite-strings -Wvla -Wformat=2 -Wundef
	-Wimplicit-fallthrough -Wno-sign-compare)

# soon_warnings(<target> [TEST])
function(soon_warnings target)
	cmake_parse_arguments(PARSE_ARGV 1 arg "TEST" "" "")
	set(flags ${SOON_WARNINGS_TEST})
	if(NOT arg_TEST)
		set(flags ${SOON_WARNINGS})
		if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
			list(APPEND flags ${SOON_WARNINGS_GNU})
		else()
			list(APPEND flags ${SOON_WARNINGS_CLANG})
		endif()
		if(NOT SOON_SANITIZE)
			list(APPEND flags ${SOON_WARNINGS_STACK})
			if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
				list(APPEND flags ${SOON_WARNINGS_STACK_GNU})
			endif()
		endif()
	endif()
	if(SOON_WERROR)
		list(APPEND flags -Werror)
	endif()
	target_compile_options(${target} PRIVATE "$<$<COMPILE_LANGUAGE:C>:${flags}>")
endfunction()
