# SPDX-License-Identifier: Apache-2.0
"""
The side-by-side of `./dev bench --peers`: its statistics and its report on data made up here, and
its driver on servers of which some are wrong.

    peers.py PERF BUILD      PERF is the folder perf/, BUILD a build folder with perf/load
    peers.py serve KIND      one of those servers
"""

import argparse
import contextlib
import io
import json
import selectors
import socket
import sys
import tempfile
from pathlib import Path

WRONG_FROM = 50  # the message that the wrong server spoils


def serve(kind):
    """An echo server: right, or wrong in the way that its name says."""
    if kind == "absent":
        print("nothing is not installed (package nothing)", file=sys.stderr)
        sys.exit(77)
    if kind == "dead":
        sys.exit("no such thing")
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"port {listener.getsockname()[1]}", flush=True)
    waiting = selectors.DefaultSelector()
    waiting.register(listener, selectors.EVENT_READ)
    chosen, count = None, 0
    while True:
        for key, _ in waiting.select():
            if key.fileobj is listener:
                conn, _ = listener.accept()
                chosen = chosen or conn
                waiting.register(conn, selectors.EVENT_READ)
                continue
            conn = key.fileobj
            try:
                data = conn.recv(4096)
            except ConnectionError:
                data = b""
            if not data:
                chosen = None if conn is chosen else chosen
                waiting.unregister(conn)
                conn.close()
                continue
            count += 1
            if kind == "wrong" and count == WRONG_FROM:
                data = data[:-1] + bytes([data[-1] ^ 1])
            if kind == "deaf" or kind == "partial" and conn is not chosen:
                continue
            conn.sendall(data)


def expect(what, got, wanted):
    if got != wanted:
        sys.exit(f"{what}: {got!r} instead of {wanted!r}")


def expect_in(what, text, *pieces):
    for piece in pieces:
        if piece not in text:
            sys.exit(f"{what}: no {piece!r} in\n{text}")


def check_statistics(stats):
    expect("too few samples", stats.interval([1, 2, 3, 4]), None)
    expect("all the same", stats.interval([2.0] * 8), (2.0, 2.0))
    samples = [1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8]
    low, high = stats.interval(samples)
    if not 1.0 <= low < 1.4 < high <= 1.8:
        sys.exit(f"the interval {low}..{high} does not hold the median 1.4")
    expect("the same again", stats.interval(samples), (low, high))
    for ratios, said in (([1.2, 1.3, 1.2, 1.3, 1.2, 1.3], "soon wins"),
                         ([0.8, 0.7, 0.8, 0.7, 0.8, 0.7], "soon loses"),
                         ([0.9, 1.1, 0.9, 1.1, 0.9, 1.1], "even"),
                         ([0.1], "too few")):
        expect(f"verdict on {ratios}", stats.verdict(ratios), said)


def cell(*ratios):
    return {"ratios": list(ratios), "values": {"cost": [10.0 * ratio for ratio in ratios]}}


def canned():
    """Two rows: a win, two losses, one even, one failed and one that is not installed."""
    row = {"of": "CPU time", "columns": {"cost": "ns"}}
    return {
        "date": "2026-01-02 03:04 UTC", "command": "./dev bench --peers",
        "machine": {"kernel": "0"}, "load": [0.5, 0.4, 0.3], "versions": {"fast": "1.2"},
        "left": ["three"],
        "peers": {"soon": "soon", "fast": "Fast", "slow": "Slow", "odd": "Odd"},
        "rows": {
            "one": {**row, "title": "the first", "peers": {
                "soon": cell(*[1.0] * 6), "slow": cell(*[3.0] * 6), "fast": cell(*[0.5] * 6),
                "odd": {"failed": "48 of 64 connections were never answered"}}},
            "two": {**row, "title": "the second", "peers": {
                "soon": cell(*[1.0] * 6), "slow": cell(*[0.9, 1.1] * 3),
                "fast": cell(*[0.25] * 6), "odd": {"missing": "odd is not installed"}}},
        },
    }


def check_report(peers_report):
    result = canned()
    text = peers_report.markdown(result)
    expect("as JSON and back", json.loads(peers_report.as_json(result)), result)
    expect("losses, the worst first",
           [loss[:2] for loss in peers_report.losses(result["rows"])],
           [("two", "fast"), ("one", "fast")])
    expect("the order of a table", [line[0] for line in peers_report.lines_of(
        result["rows"]["one"])], ["fast", "soon", "slow"])
    expect_in("report", text,
              "| two | fast | 0.25 [0.25..0.25] | CPU time |\n"
              "| one | fast | 0.50 [0.50..0.50] | CPU time |\n",
              "| one | odd | 48 of 64 connections were never answered |",
              "| Fast | 0.50 | 0.25 |", "| Odd | **failed** | n/a |",
              "| fast | 0.50 [0.50..0.50] | 5 | soon loses |\n| soon | 1 | 10 |  |\n"
              "| slow | 3.00 [3.00..3.00] | 30 | soon wins |",
              "| slow | 1.00 [0.90..1.10] | 10 | even |", "- cut short, without: three",
              "Not measured: odd: odd is not installed.", "fast 1.2")
    del result["rows"]["one"], result["rows"]["two"]["peers"]["fast"]
    text = peers_report.markdown(result)
    expect_in("report without losses", text, "In no row")
    expect("failures", "## Failed" in text, False)
    result["rows"]["two"]["peers"] = {"soon": cell(1.0), "fast": cell(0.5)}
    expect_in("report of one block", peers_report.markdown(result), "Too few blocks")


def check_driver(benchlib, build):
    """Wrong peers are named, with what was wrong, and the others are measured all the same."""
    peers, side_by_side, versus = benchlib
    kinds = ("right", "wrong", "partial", "deaf", "dead", "absent")
    script = str(Path(__file__).resolve())
    peers.PEERS = {name: peers.Peer(name, echo=f"{script} serve {name}")
                   for name in ("soon", *kinds)}
    peers.ROWS = {"echo": side_by_side.Traffic("echo", "echo", "echo --connections=4")}
    side_by_side.Plan.quick = staticmethod(
        lambda: side_by_side.Plan(blocks=1, seconds=0.05, warmup=0.05))
    arguments = argparse.Namespace(build=build, quick=True, blocks=None, seconds=None, only=None,
                                   peer_names=None, list=False)
    with tempfile.TemporaryDirectory() as folder:
        with contextlib.redirect_stdout(io.StringIO()):
            expect("exit status", versus.main(arguments, Path(folder)), 1)
        result = json.loads(next(Path(folder).glob("*-peers.json")).read_text())
        text = next(Path(folder).glob("*-peers.md")).read_text()
    cells = result["rows"]["echo"]["peers"]
    for name in ("soon", "right"):
        expect(f"{name}: blocks", len(cells[name].get("ratios", cells[name])), 1)
    for name, reason in (("wrong", "1 connections failed, the first by a wrong reply"),
                         ("partial", "3 of 4 connections were never answered"),
                         ("deaf", "4 of 4 connections were never answered"),
                         ("dead", "the server did not say its port: no such thing")):
        expect_in(name, cells[name].get("failed", "not failed"), reason)
        expect_in("report", text, f"| echo | {name} | {cells[name]['failed']} |")
    expect("absent", cells["absent"], {"missing": "nothing is not installed (package nothing)"})


def main():
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    sys.path.insert(0, sys.argv[1])
    from benchlib import peers, peers_report, side_by_side, stats, versus
    check_statistics(stats)
    check_report(peers_report)
    check_driver((peers, side_by_side, versus), Path(sys.argv[2]))


if __name__ == "__main__":
    main()
