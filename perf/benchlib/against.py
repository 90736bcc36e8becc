# SPDX-License-Identifier: Apache-2.0
"""Two builds of soon beside each other: what a change costs, or a switch of the build."""

import statistics

from benchlib.figures import Figure
from benchlib.kinds import Compare, Micro, Race
from benchlib.programs import Missing
from benchlib.report import number


def measure(row, new, old, plan):
    """The figures of a row as ratios, the new build by the old one, in turns."""
    if isinstance(row, Compare):
        if not row.ours.startswith("soon"):
            raise Missing("no soon in it")
        ratios, note = row.ratios((new, row.ours), (old, row.ours), plan)
        return [Figure(f"{row.ours}, {' '.join(row.arguments)}: new against old", "ratio", ratios,
                       note=note)]
    if isinstance(row, Micro):
        command, figures = row.program, [figure[:3] for figure in row.figures]
    elif isinstance(row, Race):
        command, figures = row.ours[1], [(row.figure, row.title, row.unit)]
    else:
        raise Missing("not measured by this")
    return micro(command, figures, row.cpus, new, old, plan)


def micro(command, figures, cpus, new, old, plan):
    runs = {new: [], old: []}
    for repeat in range(plan.repeats):
        for build in (new, old) if repeat % 2 == 0 else (old, new):
            runs[build].append(build.micro(command, cpus))
    result = []
    for name, title, unit in figures:
        pairs = [(a[name], b[name]) for a, b in zip(runs[new], runs[old])]
        after, before = (statistics.median(side) for side in zip(*pairs))
        result.append(Figure(f"{title}: new against old", "ratio",
                             [a / b if b else float(a == b) for a, b in pairs],
                             note=f"{number(after)} {unit} against {number(before)} {unit}"))
    return result
