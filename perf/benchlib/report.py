# SPDX-License-Identifier: Apache-2.0
"""The result as lines on the terminal, as Markdown and as JSON."""

import json
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path


def number(value):
    """Three or four significant digits, never an exponent."""
    if value == int(value):
        return f"{value:.0f}"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def first_line(argv):
    if shutil.which(argv[0]) is None:
        return "not installed"
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).splitlines()[0].strip()


def cpu_model():
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found.group(1) if found else platform.machine()


def compiler(build):
    """The compiler of the build directory, by version and not by place."""
    cache = Path(build) / "CMakeCache.txt"
    command = "cc"
    if cache.exists():
        found = re.search(r"^CMAKE_C_COMPILER:[A-Z]+=(.+)$", cache.read_text(), re.MULTILINE)
        command = found.group(1) if found else command
    return first_line([command, "--version"])


def machine_facts(build):
    """What a reader needs to judge the figures: no host names, no paths."""
    commit = first_line(["git", "-C", str(Path(__file__).resolve().parent), "rev-parse",
                         "--short=12", "HEAD"])
    return {
        "commit": commit,
        "kernel": platform.release(),
        "cpu": cpu_model(),
        "cpus": os.cpu_count(),
        "compiler": compiler(build),
    }


def spread(figure):
    if len(figure.samples) < 2:
        return "one run"
    return f"{number(min(figure.samples))}..{number(max(figure.samples))}"


def line(key, figure):
    bars = ", ".join(text for text in (
        figure.bar.must is not None and f"must {figure.bar.text(figure.bar.must)}",
        figure.bar.stretch is not None and f"stretch {figure.bar.text(figure.bar.stretch)}",
    ) if text)
    value = f"{number(figure.value)} {figure.unit}".strip()
    return (f"{figure.verdict:8}{key:12}{figure.title}: {value} [{spread(figure)}]"
            f"{'  (' + bars + ')' if bars else ''}"
            f"{chr(10) + ' ' * 20 + figure.note if figure.note else ''}")


def markdown(date, facts, results):
    out = [f"# {date}", ""]
    out += [f"- {name}: {value}" for name, value in facts.items()]
    out += ["", "Medians; in brackets the least and the greatest sample.", "",
            "| row | what | value | must | stretch | verdict |", "|---|---|---|---|---|---|"]
    notes = []
    for key, outcome in results.items():
        if isinstance(outcome, str):
            out.append(f"| {key} | {outcome} | | | | none |")
            continue
        for figure in outcome:
            value = f"{number(figure.value)} {figure.unit}".strip()
            bar = figure.bar
            out.append(f"| {key} | {figure.title} | {value} [{spread(figure)}] | "
                       f"{bar.text(bar.must)} | {bar.text(bar.stretch)} | {figure.verdict} |")
            if figure.note:
                notes.append(f"- {key}: {figure.note}")
    return "\n".join(out + ["", *notes]) + "\n"


def as_json(date, facts, results):
    rows = {}
    for key, outcome in results.items():
        if isinstance(outcome, str):
            rows[key] = {"missing": outcome}
            continue
        rows[key] = [{
            "title": figure.title, "unit": figure.unit, "value": figure.value,
            "samples": figure.samples, "must": figure.bar.must, "stretch": figure.bar.stretch,
            "is_floor": figure.bar.is_floor, "verdict": figure.verdict, "note": figure.note,
        } for figure in outcome]
    return json.dumps({"date": date, "machine": facts, "rows": rows}, indent=1) + "\n"
