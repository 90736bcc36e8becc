#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""examples.py OUT PROGRAM [ARG]...: what an example prints is what the guides say that it prints.

OUT holds it, with N for line numbers and T for durations; `--write` before it writes it anew.
"""
import difflib
import pathlib
import re
import subprocess
import sys


def normal(text):
    text = re.sub(r"\S*/([\w.]+):\d+", r"\1:N", text)
    text = re.sub(r"\b(at=[\w.]+:|thread=)\d+", r"\1N", text)
    return re.sub(r"\b\d+(\.\d+)? (ns|us|ms|s)\b", "T", text)


def main():
    args = sys.argv[1:]
    write = args[0] == "--write"
    out, *command = args[1:] if write else args
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=50, check=False)
    got = normal(run.stdout)
    path = pathlib.Path(out)
    if write:
        path.write_text(got)
    diff = list(difflib.unified_diff(path.read_text().splitlines(True), got.splitlines(True),
                                     path.name, "printed"))
    sys.stdout.writelines(diff)
    if run.returncode:
        print(f"{command[0]}: exit status {run.returncode}")
    return 1 if diff or run.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
