#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How often soon-bench is wrong on this machine.

    perf/bars.py [--build build/release] [--comparisons 200] [--planted 30] [--pairs 40]

Compares a program with itself again and again, then with itself and 30 thousandths more work, and
counts the verdicts. A false alarm is any change in the first, a find is "slower" in the second.
"""
import argparse
import collections
import os
import pathlib
import re
import subprocess
import sys
import time

FALSE_ALARMS_MAX = 0.05
FOUND_MIN = 0.90


def verdict(build, pairs, threshold, before, after):
    program = build / "perf/soon_bench/planted"
    # Samples of 50 us: hardly one in which the process is interrupted, and the median skips those.
    options = "--samples=41 --time=2050us --warmup=1ms"
    # The variable is in both, so that both are run in the same way.
    commands = [f"SOON_PLANTED={extra} exec {program} {options}" for extra in (before, after)]
    done = subprocess.run([build / "perf/soon_bench/soon-bench", "ab", f"--pairs={pairs}",
                           f"--threshold={threshold}", *commands], capture_output=True, text=True,
                          check=False)
    line = re.search(r"^work .*", done.stdout, re.M)
    if done.returncode not in (0, 1) or not line:
        sys.exit(f"soon-bench: {done.returncode}\n{done.stdout}{done.stderr}")
    return re.search(r"faster|slower|no change|too noisy", line[0])[0], line[0]


def count(arguments, before, after):
    verdicts = collections.Counter()
    for _ in range(arguments.comparisons):
        word, line = verdict(arguments.build, arguments.pairs, arguments.threshold, before, after)
        verdicts[word] += 1
        if arguments.verbose:
            print(line, flush=True)
    return verdicts


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build/release"))
    parser.add_argument("--comparisons", type=int, default=200)
    parser.add_argument("--planted", type=int, default=30)
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--threshold", default="1%")
    parser.add_argument("--only", choices=("same", "planted"))
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    start = time.monotonic()
    failed = False
    if arguments.only != "planted":
        verdicts = count(arguments, 0, 0)
        share = (verdicts["faster"] + verdicts["slower"]) / arguments.comparisons
        failed |= share > FALSE_ALARMS_MAX
        print(f"no change: {share:.1%} false alarms (at most {FALSE_ALARMS_MAX:.0%}); "
              f"{dict(verdicts)}")
    if arguments.only != "same":
        verdicts = count(arguments, 0, arguments.planted)
        share = verdicts["slower"] / arguments.comparisons
        failed |= share < FOUND_MIN
        print(f"{arguments.planted / 10:.1f} % more: {share:.1%} found (at least {FOUND_MIN:.0%}); "
              f"{dict(verdicts)}")
    print(f"{time.monotonic() - start:.0f} s, load {os.getloadavg()[0]:.1f}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
