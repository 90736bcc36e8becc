# SPDX-License-Identifier: Apache-2.0
# What the library links. Each dependency fills two lists: the targets of this build, and the plain
# names that the installed static library needs.

find_package(PkgConfig REQUIRED)
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

pkg_check_modules(liburing REQUIRED IMPORTED_TARGET "liburing>=2.3")

set(SOON_LINK Threads::Threads PkgConfig::liburing)
set(SOON_STATIC_NAMES uring)

# An allocator that a sanitizer or Valgrind cannot see through is off under them.
set(SOON_USE_JEMALLOC OFF)
if(SOON_MALLOC STREQUAL "jemalloc")
	pkg_check_modules(jemalloc REQUIRED IMPORTED_TARGET jemalloc)
	set(SOON_USE_JEMALLOC ON)
elseif(SOON_MALLOC STREQUAL "auto" AND NOT SOON_SANITIZE AND NOT SOON_VALGRIND)
	pkg_check_modules(jemalloc IMPORTED_TARGET jemalloc)
	set(SOON_USE_JEMALLOC ${jemalloc_FOUND})
elseif(NOT SOON_MALLOC MATCHES "^(auto|libc)$")
	message(FATAL_ERROR "SOON_MALLOC: '${SOON_MALLOC}' is none of auto, jemalloc, libc")
endif()

if(SOON_USE_JEMALLOC)
	list(APPEND SOON_LINK PkgConfig::jemalloc)
	list(APPEND SOON_STATIC_NAMES jemalloc)
	message(STATUS "soon: malloc is jemalloc ${jemalloc_VERSION}")
else()
	message(STATUS "soon: malloc is libc")
endif()
