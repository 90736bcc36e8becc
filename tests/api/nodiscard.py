#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""nodiscard.py HEADER...: each public function that gives a result asks for it to be looked at.

Exceptions are what ends something, which may happen on the way out of a failure that matters more,
and what tells a value and no result.
"""
import pathlib
import re
import sys

ENDS = re.compile(
    r"_(close|unlock|release|leave|set|clear|signal|signal_nowait|broadcast|abort|reset|resize)$")
VALUES = {"soon_http_minor", "soon_stream_fd"}
DECLARATION = re.compile(r"^SOON_API\s+([^;{]*);", re.M)
RESULT = re.compile(r"(?:SOON_COLD\s+)?(?:int|ssize_t)\s+(soon_\w+)\s*\(")


def unmarked(path):
    text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S)
    for declaration in DECLARATION.findall(text):
        match = RESULT.match(declaration)
        if match and not ENDS.search(match[1]) and match[1] not in VALUES:
            yield match[1]


def main():
    findings = [f"{path}: {name} has a result but no SOON_NODISCARD"
                for path in map(pathlib.Path, sys.argv[1:]) for name in unmarked(path)]
    print("\n".join(findings) or f"{len(sys.argv) - 1} headers checked")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
