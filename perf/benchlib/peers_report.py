# SPDX-License-Identifier: Apache-2.0
"""
The report on soon and its peers, made from the same data as the file beside it. soon's losses have
the form of its wins and stand in the same tables, sorted by the ratio.
"""

import json
import statistics

from benchlib import stats
from benchlib.report import number

OURS = "soon"

HOW = """\
*Times soon's*: what the peer costs by what soon costs, the median over the blocks; below 1 soon
loses. In brackets the interval that covers the median with 95 % (bootstrap over the blocks). The
verdict needs the whole interval on one side of 1. The servers of a row are all up at the same time
on CPU 0, are loaded in turns from CPU 1, and every byte of every reply was verified, on every
connection; the other rows are processes in turns. What each program does, and why that is fair, is
in `perf/peers/README.md`; what a machine of two CPUs does not say, in `perf/README.md`."""


def measured(row):
    """The cells of a row that have figures, the cheapest first; ties by name."""
    cells = [(name, cell) for name, cell in row["peers"].items() if cell.get("ratios")]
    return sorted(cells, key=lambda item: (statistics.median(item[1]["ratios"]), item[0]))


def ratio_text(ratios):
    covered = stats.interval(ratios)
    text = f"{statistics.median(ratios):.2f}"
    return text if covered is None else f"{text} [{covered[0]:.2f}..{covered[1]:.2f}]"


def value_text(key, values):
    value = statistics.median(values)
    if key == "busy":
        return f"{value * 100:.0f} %"
    return f"{value:,.0f}" if key == "per_second" else number(value)


def lines_of(row):
    for name, cell in measured(row):
        is_ours = name == OURS
        yield [name, "1" if is_ours else ratio_text(cell["ratios"]),
               *(value_text(key, cell["values"][key]) for key in row["columns"]),
               "" if is_ours else stats.verdict(cell["ratios"])]


def table(head, lines):
    rule = ["---"] * len(head)
    return ["| " + " | ".join(words) + " |" for words in (head, rule, *lines)]


def row_section(name, row):
    head = ["", "times soon's", *row["columns"].values(), "verdict"]
    out = [f"## {name}: {row['title']}", "", f"Compared is {row['of']}.", "",
           *table(head, lines_of(row))]
    absent = [f"{peer}: {cell['missing']}" for peer, cell in row["peers"].items()
              if "missing" in cell]
    return [*out, *(["", "Not measured: " + "; ".join(absent) + "."] if absent else []), ""]


def losses(rows):
    """Row, peer and cell of each loss, the worst first."""
    found = [(statistics.median(cell["ratios"]), name, peer, cell)
             for name, row in rows.items() for peer, cell in measured(row)
             if peer != OURS and stats.verdict(cell["ratios"]) == "soon loses"]
    return [found_loss[1:] for found_loss in sorted(found, key=lambda loss: loss[:3])]


def losses_section(rows):
    lines = [[name, peer, ratio_text(cell["ratios"]), rows[name]["of"]]
             for name, peer, cell in losses(rows)]
    out = ["## Where soon loses", ""]
    if not lines:
        is_known = any(stats.interval(cell["ratios"]) for row in rows.values()
                       for _, cell in measured(row))
        return [*out, "In no row, by the verdicts below." if is_known else
                "Too few blocks for a verdict.", ""]
    return [*out, *table(["row", "to", "times soon's", "of"], lines), ""]


def failures(rows):
    return [(name, peer, cell["failed"]) for name, row in rows.items()
            for peer, cell in row["peers"].items() if "failed" in cell]


def failures_section(rows):
    found = failures(rows)
    if not found:
        return []
    return ["## Failed", "", *table(["row", "peer", "why"], found), ""]


def overview_cell(cell):
    if cell is None:
        return "-"
    if "failed" in cell:
        return "**failed**"
    return f"{statistics.median(cell['ratios']):.2f}" if cell.get("ratios") else "n/a"


def overview_section(peers, rows):
    lines = [[title, *(overview_cell(row["peers"].get(peer)) for row in rows.values())]
             for peer, title in peers.items()]
    return ["## Overview", "", "Times soon's, see below; `-`: it has no such thing; `n/a`: not "
            "installed here.", "", *table(["", *rows], lines), ""]


def markdown(result):
    """`result` is what as_json() writes."""
    rows = result["rows"]
    out = [f"# soon and its peers, {result['date']}", ""]
    out += [f"- {name}: {value}" for name, value in result["machine"].items()]
    out += [f"- load average at the start: {result['load'][0]}"]
    out += ["- versions: " + ", ".join(f"{name} {text}" for name, text
                                       in result["versions"].items())]
    if result["left"]:
        out += [f"- cut short, without: {', '.join(result['left'])}"]
    out += [f"- again: `{result['command']}`", "", *HOW.splitlines(), ""]
    out += failures_section(rows) + losses_section(rows)
    out += overview_section(result["peers"], rows)
    for name, row in rows.items():
        out += row_section(name, row)
    return "\n".join(out).rstrip() + "\n"


def as_json(result):
    return json.dumps(result, indent=1) + "\n"


def terminal(name, row):
    """A row for the terminal, as it is done."""
    for line in lines_of(row):
        head, ratio, *values, said = line
        columns = ", ".join(f"{value} {title}" for value, title
                            in zip(values, row["columns"].values()))
        yield f"{said:12}{name:10}{head:12}{ratio:22}{columns}"
    for peer, cell in row["peers"].items():
        for kind, said in (("missing", "none"), ("failed", "FAILED")):
            if kind in cell:
                yield f"{said:12}{name:10}{peer:12}{cell[kind]}"
