#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs tidy.py over a good tree, then over one bad file per rule, and compares the findings."""

import sys
import tempfile
from pathlib import Path

import tidy

SPDX = "// SPDX-License-Identifier: Apache-2.0\n"
# Built here, because tidy.py reads this file too.
MACHINE = "/ho" + "me/somebody/x"
LEFTOVER = "TO" + "DO"

GOOD = {
    "core/include/soon/task.h": SPDX,
    "core/spi/park.h": SPDX + "#include <soon/task.h>\n",
    "core/task.h": SPDX,
    "core/task.c": SPDX + '#include "core/spi/park.h"\n#include "task.h"\n#include <errno.h>\n'
                          "\nint f(void)\n{\n\t/* errno, printf() in a comment */\n"
                          '\treturn g("errno, printf()") ? -ENOMEM : soon_free(x);\n}\n',
    "uring/include/soon/io.h": SPDX + "#include <soon/task.h>\n",
    "uring/ring.h": SPDX,
    "uring/ring.c": SPDX + '#include "core/spi/park.h"\n#include "ring.h"\n#include <liburing.h>\n',
    "net/include/soon/soon.h": SPDX + "#include <soon/io.h>\n",
    "net/http1/parser.h": SPDX,
    "net/http.c": SPDX + '#include <soon/soon.h>\n#include "http1/parser.h"\n',
    "tests/support/harness.h": SPDX,
    "tests/unit/core/task_test.c": SPDX + '#include "core/spi/park.h"\n#include "task.h"\n'
                                          '#include "support/harness.h"\n#include <stdio.h>\n',
    "examples/echo.c": SPDX + f"// {LEFTOVER}(#7): more\n#include <soon/soon.h>\n"
                              "int main(void)\n{\n\tprintf(\"hi\");\n}\n",
    "tools/x.sh": "#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\n",
}

# File, its text, and what tidy has to say about it: (line, rule).
BAD = (
    ("core/a.c", SPDX + "#include <soon/io.h>\n", (2, "include")),
    ("core/a.c", SPDX + '#include "uring/ring.h"\n', (2, "include")),
    ("core/a.c", SPDX + "#include <liburing.h>\n", (2, "include")),
    ("core/a.c", SPDX + "#include <sys/socket.h>\n", (2, "include")),
    ("core/a.c", SPDX + "#include <jemalloc/jemalloc.h>\n", (2, "include")),
    ("core/a.c", SPDX + "#include <setjmp.h>\n", (2, "include")),
    ("core/a.c", SPDX + "#include <sanitizer/asan_interface.h>\n", (2, "include")),
    ("core/include/soon/a.h", SPDX + '#include "task.h"\n', (2, "include")),
    ("uring/a.c", SPDX + '#include "core/task.h"\n', (2, "include")),
    ("uring/a.c", SPDX + "#include <soon/soon.h>\n", (2, "include")),
    ("net/a.c", SPDX + '#include "core/spi/park.h"\n', (2, "include")),
    ("net/a.c", SPDX + "#include <liburing.h>\n", (2, "include")),
    ("net/a.c", SPDX + '#include "nowhere.h"\n', (2, "include")),
    ("perf/a.c", SPDX + '#include "core/task.h"\n', (2, "include")),
    ("examples/a.c", SPDX + '#include "core/spi/park.h"\n', (2, "include")),
    ("tests/e2e/a.c", SPDX + '#include "core/task.h"\n', (2, "include")),
    ("tests/unit/net/a.c", SPDX + '#include "uring/ring.h"\n', (2, "include")),
    ("net/a.c", SPDX + "int x = setjmp(b);\n", (2, "forbidden")),
    ("examples/a.c", SPDX + "void *x = alloca(1);\n", (2, "forbidden")),
    ("examples/a.c", SPDX + "int x = sprintf(a, b);\n", (2, "forbidden")),
    ("net/a.c", SPDX + "char *x = strcpy(a, b);\n", (2, "forbidden")),
    ("net/a.c", SPDX + "int x = errno;\n", (2, "forbidden")),
    ("uring/a.c", SPDX + "int x = printf(a);\n", (2, "forbidden")),
    ("core/a.c", SPDX + "void *x = malloc(1);\n", (2, "forbidden")),
    ("core/a.c", SPDX + "#define _GNU_SOURCE\n", (2, "forbidden")),
    ("core/a.c", SPDX + f"// {LEFTOVER}: later\n", (2, "leftover")),
    ("docs/a.md", f"see {MACHINE}\n", (1, "machine path")),
    ("docs/a.md", "text \n", (1, "white space")),
    ("docs/a.md", "text", (1, "white space")),
    ("core/a.c", "int x;\n", (1, "licence")),
    ("core/a.S", "# SPDX-License-Identifier: Apache-2.0\n", (1, "licence")),
    ("tools/a.sh", "#!/bin/sh\n", (1, "licence")),
    ("core/a.c", SPDX + "int x;\n" * 800, (801, "size")),
    ("core/a.h", SPDX + "int x;\n" * 250, (251, "size")),
    ("core/a.c", SPDX + "int f(void)\n{\n" + "\tx();\n" * 71 + "}\n", (3, "size")),
    ("core/a.c", SPDX + "//" + "x" * 99 + "\n", (2, "size")),
)


def findings(tree):
    """Returns what tidy finds in a tree of {path: text}, as (path, line, rule)."""
    with tempfile.TemporaryDirectory() as folder:
        for path, text in tree.items():
            target = Path(folder, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        return [found[:3] for found in tidy.findings(tidy.load(Path(folder)), Path(folder))]


def main():
    failures = 0
    if found := findings(GOOD):
        print("the good tree has findings:", *found, sep="\n  ")
        failures += 1
    for path, text, (line, rule) in BAD:
        expected = [(path, line, rule)]
        if (found := findings({**GOOD, path: text})) != expected:
            print(f"expected {expected}, found {found}, in:\n{text[:200]}")
            failures += 1
    print(f"tidy_test: {len(BAD) + 1} trees, {failures} wrong")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
