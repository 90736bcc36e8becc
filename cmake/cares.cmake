# SPDX-License-Identifier: Apache-2.0
# The resolver. With c-ares (Debian: libc-ares-dev) tasks wait for name servers themselves; without
# it getaddrinfo does, on threads. The result is SOON_ARES; soon_resolver() tells it to programs.

option(SOON_ARES_WANTED "Resolve names by c-ares when it is there" ON)
set(SOON_ARES OFF)

if(SOON_ARES_WANTED)
	pkg_check_modules(cares IMPORTED_TARGET "libcares>=1.18")
endif()

if(cares_FOUND)
	set(SOON_ARES ON)
	list(APPEND SOON_LINK PkgConfig::cares)
	list(APPEND SOON_STATIC_NAMES cares)
	message(STATUS "soon: names by c-ares ${cares_VERSION}")
else()
	message(STATUS "soon: names by getaddrinfo on threads, c-ares not found (libc-ares-dev)")
endif()
