#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Adds up the tests of several build directories and ends with one line: N passed, N failed.

    tools/summary.py BUILD... [--broken NAME]...

Reads junit.xml of ctest in each BUILD, and in its place, for a Criterion program, the cases of
the report that the program wrote to criterion/. A broken configuration counts as one failure.
"""

import argparse
import json
import sys
import xml.etree.ElementTree as xml
from collections import Counter
from pathlib import Path


def criterion_cases(build, test):
    """The cases of a Criterion program, or None when it wrote no report."""
    name = "".join(c if c.isalnum() else "_" for c in test)
    try:
        report = json.loads((build / "criterion" / f"{name}.json").read_text())
    except (OSError, ValueError):
        return None
    # Crashed ones are among the failed.
    return Counter({key: report[key] for key in ("passed", "failed", "skipped")})


def count(build):
    """Returns the counts of one build directory and the names of what failed or was skipped."""
    total, failed, skipped = Counter(), [], []
    for case in xml.parse(build / "junit.xml").iter("testcase"):
        name, status = case.get("name"), case.get("status")
        is_failed = status == "fail" or case.find("failure") is not None
        is_skipped = not is_failed and status in ("notrun", "disabled")
        cases = criterion_cases(build, name)
        if cases is None or is_failed > bool(cases["failed"]):
            # One program, one test; also when it ended badly after its cases went well.
            cases = (cases or Counter()) + Counter(
                {"failed" if is_failed else "skipped" if is_skipped else "passed": 1})
        if is_failed:
            failed.append(name)
        if is_skipped:
            skipped.append(name)
        total += cases
    return total, failed, skipped


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("builds", nargs="*", type=Path)
    parser.add_argument("--broken", action="append", default=[])
    args = parser.parse_args()

    total = Counter()
    for build in args.builds:
        try:
            counts, failed, skipped = count(build)
        except (OSError, xml.ParseError) as error:
            args.broken.append(f"{build.name}: {error}")
            continue
        total += counts
        print(f"{build.name:12}{counts['passed']:6} passed{counts['failed']:5} failed"
              f"{counts['skipped']:5} skipped")
        for name in failed:
            print(f"    FAILED  {name}")
        for name in skipped:
            print(f"    skipped {name}")
    for name in args.broken:
        print(f"{name:12} BROKEN: see above")
        total["failed"] += 1
    print(f"{total['passed']} passed, {total['failed']} failed")
    return 1 if total["failed"] or not total["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
