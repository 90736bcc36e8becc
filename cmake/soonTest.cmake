# SPDX-License-Identifier: Apache-2.0

# soon_test_fake(<target> <function>...): calls of these functions in the target go to what
# SOON_FAKE() of <soon/fake.h> defines; the originals are SOON_REAL(function).
function(soon_test_fake target)
	foreach(name IN LISTS ARGN)
		target_link_options(${target} PRIVATE "-Wl,--wrap=${name}")
	endforeach()
endfunction()
