#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a reviewer would say three times: layers, forbidden constructs, sizes, form.

    tools/tidy.py [--root FOLDER] [--stats]

Prints one `file:line: rule: message` per finding and exits 1 if there is any. The rules are the
tables below; CONTRIBUTING.md says why they are what they are.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

FILE_LINES_MAX = 800
HEADER_LINES_MAX = 250
FUNCTION_LINES_MAX = 70
COLUMNS_MAX = 100
TAB_COLUMNS = 8
CLANG_FORMAT_MAJOR = 14

LIBRARY = ("core/", "uring/", "net/")
C_SUFFIXES = (".c", ".h")
SCRIPT_SUFFIXES = (".py", ".sh", ".cmake")
SCRIPT_NAMES = ("CMakeLists.txt", "dev", "run")
BINARY_SUFFIXES = (".png", ".gz", ".xz", ".zst", ".bin", ".ico", ".pdf")
# Inputs of tests and recorded results are data, whatever they contain.
DATA_FOLDERS = ("perf/results/", "tests/fuzz/corpus/")


@dataclass(frozen=True)
class Zone:
    """What the files under a folder may include."""

    prefix: str
    public: tuple  # the layers whose <soon/...> headers are visible
    private: tuple = ()  # the folders whose "..." headers are visible
    sibling: bool = False  # "core/spi/..."


ALL = ("core", "uring", "net")
TESTED = (*ALL, "tests/kit")
HELPERS = ("tests/support", "tests/kit")

# Who may include whom; the first match holds.
ZONES = (
    Zone("core/include/", ("core",)),
    Zone("uring/include/", ("core", "uring")),
    Zone("net/include/", ALL),
    Zone("core/", ("core",), ("core",), sibling=True),
    Zone("uring/", ("core", "uring"), ("uring",), sibling=True),
    Zone("net/", ALL, ("net",)),
    # It knows soon by a table of functions only.
    Zone("tools/guard/", ("core",), ("tools/guard",), sibling=True),
    Zone("tests/unit/core/", TESTED, ("tests/unit/core", *HELPERS, "core"), sibling=True),
    Zone("tests/unit/uring/", TESTED, ("tests/unit/uring", *HELPERS, "uring"), sibling=True),
    Zone("tests/unit/net/", TESTED, ("tests/unit/net", *HELPERS, "net"), sibling=True),
    Zone("tests/unit/perf/", (*TESTED, "perf"), ("tests/unit/perf", *HELPERS, "perf")),
    Zone("tests/arch/", ("core",), (*HELPERS, "core")),
    Zone("tests/model/", ("core",), ("tests/model", "core")),
    Zone("tests/fuzz/", ALL, ("tests/fuzz", *HELPERS, "core", "net", "perf")),
    Zone("tests/sim/", ALL, ("tests/sim", *HELPERS, "core"), sibling=True),
    Zone("tests/kit/include/", TESTED),
    Zone("tests/kit/", TESTED, ("tests/kit", "net/spi"), sibling=True),
    Zone("tests/support/", TESTED, ("tests/support",), sibling=True),
    Zone("tests/", (*TESTED, "perf"), ("tests",)),
    # The switch and the timer wheel are measured by themselves; nothing public shows them.
    Zone("perf/include/", ("core", "perf")),
    Zone("perf/micro/", ALL, ("perf", "core"), sibling=True),
    Zone("perf/", (*ALL, "perf"), ("perf",)),
    Zone("examples/", (*TESTED, "perf"), ("examples",)),
    Zone("tools/", ALL, ("tools",)),
)

# System headers that belong to few: pattern, where they are allowed, why not elsewhere.
SYSTEM_HEADERS = (
    (r"liburing", r"uring/|tests/unit/uring/|perf/(baseline|peers)/",
     "only uring/ knows the ring"),
    (r"jemalloc/", r"core/mem\.c$", "the allocator is behind core/mem.c"),
    (r"(sanitizer|valgrind)/", r".*_san\.h$|tests/|perf/", "hooks live in one header, *_san.h"),
    (r"poll\.h", r"(?!core/)|core/log_(sink|last)\.c$", "in core only the log waits for a file"),
    (r"sys/(socket|epoll|eventfd|timerfd|signalfd|un)\.h|netinet/|arpa/|netdb\.h",
     r"(?!core/)", "core never sees a file descriptor"),
    (r"assert\.h", r"(?!(core|uring|net)/)", "use <soon/assert.h>, which stays on in every build"),
    (r"(setjmp|alloca)\.h", r"(?!)", "no jump across frames, no unbounded frame"),
)

# Words that C code may not use: pattern, where they are allowed, what to do instead.
WORDS = (
    (r"_?_?(sig)?(set|long)jmp", r"(?!)", "a task unwinds by returning"),
    (r"alloca|__builtin_alloca", r"(?!)", "a task stack is small: name a limit"),
    (r"(strcpy|strcat|sprintf|vsprintf|gets|strtok|stpcpy)(?=\s*\()", r"(?!)",
     "has no bound: use snprintf or memcpy"),
    (r"(malloc|calloc|realloc|free|strdup|strndup|posix_memalign|aligned_alloc)(?=\s*\()",
     r"core/mem\.c$|net/dns_files\.c$|(?!(core|uring|net)/)", "use soon_malloc and its family"),
    (r"(printf|fprintf|vprintf|vfprintf|dprintf|puts|fputs|putchar|perror)(?=\s*\()",
     r"core/report\.c$|(?!(core|uring|net)/)", "the library does not print: file a report"),
    (r"(?<!-)errno(?!\.h)", r"(?!(core|uring|net)/)",
     "another task may run before it is read: turn it into a result at once, -errno"),
    (r"atomic_thread_fence|__sync_synchronize", r"(?!)",
     "put the order on the atomic itself: ThreadSanitizer does not see fences"),
    (r"assert(?=\s*\()", r"(?!(core|uring|net)/)", "use SOON_ASSERT"),
)

# The files of the library that may look at errno otherwise than by -errno, right after the call.
ERRNO_ALLOWED = (
    "core/capture.c", "core/dump.c", "core/futex.c", "core/interrupt.c", "core/quit.c",
    "core/stack.c", "core/text.c", "net/bind.c", "net/dns_ares.c", "net/dns_files.c",
    "net/dns_libc.c", "net/listener.c", "uring/epoll.c", "uring/ring.c", "uring/signal.c",
    "uring/signal_table.c")

LEFTOVER = re.compile(r"\b(TODO|FIXME|XXX)\b(?!\(#\d+\))")
MACHINE_PATH = re.compile(r"(?<![\w.}])/(?:home|root|work)/")
GNU_SOURCE = re.compile(r"^\s*#\s*define\s+_GNU_SOURCE")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
SPDX = "SPDX-License-Identifier: Apache-2.0"


@dataclass
class Source:
    path: str  # from the root, with /
    text: str
    lines: list = field(init=False)
    code: list = field(init=False)  # the lines without comments and strings

    def __post_init__(self):
        self.lines = self.text.split("\n")
        if self.lines and not self.lines[-1]:
            self.lines.pop()
        self.code = strip_c(self.text).split("\n") if self.is_c else []

    @property
    def is_c(self):
        return self.path.endswith(C_SUFFIXES)

    @property
    def is_script(self):
        name = self.path.rsplit("/", 1)[-1]
        return self.path.endswith(SCRIPT_SUFFIXES) or name in SCRIPT_NAMES


def strip_c(text):
    """Blanks comments, strings and characters, keeping every line where it is."""
    token = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
    return token.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


# Each check takes a Source and the root and yields (line, rule, message).


def check_includes(src, root):
    if not src.path.endswith((".c", ".h", ".S")):
        return
    zone = next((z for z in ZONES if src.path.startswith(z.prefix)), None)
    if not zone:
        return
    for number, line in enumerate(src.lines, 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        kind, target = match.groups()
        message = (check_quoted(src, zone, target, root) if kind == '"' else
                   check_angled(src, zone, target, root))
        if message:
            yield number, "include", message


def check_angled(src, zone, target, root):
    if target.startswith("soon/"):
        if not any((root / layer / "include" / target).is_file() for layer in zone.public):
            return f"<{target}> is not a public header of {', '.join(zone.public)}"
        return None
    for pattern, allowed, why in SYSTEM_HEADERS:
        if re.match(pattern, target) and not re.match(allowed, src.path):
            return f"<{target}>: {why}"
    return None


def check_quoted(src, zone, target, root):
    if target.startswith("core/spi/"):
        return None if zone.sibling else f'"{target}" is for the layers only'
    places = [Path(src.path).parent, *map(Path, zone.private), Path("tests")]
    if not src.path.startswith(LIBRARY):
        places.append(Path())
    for place in places:
        found = os.path.normpath(place / target)
        if (root / found).is_file() and any(is_under(found, p) for p in zone.private):
            return None
    return f'"{target}" is not among what {zone.prefix} may include'


def is_under(path, folder):
    return path.startswith(folder + "/")


def check_words(src, root):
    if not src.is_c:
        return
    for number, line in enumerate(src.code, 1):
        for pattern, allowed, instead in WORDS:
            match = re.search(rf"(?<![\w.>])(?:{pattern})\b", line)
            if not match or re.match(allowed, src.path) or INCLUDE.match(line):
                continue
            if match.group().startswith("errno") and src.path in ERRNO_ALLOWED:
                continue
            yield number, "forbidden", f"{match.group().strip()}: {instead}"
        if GNU_SOURCE.match(line):
            yield number, "forbidden", "_GNU_SOURCE: the build defines it"


def check_text(src, root):
    for number, line in enumerate(src.lines, 1):
        if line != line.rstrip():
            yield number, "white space", "trailing white space"
        if MACHINE_PATH.search(line):
            yield number, "machine path", "an absolute path of somebody's machine"
        if (src.is_c or src.is_script) and LEFTOVER.search(line) and "LEFTOVER" not in line:
            yield number, "leftover", "needs an issue: write it with (#number)"
    if src.text and not src.text.endswith("\n"):
        yield len(src.lines), "white space", "no newline at the end"
    if src.text.endswith("\n\n"):
        yield len(src.lines), "white space", "empty line at the end"


def check_columns(src, root):
    if not src.path.endswith((".c", ".h", ".S", ".py")):
        return
    for number, line in enumerate(src.lines, 1):
        if len(line.expandtabs(TAB_COLUMNS)) > COLUMNS_MAX:
            yield number, "size", f"more than {COLUMNS_MAX} columns"


def check_licence(src, root):
    if src.path.endswith((".c", ".h", ".S")):
        if not src.lines or src.lines[0] != f"// {SPDX}":
            yield 1, "licence", f"the first line is not: // {SPDX}"
    elif src.is_script and f"# {SPDX}" not in src.lines[:2]:
        yield 1, "licence", f"the first two lines lack: # {SPDX}"


def check_sizes(src, root):
    if not src.path.endswith((".c", ".h", ".S", ".py", ".sh")):
        return
    limit = HEADER_LINES_MAX if src.path.endswith(".h") else FILE_LINES_MAX
    if len(src.lines) > limit:
        yield len(src.lines), "size", f"{len(src.lines)} lines, at most {limit}"
    for start, name, length in functions(src):
        if length > FUNCTION_LINES_MAX:
            yield start, "size", f"{name}: {length} lines, at most {FUNCTION_LINES_MAX}"


def functions(src):
    """Yields (first line, name, lines between the braces); the form makes them easy to find."""
    start = None
    for number, line in enumerate(src.code, 1):
        if line.startswith("{") and number > 1:
            start = number
        elif line.startswith("}") and start:
            head = " ".join(src.code[max(0, start - 4):start - 1])
            names = re.findall(r"\b(\w+)\s*\(", head)
            if line.rstrip() == "}" and names:
                yield start, names[-1], number - start - 1
            start = None


CHECKS = (check_includes, check_words, check_text, check_columns, check_licence, check_sizes)


def find_clang_format():
    for name in (f"clang-format-{CLANG_FORMAT_MAJOR}", "clang-format"):
        program = shutil.which(name)
        if not program:
            continue
        version = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
        if re.search(rf"version {CLANG_FORMAT_MAJOR}\.", version):
            return program
    return None


def check_format(sources, root):
    """Yields (path, line, rule, message), one for each file that clang-format would change."""
    paths = [s.path for s in sources if s.is_c]
    program = find_clang_format()
    if not program:
        print(f"tidy: formatting not checked, clang-format {CLANG_FORMAT_MAJOR} is not installed")
        return
    if not paths:
        return
    result = subprocess.run([program, "--dry-run", "--ferror-limit=1", *paths], cwd=root,
                            capture_output=True, text=True)
    seen = set()
    finding = re.compile(r"^(\S+?):(\d+):\d+: \w+: code should be clang-formatted", re.M)
    for match in finding.finditer(result.stderr):
        if match.group(1) not in seen:
            seen.add(match.group(1))
            yield match.group(1), int(match.group(2)), "format", "run ./dev fmt"


def list_files(root):
    """The files that are, or would be, in the repository."""
    git = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                         cwd=root, capture_output=True)
    if git.returncode == 0 and (root / ".git").exists():
        names = git.stdout.decode().split("\0")
    else:
        names = [str(p.relative_to(root)) for p in root.rglob("*")]
    return sorted({n for n in names if n and (root / n).is_file() and not n.startswith("build/")})


def load(root):
    for name in list_files(root):
        if name.endswith(BINARY_SUFFIXES) or name.startswith(DATA_FOLDERS) or name == "LICENSE":
            continue
        try:
            yield Source(name, (root / name).read_text())
        except UnicodeDecodeError:
            continue


def findings(sources, root):
    return [(s.path, *found) for s in sources for check in CHECKS for found in check(s, root)]


def print_stats(sources):
    for folder in LIBRARY:
        files = [s for s in sources if s.path.startswith(folder) and s.path.endswith(".c")]
        count = sum(1 for s in files for _ in functions(s))
        asserts = sum(line.count("_ASSERT(") + line.count("_DASSERT(") for s in files
                      for line in s.code)
        print(f"{folder:8}{count:5} functions, {asserts / max(count, 1):.1f} assertions each")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent)
    parser.add_argument("--stats", action="store_true", help="count functions and assertions")
    args = parser.parse_args()

    sources = list(load(args.root))
    if args.stats:
        print_stats(sources)
        return 0
    found = findings(sources, args.root) + list(check_format(sources, args.root))
    for path, line, rule, message in sorted(found):
        print(f"{path}:{line}: {rule}: {message}")
    print(f"tidy: {len(sources)} files, {len(found)} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
