#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Benchmark programs and soon-bench, as people and as CI use them.

    bench.py SOON_BENCH SUBJECT PLANTED
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

PATIENCE = 60
QUICK = ["--samples=3", "--time=3ms", "--warmup=1ms"]


def run(*command, environment=None, folder=None):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          timeout=PATIENCE, check=False, cwd=folder,
                          env={**os.environ, **(environment or {})})
    return done.returncode, done.stdout, done.stderr


def wait_for(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("it did not come")
        time.sleep(0.01)


def catches(pid, number):
    """Whether the process has a handler for the signal by now."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return int(caught.split()[1], 16) >> (number - 1) & 1


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.out = self.folder / "result.json"

    def enterContext(self, manager):  # Python before 3.11
        value = manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)
        return value

    def measure(self, pattern, *options, program=None, status=0):
        """Runs some benchmarks; returns the entries by name, and what was printed."""
        code, out, err = run(program or SUBJECT, *QUICK, f"--filter={pattern}", "--out", self.out,
                             *options)
        self.assertEqual(code, status, out + err)
        self.result = json.loads(self.out.read_text())
        return {entry["name"]: entry for entry in self.result["entries"]}, out

    def assert_says(self, word, *command, status, **surroundings):
        code, out, err = run(*command, **surroundings)
        self.assertEqual(code, status, out + err)
        self.assertIn(word, out + err)
        return out


class Program(Case):
    def test_the_list_has_every_parameter(self):
        code, out, _ = run(SUBJECT, "--list", "--filter=steps")
        self.assertEqual((code, out.split()), (0, [f"steps/{n}" for n in (10, 100, 1000, 10000)]))

    def test_wrong_usage(self):
        for option, word in (("--fliter=x", "unrecognized"), ("--samples=0", "not a number"),
                             ("--samples=ten", "not a number"), ("--time=3 days", "no time"),
                             ("--time=-1s", "no time"), ("--filter=[", "--filter"),
                             ("--pin=0-", "no list"), ("--pin=9999", "no list"),
                             ("--pin=1000", "may be used"), ("--threads=1000", "not a number"),
                             ("steps", "did you mean --filter=steps")):
            with self.subTest(option):
                self.assert_says(word, SUBJECT, option, status=2)

    def test_nothing_matches(self):
        self.assert_says("no benchmark matches", SUBJECT, "--filter=^$", status=3)

    def test_the_result_cannot_be_written(self):
        self.assert_says("/dev/full", SUBJECT, *QUICK, "--filter=^calls", "--out=/dev/full",
                         status=3)
        # At once, not when all was measured.
        out = self.assert_says("/nowhere", SUBJECT, *QUICK, "--filter=^calls",
                               "--out=/nowhere/x", status=3)
        self.assertNotIn("\ncalls", out)

    def test_nobody_takes_the_output(self):
        self.measure("^calls$")
        program = [SUBJECT, *QUICK, "--filter=^calls"]
        for command in (program, [SUBJECT, "--list"], [SOON_BENCH, "run", "--runs=1", *program[:1],
                                                       "--", *program[1:]],
                        [SOON_BENCH, "compare", "--threshold=1000", self.out, self.out]):
            with self.subTest(command), open("/dev/full", "w") as full:
                done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True,
                                      timeout=PATIENCE, check=False)
                self.assertEqual(done.returncode, 3, done.stderr)
                self.assertIn("standard output", done.stderr)

    def test_figures(self):
        entries, out = self.measure("^steps", "--name=mine", "--samples=8")
        self.assertEqual((self.result["kind"], self.result["name"]), ("bench", "mine"))
        self.assertEqual(self.result["partial"], False)
        times = []
        for steps in (10, 100, 1000, 10000):
            entry = entries[f"steps/{steps}"]
            self.assertEqual((entry["group"], entry["param"], entry["param_name"]),
                             ("steps", steps, "steps"))
            figures = {samples["name"]: samples for samples in entry["samples"]}
            self.assertEqual([len(run) for run in figures["wall"]["runs"]], [8])
            self.assertEqual([len(run) for run in figures["cpu"]["runs"]], [8])
            times.append(min(figures["cpu"]["runs"][0]))
            counters = {c["name"]: c["value"] for c in entry["counters"]}
            self.assertEqual((counters["bytes"], counters["items"]), (steps, 2))
        self.assertLess(times[0] * 50, times[3])
        self.assertIn("steps grows as n", out)
        self.assertIn("items/s", out)
        self.assertIn("B/s", out)

    def counters(self, pattern, *options):
        entries, out = self.measure(pattern, *options)
        return {name: {c["name"]: c["value"] for c in entry["counters"]}
                for name, entry in entries.items()}, out

    def test_counts_of_its_own(self):
        counters, _ = self.counters("^(calls|allocates|pair|yields)$")
        self.assertAlmostEqual(counters["pair"]["things"], 3)
        self.assertIn(self.result["environment"]["io"], ("io_uring", "epoll"))
        if "allocations" not in counters["allocates"]:
            return  # sanitizers have a malloc of their own
        self.assertAlmostEqual(counters["allocates"]["allocations"], 1, places=2)
        self.assertAlmostEqual(counters["allocates"]["allocated"], 112, places=0)
        self.assertAlmostEqual(counters["allocates"]["freed"], 112, places=0)
        self.assertAlmostEqual(counters["calls"]["allocations"], 0, places=2)

    def test_counts_from_outside(self):
        counters, out = self.counters("^(calls|steps/1000)$", "--counters")
        figures = [f["name"] for f in self.result["entries"][0]["samples"]]
        self.assertEqual("instructions" in figures, "instructions" in counters["calls"])
        for what, entry, least, most in (("system_calls", "calls", 1, 1),
                                         ("system_calls", "steps/1000", 0, 0),
                                         ("instructions", "steps/1000", 1000, 20000)):
            with self.subTest(f"{what} of {entry}"):
                if what not in counters[entry]:
                    self.assertIn(f"note: no {what}: ", out)
                    continue
                self.assertGreaterEqual(counters[entry][what], least)
                self.assertLessEqual(counters[entry][what], most)

    def test_set_up_pauses_and_pins(self):
        entries, _ = self.measure("^(surrounded|pauses)$", "--pin=0")
        wall = min(entries["pauses"]["samples"][0]["runs"][0])
        self.assertLess(wall, 500_000)  # of turns that sleep for a million

    def test_what_goes_wrong_is_said(self):
        entries, out = self.measure("^bad_", status=1)
        for name, state, message in (
                ("fails", "failed", "the answer was 41"), ("skips", "skipped", "no such device"),
                ("none", "failed", "no soon_bench_each loop"),
                ("two", "failed", "more than one soon_bench_each"),
                ("left", "failed", "left before its end"),
                ("thread_left", "failed", "no soon_bench_each loop"),
                ("set_up", "failed", "set-up: Input/output error"),
                ("counters", "failed", "more than 8 names")):
            with self.subTest(name):
                entry = entries["bad_" + name]
                self.assertEqual(entry["state"], state)
                self.assertIn(message, entry["message"])
                self.assertIn(message, out)
                self.assertEqual(entry["samples"], [])

    def test_a_benchmark_that_ends_the_program_loses_none_before(self):
        for how, status in (("exit", 1), ("signal", -signal.SIGKILL)):
            with self.subTest(how):
                entries, _ = self.measure(f"^calls|^end_by_{how}", status=status)
                self.assertEqual(list(entries), ["calls"])
                self.assertEqual((self.result["partial"], self.result["partial_reason"]),
                                 (True, f"it ended in 'end_by_{how}'"))
        self.assert_says("'end_by_exit' ended the program", SUBJECT, "--filter=^end_by_exit",
                         status=1)

    def test_an_interrupted_run_keeps_what_it_has(self):
        child = subprocess.Popen([SUBJECT, "--filter=^(calls|pair)$", "--samples=20", "--time=20s",
                                  "--warmup=1ms", "--out", self.out], stdout=subprocess.DEVNULL,
                                 stderr=subprocess.PIPE, text=True)
        wait_for(lambda: catches(child.pid, signal.SIGINT))
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=PATIENCE)
        self.assertEqual(child.returncode, 1, err)
        self.assertIn("interrupted", err)
        result = json.loads(self.out.read_text())
        self.assertEqual((result["partial"], result["partial_reason"]), (True, "interrupted"))


class Comparing(Case):
    def planted(self, thousandths):
        return f"SOON_PLANTED={thousandths} exec {PLANTED} {' '.join(QUICK)}"

    def test_wrong_usage(self):
        for words, said in (([], "which command"), (["cmpare"], "no command 'cmpare'"),
                            (["compare", "a"], "two results"), (["compare", *"abc"], "too many"),
                            (["compare", "--threshold=much", *"ab"], "no percentage"),
                            (["compare", "--frobnicate", *"ab"], "unrecognized"),
                            (["ab", "true"], "two commands"), (["ab", " ", "x"], "is empty"),
                            (["ab", "--pairs=3", *"ab"], "fewer"),
                            (["run"], "which programs"), (["run", "--runs=0", "x"], "not a number"),
                            (["baseline"], "save, list or remove"),
                            (["baseline", "save", "x"], "save NAME FILE"),
                            (["baseline", "burn", "x"], "save NAME FILE")):
            with self.subTest(words):
                self.assert_says(said, SOON_BENCH, *words, status=2)

    def test_files_that_cannot_be_read(self):
        good = self.folder / "good.json"
        self.measure("^calls$")
        text = self.out.read_text()
        good.write_text(text)
        for name, content, said in (
                ("cut", text[: len(text) // 2], "cut off"), ("empty", "", "cut off"),
                ("newer", text.replace('"version": 1', '"version": 9'), "newer soon"),
                ("other", "{}", "$.schema"), ("twice", text.replace(
                    '"kind"', '"version": 1,"kind"'), "duplicate")):
            with self.subTest(name):
                bad = self.folder / name
                bad.write_text(content)
                self.assert_says(said, SOON_BENCH, "compare", good, bad, status=3)
                self.assert_says(str(bad), SOON_BENCH, "compare", bad, good, status=3)
        self.assert_says("No such file", SOON_BENCH, "compare", good, self.folder / "none",
                         status=3)
        self.assert_says("Is a directory", SOON_BENCH, "compare", good, self.folder, status=3)

    def test_two_results(self):
        slow, other = self.folder / "slow.json", self.folder / "other.json"
        for path, planted in ((self.out, 0), (slow, 9000)):
            code, _, err = run(SOON_BENCH, "run", "--runs=6", "--out", path, PLANTED, "--", *QUICK,
                               environment={"SOON_PLANTED": str(planted)})
            self.assertEqual(code, 0, err)
        result = json.loads(self.out.read_text())
        self.assertTrue(result["environment"]["command"].startswith("soon-bench run --runs=6 "))
        samples = result["entries"][0]["samples"][0]
        self.assertEqual([len(run) for run in samples["runs"]], [3] * 6)
        out = self.assert_says("slower", SOON_BENCH, "compare", self.out, slow, status=1)
        self.assertIn("not measured in turns", out)
        self.assert_says("faster", SOON_BENCH, "compare", slow, self.out, status=0)
        self.assert_says("no change", SOON_BENCH, "compare", "--threshold=1000", slow, slow,
                         status=0)
        code, _, err = run(SUBJECT, *QUICK, "--filter=^calls$", "--out", other)
        self.assertEqual(code, 0, err)
        self.assert_says("nothing in common", SOON_BENCH, "compare", slow, other, status=3)

    def test_in_turns(self):
        prefix = self.folder / "ab"
        out = self.assert_says("slower", SOON_BENCH, "ab", "--pairs=8", "--out", prefix,
                               self.planted(0), self.planted(9000), status=1)
        self.assertNotIn("not measured in turns", out)
        before, after = (f"{prefix}-{side}.json" for side in ("before", "after"))
        again = self.assert_says("slower", SOON_BENCH, "compare", before, after, status=1)
        self.assertEqual(out, again)
        self.assert_says("faster", SOON_BENCH, "compare", after, before, status=0)
        self.assert_says("cpu", SOON_BENCH, "compare", "--figure=all", before, after, status=1)

    def test_an_interrupted_comparison_keeps_whole_pairs(self):
        prefix, ran = self.folder / "ab", self.folder / "ran"
        command = f"echo >> {ran}; sleep 0.001"
        child = subprocess.Popen([SOON_BENCH, "ab", "--pairs=1000", "--out", prefix, command,
                                  command], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 text=True)
        wait_for(lambda: ran.exists() and ran.stat().st_size >= 16)
        child.send_signal(signal.SIGTERM)
        out, err = child.communicate(timeout=PATIENCE)
        self.assertEqual(child.returncode, 4, out + err)
        self.assertIn("interrupted after", err)
        pairs = int(err.split("interrupted after ")[1].split()[0])
        self.assertTrue(6 <= pairs < 1000)
        self.assertIn("is not whole: interrupted", out)
        for side in ("before", "after"):
            result = json.loads(pathlib.Path(f"{prefix}-{side}.json").read_text())
            self.assertTrue(result["partial"])
            self.assertEqual(len(result["entries"][0]["samples"][0]["runs"]), pairs)

    def test_counts_are_compared_after_one_run(self):
        self.measure("^calls$")
        figures = self.result["entries"][0]["samples"]

        def write(name, count):
            path = self.folder / name
            counted = {"name": "system_calls", "unit": "", "better": "less", "counted": True,
                       "runs": [[count]]}
            figures[2:] = [counted]
            path.write_text(json.dumps(self.result))
            return path

        none, one, two = write("none", 0), write("one", 1), write("two", 2)
        for before, after, status, said in ((none, none, 0, "no change"), (one, one, 0, "exact"),
                                            (none, one, 1, "from none"), (one, two, 1, "more"),
                                            (two, one, 0, "less"), (one, none, 0, "less")):
            with self.subTest(f"{before.name} {after.name}"):
                out = self.assert_says(said, SOON_BENCH, "compare", "--figure=counts", before,
                                       after, status=status)
                self.assertNotIn("note:", out)
        self.assert_says("lacks the figure before", SOON_BENCH, "compare",
                         "--figure=system_calls", self.out, one, status=3)
        self.assert_says("no entry has 'frobs'", SOON_BENCH, "compare", "--figure=frobs",
                         one, one, status=3)

    def test_counts_of_real_programs(self):
        self.measure("^allocates$")
        if not any(f.get("counted") for f in self.result["entries"][0]["samples"]):
            self.skipTest("sanitizers have a malloc of their own")
        command = f"{SUBJECT} {' '.join(QUICK)} --filter=^allocates"
        out = self.assert_says("exact", SOON_BENCH, "ab", "--pairs=1", "--figure=counts", command,
                               command, status=0)
        for figure in ("allocations", "allocated", "freed"):
            self.assertRegex(out, f"allocates +{figure} .*no change")

    def test_noise_is_an_error_when_asked(self):
        self.measure("^calls$")
        paths = [self.folder / "a", self.folder / "b"]
        for path, times in zip(paths, ([1, 2], [2, 1])):
            figure = self.result["entries"][0]["samples"][0]
            figure["runs"] = [[time] for time in times * 10]
            path.write_text(json.dumps({**self.result, "session": "s"}))
        self.assert_says("too noisy", SOON_BENCH, "compare", *paths, status=0)
        self.assert_says("too noisy", SOON_BENCH, "compare", "--fail-noisy", *paths, status=5)

    def test_any_command(self):
        big = "dd if=/dev/zero of=/dev/null bs=16M count=1"
        out = self.assert_says("more", SOON_BENCH, "ab", "--pairs=6", "--figure=memory", "true",
                               big, status=1)
        self.assertRegex(out, "command +memory .* MB ")
        self.assert_says("less", SOON_BENCH, "ab", "--pairs=6", "--figure=memory", big, "true",
                         status=0)
        self.assert_says("exit status 3", SOON_BENCH, "ab", "true", "(exit 3)", status=4)
        self.assert_says("so did: kill", SOON_BENCH, "ab", "true", "kill -9 $$", status=4)
        self.assert_says("cannot be run", SOON_BENCH, "ab", "/no/such/program", "true", status=4)
        self.assert_says("cannot be run", SOON_BENCH, "run", "/no/such/program", status=4)

    def test_programs_that_do_not_end_well(self):
        for pattern, said in (("^end_by_exit", "is not through: it ended in 'end_by_exit'"),
                              ("^end_by_signal", "was ended by signal 9"),
                              ("^bad_none", "no soon_bench_each loop"),
                              ("^no_such", "failed with exit status 3")):
            with self.subTest(pattern):
                self.assert_says(said, SOON_BENCH, "run", "--runs=1", SUBJECT, "--", *QUICK,
                                 f"--filter={pattern}", status=4)

    def test_programs_with_the_same_benchmarks_are_no_suite(self):
        self.assert_says("soon-bench ab", SOON_BENCH, "run", "--runs=1", PLANTED, PLANTED, "--",
                         *QUICK, status=3)

    def test_baselines(self):
        state = {"XDG_STATE_HOME": str(self.folder / "not/there/yet")}
        self.measure("^calls$")

        def baseline(*words, status=0, **surroundings):
            code, out, err = run(SOON_BENCH, *words, **{"environment": state, **surroundings})
            self.assertEqual(code, status, out + err)
            return out + err

        self.assertEqual(baseline("baseline", "list"), "")
        baseline("baseline", "save", "v1.0", self.out)
        self.assertIn("v1.0", baseline("baseline", "list"))
        baseline("compare", "--threshold=1000", "@v1.0", self.out)
        self.assertIn("baseline list", baseline("compare", "@v2", self.out, status=3))
        for name in ("../v1", ".hidden", "", "a/b"):
            self.assertIn("no name", baseline("baseline", "save", name, self.out, status=2))
        self.assertIn("No such file", baseline("baseline", "save", "x", "/no/file", status=3))
        baseline("baseline", "remove", "v1.0")
        self.assertIn("No such file", baseline("baseline", "remove", "v1.0", status=3))
        # Without the variable they are where the program runs.
        baseline("baseline", "save", "here", self.out, environment={"XDG_STATE_HOME": ""},
                 folder=self.folder)
        self.assertTrue((self.folder / ".soon-bench/here.json").is_file())


if __name__ == "__main__":
    SOON_BENCH, SUBJECT, PLANTED = sys.argv[1:4]
    unittest.main(argv=sys.argv[:1], verbosity=2)
