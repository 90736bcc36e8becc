# SPDX-License-Identifier: Apache-2.0
# How tests are declared. A test is named after its folder: `soon_add_unit_test(timer ...)` in
# tests/unit/core is the ctest test "unit/core/timer" and the executable unit_core_timer.
#
# LABELS carry two decisions: a test labelled `tsan` is what ThreadSanitizer builds, one labelled
# `valgrind` is what runs under Valgrind. Under both, Criterion's cases have a runner of ours.

set(SOON_FUZZ_SECONDS 20 CACHE STRING "How long ctest runs each fuzz target with SOON_FUZZ")

pkg_check_modules(criterion IMPORTED_TARGET criterion)
if(SOON_VALGRIND)
	find_program(SOON_VALGRIND_PROGRAM valgrind REQUIRED)
	set(SOON_TEST_WRAPPER ${SOON_VALGRIND_PROGRAM} --quiet --trace-children=yes --show-leak-kinds=definite
		--errors-for-leak-kinds=definite --error-exitcode=99
		"--suppressions=${PROJECT_SOURCE_DIR}/tests/support/valgrind.supp")
	set(SOON_TEST_SLOWNESS 10)
elseif(SOON_SANITIZE)
	set(SOON_TEST_WRAPPER "")
	set(SOON_TEST_SLOWNESS 4)
else()
	set(SOON_TEST_WRAPPER "")
	set(SOON_TEST_SLOWNESS 1)
endif()

# soon_add_unit_test(<name> SOURCES <file>... [LABELS <label>...] [LINK <target>...]
#                    [TIMEOUT <seconds>])
# Criterion cases, on the real thing (static, so that private functions can be reached). Under
# tests/unit/<layer> the private headers of that layer may be included.
function(soon_add_unit_test name)
	cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "SOURCES;LABELS;LINK")
	if(NOT criterion_FOUND)
		return()
	endif()
	# tools/summary.py counts the cases of each program from its report.
	file(MAKE_DIRECTORY "${PROJECT_BINARY_DIR}/criterion")
	soon__test_name("${name}" target test)
	soon__test_target("${name}" "${arg_SOURCES}" "${arg_LABELS}" "${arg_TIMEOUT}" target test
		"--json=${PROJECT_BINARY_DIR}/criterion/${target}.json")
	if(target)
		target_link_libraries(${target} PRIVATE ${arg_LINK})
		if(SOON_VALGRIND OR SOON_SANITIZE MATCHES "thread")
			target_sources(${target} PRIVATE "${PROJECT_SOURCE_DIR}/tests/support/forking_main.c")
			target_include_directories(${target} SYSTEM PRIVATE ${criterion_INCLUDE_DIRS})
		else()
			target_link_libraries(${target} PRIVATE PkgConfig::criterion)
		endif()
		# The harness asks for leaks itself. At the exit of a process that dies on purpose,
		# Valgrind would read through the whole reservation of its stacks.
		set_tests_properties(${test} PROPERTIES ENVIRONMENT "VALGRIND_OPTS=--leak-check=no")
	endif()
endfunction()

# soon_add_program_test(<name> SOURCES <file>... [LABELS <label>...] [LINK <target>...]
#                       [TIMEOUT <seconds>])
# A program with its own main: exit 0 passes, 77 skips, anything else fails.
function(soon_add_program_test name)
	cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "SOURCES;LABELS;LINK")
	soon__test_target("${name}" "${arg_SOURCES}" "${arg_LABELS}" "${arg_TIMEOUT}" target test)
	if(target)
		target_link_libraries(${target} PRIVATE ${arg_LINK})
		set_tests_properties(${test} PROPERTIES ENVIRONMENT "VALGRIND_OPTS=--leak-check=full")
	endif()
endfunction()

# soon_add_script_test(<name> COMMAND <program> <arg>... [LABELS <label>...] [TIMEOUT <seconds>])
# For what drives built programs from outside. Not run under ThreadSanitizer or Valgrind.
function(soon_add_script_test name)
	cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "COMMAND;LABELS")
	if(SOON_SANITIZE MATCHES "thread" OR SOON_VALGRIND)
		return()
	endif()
	soon__test_name("${name}" target test)
	add_test(NAME ${test} COMMAND ${arg_COMMAND})
	soon__test_properties(${test} "${arg_LABELS}" "${arg_TIMEOUT}")
	soon__test_remember(${test} "${arg_LABELS}" "${arg_TIMEOUT}" ${arg_COMMAND})
endfunction()

# soon_add_aarch64_test(<name> SOURCES <absolute path>...)
# A freestanding program for the other architecture, run under qemu's user emulation; skipped where
# cross compiler or emulator are missing.
function(soon_add_aarch64_test name)
	cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES")
	if(SOON_SANITIZE OR SOON_VALGRIND OR NOT CMAKE_C_COMPILER_ID STREQUAL "GNU")
		return()
	endif()
	find_program(SOON_AARCH64_GCC aarch64-linux-gnu-gcc)
	find_program(SOON_AARCH64_QEMU NAMES qemu-aarch64 qemu-aarch64-static)
	if(NOT SOON_AARCH64_GCC OR NOT SOON_AARCH64_QEMU)
		soon_add_script_test(${name} COMMAND "${CMAKE_COMMAND}" -E false)
		soon__test_name("${name}" target test)
		set_tests_properties(${test} PROPERTIES DISABLED ON)
		return()
	endif()
	set(program "${CMAKE_CURRENT_BINARY_DIR}/${name}")
	add_custom_command(OUTPUT "${program}"
		COMMAND "${SOON_AARCH64_GCC}" -static -std=gnu17 -O2 -g -D_GNU_SOURCE
			-iquote "${PROJECT_SOURCE_DIR}/core" -iquote "${PROJECT_SOURCE_DIR}/tests"
			-I "${PROJECT_SOURCE_DIR}/core/include"
			${arg_SOURCES} -lm -o "${program}"
		DEPENDS ${arg_SOURCES}
		VERBATIM)
	soon__test_name("${name}" target test)
	add_custom_target(${target} ALL DEPENDS "${program}")
	soon_add_script_test(${name} COMMAND "${SOON_AARCH64_QEMU}" "${program}")
endfunction()

# soon_add_fuzz_test(<name> SOURCES <file>... CORPUS <folder>)
# With SOON_FUZZ a libFuzzer program that ctest runs for a moment; otherwise the same code with a
# plain driver that runs the corpus once, so that every found input stays a test.
function(soon_add_fuzz_test name)
	cmake_parse_arguments(PARSE_ARGV 1 arg "" "CORPUS" "SOURCES")
	set(corpus "${CMAKE_CURRENT_SOURCE_DIR}/${arg_CORPUS}")
	if(NOT SOON_FUZZ)
		list(APPEND arg_SOURCES "${PROJECT_SOURCE_DIR}/tests/support/fuzz_main.c")
	endif()
	set(arguments "${corpus}")
	if(SOON_FUZZ)
		# What it finds goes to the first folder, which is therefore not the source's.
		set(found "${CMAKE_CURRENT_BINARY_DIR}/${name}_found")
		file(MAKE_DIRECTORY "${found}")
		set(arguments -max_total_time=${SOON_FUZZ_SECONDS} "${found}" "${corpus}")
	endif()
	soon__test_target("${name}" "${arg_SOURCES}" "fuzz" "" target test ${arguments})
	if(target AND SOON_FUZZ)
		target_link_options(${target} PRIVATE -fsanitize=fuzzer)
	endif()
endfunction()

function(soon__test_name name ret_target ret_test)
	file(RELATIVE_PATH folder "${PROJECT_SOURCE_DIR}/tests" "${CMAKE_CURRENT_SOURCE_DIR}")
	if(NOT folder)
		set(test "${name}")
	else()
		set(test "${folder}/${name}")
	endif()
	string(REGEX REPLACE "[^A-Za-z0-9]" "_" target "${test}")
	set(${ret_target} "${target}" PARENT_SCOPE)
	set(${ret_test} "${test}" PARENT_SCOPE)
endfunction()

# What soon_test_again() needs.
function(soon__test_remember test labels timeout)
	set_property(GLOBAL PROPERTY SOON_TEST_COMMAND_${test} "${ARGN}")
	set_property(GLOBAL PROPERTY SOON_TEST_LABELS_${test} "${labels}")
	set_property(GLOBAL PROPERTY SOON_TEST_TIMEOUT_${test} "${timeout}")
endfunction()

# soon_test_again(<test> <suffix> [ENVIRONMENT <variable>=<value>...] [LAUNCHER <command>...])
# One more run of a test that is declared, as <test>-<suffix>; nothing where it is not.
function(soon_test_again test suffix)
	cmake_parse_arguments(PARSE_ARGV 2 arg "" "" "ENVIRONMENT;LAUNCHER")
	get_property(command GLOBAL PROPERTY SOON_TEST_COMMAND_${test})
	if(NOT command)
		return()
	endif()
	get_property(labels GLOBAL PROPERTY SOON_TEST_LABELS_${test})
	get_property(timeout GLOBAL PROPERTY SOON_TEST_TIMEOUT_${test})
	if(suffix STREQUAL "epoll")
		set_property(GLOBAL APPEND PROPERTY SOON_TESTS_ON_EPOLL ${test})
	endif()
	string(REPLACE ".json" "_${suffix}.json" command "${command}")
	add_test(NAME ${test}-${suffix} COMMAND ${arg_LAUNCHER} ${command})
	soon__test_properties(${test}-${suffix} "${labels}" "${timeout}")
	set_tests_properties(${test}-${suffix} PROPERTIES
		ENVIRONMENT "VALGRIND_OPTS=--leak-check=no;${arg_ENVIRONMENT}")
endfunction()

function(soon__test_properties test labels timeout)
	if(NOT timeout)
		set(timeout 60)
	endif()
	math(EXPR timeout "${timeout} * ${SOON_TEST_SLOWNESS}")
	set_tests_properties(${test} PROPERTIES
		TIMEOUT ${timeout}
		SKIP_RETURN_CODE 77
		LABELS "${labels}")
endfunction()

# Sets no target where the test does not belong into this build. Further arguments go to the program.
function(soon__test_target name sources labels timeout ret_target ret_test)
	set(${ret_target} "" PARENT_SCOPE)
	if(SOON_VALGRIND AND NOT "valgrind" IN_LIST labels)
		return()
	endif()
	if(SOON_SANITIZE MATCHES "thread" AND NOT "tsan" IN_LIST labels)
		return()
	endif()
	soon__test_name("${name}" target test)
	add_executable(${target} ${sources})
	set_target_properties(${target} PROPERTIES
		C_STANDARD 17
		C_STANDARD_REQUIRED ON
		C_EXTENSIONS ON)
	target_compile_definitions(${target} PRIVATE
		_GNU_SOURCE $<$<BOOL:${SOON_VALGRIND}>:SOON_VALGRIND=1>)
	target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/tests")
	# Only unit tests and simulations know the repository; the others build as a stranger would.
	set(private "")
	if(test MATCHES "^unit/(core|uring|net|perf)/")
		set(private "${PROJECT_SOURCE_DIR}" "${PROJECT_SOURCE_DIR}/${CMAKE_MATCH_1}")
	elseif(test MATCHES "^(arch|sim)/")
		set(private "${PROJECT_SOURCE_DIR}" "${PROJECT_SOURCE_DIR}/core")
	endif()
	foreach(folder IN LISTS private)
		target_compile_options(${target} PRIVATE "SHELL:-iquote ${folder}")
	endforeach()
	target_link_libraries(${target} PRIVATE soon::test_static)
	soon_warnings(${target} TEST)
	add_test(NAME ${test} COMMAND ${SOON_TEST_WRAPPER} $<TARGET_FILE:${target}> ${ARGN})
	soon__test_properties(${test} "${labels}" "${timeout}")
	soon__test_remember(${test} "${labels}" "${timeout}"
		${SOON_TEST_WRAPPER} $<TARGET_FILE:${target}> ${ARGN})
	set(${ret_target} "${target}" PARENT_SCOPE)
	set(${ret_test} "${test}" PARENT_SCOPE)
endfunction()
