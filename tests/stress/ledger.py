#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Keeps the ledger of handoffs, tests/stress/ledger.txt.

    tests/stress/ledger.py                        adds the ledger up and checks each line
    tests/stress/ledger.py --run PROGRAM [-n N]   runs the program N times, appends one line

PROGRAM is stress_handoffs, better of the release preset. The line names the last commit that
changed what is tested, and is written only when every run accounted for every handoff; a run that
did not is printed and ends this with status 1. Arguments after -- go to PROGRAM, and --wrap gives
a command to run it under, `nice -n 19` for example.

As a test, without arguments, it fails for a line that does not add up or a handoff that was lost.
"""

import argparse
import datetime
import re
import shlex
import subprocess
import sys
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
LEDGER = HERE / "ledger.txt"
TESTED = (":/core", ":/uring")  # from the top, wherever this runs
GOAL = 10**9
SLEEPS_GOAL = 10**7

ENTRY = re.compile(r"(\d{4}-\d\d-\d\d) ([0-9a-f]{7,}) handoffs (\d+) sleeps (\d+) lost (\d+):"
                   r"((?: \w+ \d+/\d+)+)$")
COUNT = re.compile(r"^(\w+) handoffs (\d+) sleeps (\d+) lost (\d+)$", re.M)


def check(number, line):
    """The handoffs, sleeps and lost ones of a line; they must be the sums of its regimes."""
    match = ENTRY.match(line)
    if not match:
        sys.exit(f"ledger.txt:{number}: not a line of the ledger: {line}")
    handoffs, sleeps, lost = (int(match.group(i)) for i in (3, 4, 5))
    regimes = re.findall(r"(\d+)/(\d+)", match.group(6))
    if (handoffs, sleeps) != (sum(int(h) for h, _ in regimes), sum(int(s) for _, s in regimes)):
        sys.exit(f"ledger.txt:{number}: the sums are not those of the regimes")
    return handoffs, sleeps, lost


def add_up(args):
    lines = [(i, line) for i, line in enumerate(args.ledger.read_text().splitlines(), 1)
             if line and not line.startswith("#")]
    sums = [sum(column) for column in zip(*(check(i, line) for i, line in lines))] or [0, 0, 0]
    print(f"{sums[0]:,} handoffs, {sums[1]:,} of them to a core that slept, {sums[2]} lost; "
          f"the goal is {GOAL:,} with {SLEEPS_GOAL:,}")
    return 1 if sums[2] else 0


def git(*args):
    return subprocess.run(["git", *args], cwd=HERE, capture_output=True, text=True, check=True
                          ).stdout.strip()


def run_once(command, counts):
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    found = {name: tuple(map(int, rest)) for name, *rest in COUNT.findall(run.stdout)}
    total = found.pop("total", None)
    sums = tuple(sum(column) for column in zip(*found.values()))
    if run.returncode != 0 or total is None or sums != total or total[2] != 0:
        print(run.stdout, run.stderr, f"status {run.returncode}", sep="\n")
        return False
    for name, (handoffs, sleeps, _) in found.items():
        counts[name, "handoffs"] += handoffs
        counts[name, "sleeps"] += sleeps
    return True


def run(args):
    if git("status", "--porcelain", "--", *TESTED):
        sys.exit("ledger: commit first: what is tested needs a name")
    commit = git("log", "-1", "--format=%h", "--", *TESTED)
    counts = Counter()
    for i in range(args.runs):
        command = [*shlex.split(args.wrap), args.run, "--seed", str(args.seed + i), *args.rest]
        if not run_once(command, counts):
            return 1
    names = list(dict.fromkeys(name for name, _ in counts))
    handoffs = sum(counts[name, "handoffs"] for name in names)
    sleeps = sum(counts[name, "sleeps"] for name in names)
    line = (f"{datetime.date.today()} {commit} handoffs {handoffs} sleeps {sleeps} lost 0:" +
            "".join(f" {n} {counts[n, 'handoffs']}/{counts[n, 'sleeps']}" for n in names))
    with args.ledger.open("a") as ledger:
        ledger.write(line + "\n")
    print(line)
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", metavar="PROGRAM")
    parser.add_argument("-n", dest="runs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=int(datetime.datetime.now().timestamp()))
    parser.add_argument("--wrap", default="")
    parser.add_argument("--ledger", type=Path, default=LEDGER)
    parser.add_argument("rest", nargs="*")
    args = parser.parse_args()
    return run(args) if args.run else add_up(args)


if __name__ == "__main__":
    sys.exit(main())
