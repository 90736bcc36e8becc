# SPDX-License-Identifier: Apache-2.0
# OpenSSL 3 for TLS. The result is SOON_TLS, and for net the target PkgConfig::openssl. Without it
# the functions of <soon/tls.h> are there and give -EOPNOTSUPP.

option(SOON_TLS_WANTED "Build TLS when OpenSSL 3 is there" ON)
set(SOON_TLS OFF)

if(SOON_TLS_WANTED)
	pkg_check_modules(openssl IMPORTED_TARGET "openssl>=3.0")
endif()

if(openssl_FOUND)
	set(SOON_TLS ON)
	list(APPEND SOON_LINK PkgConfig::openssl)
	list(APPEND SOON_STATIC_NAMES ssl crypto)
	message(STATUS "soon: TLS on, OpenSSL ${openssl_VERSION}")
else()
	message(STATUS "soon: TLS off, OpenSSL 3 not found (Debian: libssl-dev)")
endif()
