# SPDX-License-Identifier: Apache-2.0
"""`bench.py --peers`: soon beside its peers, with a report at the end. See peers/README.md."""

import datetime
import os
import sys

from benchlib import peers, peers_report, report
from benchlib.programs import Programs
from benchlib.side_by_side import OURS, Plan


def make_plan(arguments):
    plan = Plan.quick() if arguments.quick else Plan()
    if arguments.blocks:
        plan.blocks = plan.idle_blocks = plan.rounds = arguments.blocks
    if arguments.seconds:
        plan.seconds = arguments.seconds
    return plan


def facts(arguments):
    """What a reader needs to judge the figures, and what runs beside them."""
    now = datetime.datetime.now(datetime.timezone.utc)
    words = [word for word in sys.argv[1:] if not word.startswith("--build")]
    return {
        "date": now.strftime("%Y-%m-%d %H:%M UTC"),
        "command": " ".join(["./dev bench", *words]),
        "machine": report.machine_facts(arguments.build),
        "load": [round(load, 2) for load in os.getloadavg()],
    }


def save(result, folder):
    """Called after each row, so that a run that is cut short leaves what it has."""
    stem = folder / (result["date"].replace(":", "").replace(" UTC", "").replace(" ", "-")
                     + "-peers")
    folder.mkdir(exist_ok=True)
    stem.with_suffix(".json").write_text(peers_report.as_json(result))
    stem.with_suffix(".md").write_text(peers_report.markdown(result))
    return stem.name


def main(arguments, folder):
    if arguments.list:
        for name, row in peers.ROWS.items():
            print(f"{name:10}{', '.join(peers.commands(row, peers.PEERS))}")
        return 0
    names = peers.choose(arguments.peer_names, peers.PEERS, "peer")
    names = names if OURS in names else [OURS, *names]
    rows = peers.choose(arguments.only, peers.ROWS, "row")
    programs, plan = Programs(arguments.build), make_plan(arguments)
    result = facts(arguments)
    result["plan"] = vars(plan)
    result["peers"] = {name: peers.PEERS[name].title for name in names}
    result["versions"] = peers.versions(programs)
    result["rows"] = {}
    result["left"] = list(rows)
    for name in rows:
        result["rows"][name] = peers.measure(name, names, programs, plan)
        result["left"].remove(name)
        saved = save(result, folder)
        for line in peers_report.terminal(name, result["rows"][name]):
            print(line, flush=True)
    print(f"saved perf/results/{saved}.md and .json")
    return 1 if peers_report.failures(result["rows"]) else 0
