#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads each format as the programs do that it is made for.

    report_formats.py CANNED SOON_BENCH
"""
import csv
import io
import json
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

canned, program = sys.argv[1:3]


def run(*arguments, status=0, folder="."):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True,
                          timeout=60, check=False, env={"XDG_STATE_HOME": str(folder)})
    assert done.returncode == status, (arguments, done.returncode, done.stderr)
    return done


def report(*arguments, status=0):
    done = run("report", *arguments, status=status)
    return done.stdout if status == 0 else done.stderr


def wall_of(result, name):
    entry = next(e for e in result["entries"] if e["name"] == name)
    samples = next(s for s in entry["samples"] if s["name"] == "wall")
    return [value for run in samples["runs"] for value in run]


def read_csv(folder):
    raw = json.loads((folder / "bench.json").read_text())
    rows = list(csv.DictReader(io.StringIO(
        report(folder / "bench.json", folder / "bench_after.json", "--format", "csv"))))
    assert len(rows) == 2 * len(raw["entries"]), len(rows)
    assert {row["result"] for row in rows} == {"bench", 'after, "quoted"'}
    row = rows[0]
    values = wall_of(raw, row["name"])
    assert row["name"] == "copy/64" and row["param"] == "64" and row["state"] == "ok", row
    assert abs(float(row["wall_median"]) / statistics.median(values) - 1) < 1e-9, row
    assert abs(float(row["wall_deviation"]) / statistics.stdev(values) - 1) < 1e-9, row
    assert float(row["wall_low"]) <= float(row["wall_median"]) <= float(row["wall_high"])
    assert row["bytes"] == "64" and row["allocations"] == "", row
    assert next(r for r in rows if r["name"] == "file/fsync")["state"] == "failed"

    rows = list(csv.DictReader(io.StringIO(report(folder / "load.json", "-f", "csv"))))
    assert len(rows) == 1 and int(rows[0]["errors"]) == 18, rows
    assert float(rows[0]["total_p50"]) < float(rows[0]["total_p99"])
    assert rows[0]["connect_p99"] == "", "64 values have no 99th percentile"
    rows = list(csv.DictReader(io.StringIO(report(folder / "load.json", "-f", "csv-series"))))
    assert len(rows) == 120 and {len(r) for r in rows} == {13}
    assert sum(int(r["scheduled"]) for r in rows) == 240000
    assert [r["p50_ns"] for r in rows if r["completed"] == "0"] == [""] * 4


def read_hgrm(folder):
    """As the plotter of HdrHistogram: lines that are no comment and have four columns."""
    target = folder / "load.hgrm"
    report(folder / "load.json", "-o", target)
    points, ends = [], []
    for line in target.read_text().split("\n"):
        columns = line.strip().split()
        if len(columns) == 4 and not line.startswith("#") and columns[0] != "Value":
            points.append((float(columns[0]), float(columns[3])))
        elif len(columns) == 3 and not line.startswith("#"):
            ends.append(columns)
    assert len(points) > 50 and points == sorted(points), points
    assert points[0][1] == 1.0 and len(ends) == 1 and float(ends[0][1]) == 1.0, ends
    text = target.read_text()
    assert re.search(r"^ +Value +Percentile +TotalCount 1/\(1-Percentile\)$", text, re.M)
    for pattern in (r"^#\[Mean    = +[\d.]+, StdDeviation   = +[\d.]+\]$",
                    r"^#\[Max     = +[\d.]+, Total count    = +\d+\]$",
                    r"^#\[Buckets = +\d+, SubBuckets     = +\d+\]$"):
        assert re.search(pattern, text, re.M), pattern
    assert "benchmark" in report(folder / "bench.json", "-f", "hgrm", status=2)


def read_gbench(folder):
    """As compare.py of Google Benchmark: by name, with a unit and two times in all."""
    raw = json.loads((folder / "bench.json").read_text())
    read = json.loads(report(folder / "bench.json", "--format", "gbench"))
    context = read["context"]
    assert context["num_cpus"] == 2 and context["json_schema_version"] == 1, context
    assert len(context["load_avg"]) == 3 and context["caches"] == []
    runs = [b for b in read["benchmarks"] if b["name"] == "copy/256"]
    assert len(runs) == 40 and [b["repetition_index"] for b in runs] == list(range(40))
    assert [b["real_time"] for b in runs] == wall_of(raw, "copy/256")
    assert all(b["run_type"] == "iteration" and b["time_unit"] == "ns" and b["cpu_time"] > 0
               and b["bytes_per_second"] > 0 and b["iterations"] > 0 for b in runs)
    sums = {b["aggregate_name"]: b for b in read["benchmarks"]
            if b["run_type"] == "aggregate" and b["run_name"] == "copy/256"}
    assert set(sums) == {"mean", "median", "stddev", "cv"}, sums
    assert sums["cv"]["aggregate_unit"] == "percentage" and sums["cv"]["name"] == "copy/256_cv"
    mean = statistics.fmean(run["real_time"] for run in runs)
    assert abs(sums["mean"]["real_time"] / mean - 1) < 1e-9
    failed = next(b for b in read["benchmarks"] if b["name"] == "file/fsync")
    assert failed["error_occurred"] is True and "ENOSPC" in failed["error_message"]
    load = json.loads(report(folder / "load.json", "-f", "gbench"))["benchmarks"][0]
    assert load["p50"] < load["p99"] < load["max"] and load["items_per_second"] > 0, load


def read_markdown(folder):
    target = folder / "bench.md"
    report(folder / "bench.json", folder / "bench_after.json", "-o", target)
    lines = [line for line in target.read_text().splitlines() if line.startswith("|")]
    assert any(re.fullmatch(r"\|( -+:? \|)+", line) or re.fullmatch(r"\|( :?-+:? ?\|)+", line)
               for line in lines), lines[:3]
    assert any(line.startswith("| copy/64 ") for line in lines)
    assert "## Environment" in target.read_text()


def labels_of(*files, folder="."):
    done = run("report", *files, "-f", "csv", folder=folder)
    return [row["result"] for row in csv.DictReader(io.StringIO(done.stdout))]


def name_results(folder):
    """By the name of the result or of the file; by as much of the path as tells them apart."""
    for name in ("a", "b"):
        (folder / name).mkdir()
        (folder / name / "result.json").write_text((folder / "load.json").read_text())
    assert labels_of(folder / "load.json") == ["load"]
    assert labels_of(folder / "a/result.json", folder / "b/result.json") == [
        f"{folder}/a/result", f"{folder}/b/result"]
    assert labels_of(folder / "load.json", folder / "load.json") == [
        f"{folder}/load (1)", f"{folder}/load (2)"]
    run("baseline", "save", "v1.0", folder / "load.json", folder=folder)
    assert labels_of("@v1.0", folder / "load.json", folder=folder) == ["v1.0", "load"]
    assert "baseline list" in run("report", "@v2", folder=folder, status=3).stderr


def tell_partial(folder):
    """In each format: in it, or where programs do not look, on standard error as well."""
    partial = json.loads((folder / "load.json").read_text())
    partial.update(partial=True, partial_reason="a signal <9>")
    file = folder / "partial.json"
    file.write_text(json.dumps(partial))
    for name in ("text", "md", "html", "csv", "csv-series", "hgrm", "gbench"):
        done = run("report", file, "-f", name)
        text = done.stdout.replace("&lt;", "<").replace("&gt;", ">").replace("\\", "")
        assert "a signal <9>" in text, (name, text[:2000])
        is_told = "Partial result: " in done.stderr
        assert is_told == (name not in ("text", "md", "html")), (name, done.stderr)
    context = json.loads(report(file, "-f", "gbench"))["context"]
    assert context["warning_1"].startswith("Partial result: "), context


def refuse(folder):
    """What is wrong is told by its name, and leaves what was there."""
    target = folder / "kept.html"
    target.write_text("kept")
    broken, whole = folder / "broken.json", (folder / "load.json").read_text()
    broken.write_text(whole[:5000])
    for text, why in ((whole[:5000], "cut off"), ("", "cut off"), ("junk {", "junk"),
                      (whole.replace('"version": 1', '"version": 2'), "newer"),
                      (whole.replace("soon-result", "other"), "schema")):
        broken.write_text(text)
        told = report(broken, "-o", target, status=3)
        assert "broken.json" in told and why in told, told
    assert "directory" in report(folder, "-o", target, status=3)
    assert "of one kind" in report(folder / "load.json", folder / "bench.json", "-o", target,
                                   status=2)
    assert target.read_text() == "kept"
    assert "no format 'pdf'" in report(folder / "load.json", "-f", "pdf", status=2)
    assert "which result" in report(status=2)
    assert "/nowhere/x" in report(folder / "load.json", "-o", "/nowhere/x", status=3)
    assert "No space left" in report(folder / "load.json", "-o", "/dev/full", status=3)


def main():
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        subprocess.run([canned, folder], check=True, timeout=60)
        for look in (read_csv, read_hgrm, read_gbench, read_markdown, name_results, tell_partial,
                     refuse):
            look(folder)
        compared = report(folder / "bench.json", folder / "bench_after.json")
        assert "What changed" in compared, compared
        assert re.search(r"^copy/64 +wall .* slower$", compared, re.M), compared
        assert "What changed" not in report(folder / "bench.json")
        assert "<!doctype html>" in report(folder / "load.json", "-f", "html")


main()
