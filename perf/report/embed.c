// SPDX-License-Identifier: Apache-2.0
/* embed.c: the files that are part of the page, as texts of the program. */
#include "page.h"

#define EMBED(name, file)                                                                          \
	__asm__(".pushsection .rodata\n"                                                           \
		".globl " #name "\n"                                                               \
		".type " #name ", %object\n" #name ":\n"                                           \
		".incbin \"" file "\"\n"                                                           \
		".byte 0\n"                                                                        \
		".size " #name ", . - " #name "\n"                                                 \
		".popsection\n")

EMBED(page_style, "style.css");
EMBED(page_script, "hover.js");
