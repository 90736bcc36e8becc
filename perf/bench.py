#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures soon against its baselines and peers and prints each figure next to its bar.

    bench.py [--build build/release] [--only echo64,http] [--quick] [--save]
    bench.py --against ../before/build/release [--only yield,echo64]
    bench.py --peers [--only echo,http] [--with go,tokio] [--quick]

The server runs on CPU 0 and the load on CPU 1. Both sides of a comparison run in turns, and what
is compared is the server's CPU time per verified exchange, as the kernel accounts for it. See
README.md beside this file for the method and for what the figures do not say.
"""

import argparse
import datetime
import signal
import sys
from pathlib import Path

from benchlib import against, report, versus
from benchlib.figures import Plan
from benchlib.programs import Failed, Missing, Programs
from benchlib.rows import ROWS

HERE = Path(__file__).resolve().parent


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, default=HERE.parent / "build" / "release",
                        help="build directory that holds perf/ (build/release)")
    parser.add_argument("--against", type=Path, metavar="BUILD",
                        help="compare soon in --build with soon in this one, without peers")
    parser.add_argument("--peers", action="store_true",
                        help="compare soon with its peers instead, and write a report")
    parser.add_argument("--with", metavar="PEER,...", dest="peer_names",
                        help="just these peers, with --peers")
    parser.add_argument("--only", metavar="ROW,...", help="just these rows")
    parser.add_argument("--quick", action="store_true",
                        help="one short block a row: shows that it runs, not how fast")
    parser.add_argument("--blocks", type=int, metavar="N", help="blocks of A B B A (7)")
    parser.add_argument("--seconds", type=float, metavar="S", help="seconds of a window (0.5)")
    parser.add_argument("--save", action="store_true", help="write perf/results/<date>.json, .md")
    parser.add_argument("--list", action="store_true", help="print the rows and leave")
    arguments = parser.parse_args()
    if arguments.peers and (arguments.against or arguments.save):
        parser.error("--peers goes without --against, and always saves")
    if arguments.peer_names and not arguments.peers:
        parser.error("--with goes with --peers")
    return arguments


def make_plan(arguments):
    plan = Plan()
    if arguments.quick:
        plan = Plan(blocks=1, seconds=0.1, warmup=0.05, idle_seconds=1.0, repeats=1)
    if arguments.blocks:
        plan.blocks = arguments.blocks
    if arguments.seconds:
        plan.seconds = arguments.seconds
    return plan


def choose_rows(only):
    names = only.split(",") if only else list(ROWS)
    unknown = [name for name in names if name not in ROWS]
    if unknown:
        sys.exit(f"no such row: {', '.join(unknown)} (bench.py --list)")
    return names


def measurer(arguments):
    """What gives the figures of a row."""
    programs, plan = Programs(arguments.build), make_plan(arguments)
    if not arguments.against:
        return lambda row: row.measure(programs, plan)
    before = Programs(arguments.against)
    return lambda row: against.measure(row, programs, before, plan)


def measure_rows(names, measure):
    """Prints each row as it is done. Returns figures, or the reason why there are none."""
    results = {}
    is_failed = False
    for name in names:
        try:
            results[name] = measure(ROWS[name])
            for figure in results[name]:
                print(report.line(name, figure), flush=True)
        except Missing as missing:
            results[name] = f"missing: {missing}"
            print(f"{'none':8}{name:12}{results[name]}", flush=True)
        except Failed as failed:
            is_failed = True
            results[name] = f"failed: {failed}"
            print(f"{'FAILED':8}{name:12}{results[name]}", flush=True)
    return results, is_failed


def save(facts, results):
    now = datetime.datetime.now(datetime.timezone.utc)
    date = now.strftime("%Y-%m-%d %H:%M UTC")
    stem = HERE / "results" / now.strftime("%Y-%m-%d-%H%M")
    stem.parent.mkdir(exist_ok=True)
    stem.with_suffix(".json").write_text(report.as_json(date, facts, results))
    stem.with_suffix(".md").write_text(report.markdown(date, facts, results))
    print(f"saved perf/results/{stem.name}.md and .json")


def main():
    # So that whoever ends it ends the servers, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    arguments = parse_arguments()
    if arguments.peers:
        return versus.main(arguments, HERE / "results")
    if arguments.list:
        print("\n".join(ROWS))
        return 0
    facts = report.machine_facts(arguments.build)
    print("; ".join(f"{name} {value}" for name, value in facts.items()))
    results, is_failed = measure_rows(choose_rows(arguments.only), measurer(arguments))
    if arguments.save:
        save(facts, results)
    return 1 if is_failed else 0


if __name__ == "__main__":
    sys.exit(main())
