# SPDX-License-Identifier: Apache-2.0
"""The kinds of rows: each knows how to measure, and gives one or more figures."""

import json
import re
import statistics

from benchlib.figures import Bar, Figure
from benchlib.programs import LOAD_CPU, SERVER_CPU, Failed

BOTH = (SERVER_CPU, LOAD_CPU)


class Compare:
    """Two servers under the same load, side by side: the ratio of their CPU per exchange."""

    def __init__(self, title, ours, theirs, load, bar=None, is_rate=False):
        self.title = title
        self.ours = ours
        self.theirs = theirs
        self.arguments = load.split()
        self.bar = bar or Bar()
        self.is_rate = is_rate

    def measure(self, programs, plan):
        ratios, note = self.ratios((programs, self.ours), (programs, self.theirs), plan)
        if self.is_rate:
            ratios = [1 / ratio for ratio in ratios]
        return [Figure(self.title, "ratio", ratios, self.bar, note)]

    def ratios(self, ours, theirs, plan):
        """Each side is the programs and the one to start: the cost of ours by that of theirs."""
        load = [*self.arguments, f"--warmup={plan.warmup}", f"--seconds={plan.seconds}"]
        costs = {"A": [], "B": []}
        busy = []
        for block in range(plan.blocks):
            # Fresh processes for each block, so that one lucky memory layout does not decide;
            # A B B A, so that a drift of the machine meets both alike.
            servers = {}
            try:
                servers["A"] = ours[0].start(ours[1])
                servers["B"] = theirs[0].start(theirs[1])
                of_block = {"A": [], "B": []}
                for side in "ABBA" if block % 2 == 0 else "BAAB":
                    result = ours[0].load(servers[side], load)
                    of_block[side].append(result["server_cpu_ns_each"])
                    busy.append(result["server_busy"])
            finally:
                for server in servers.values():
                    server.stop()
            for side, values in of_block.items():
                costs[side].append(statistics.mean(values))
        note = (f"{statistics.median(costs['A']) / 1000:.3f} us against "
                f"{statistics.median(costs['B']) / 1000:.3f} us of server CPU each; "
                f"server {statistics.median(busy) * 100:.0f} % busy")
        return [a / b for a, b in zip(costs["A"], costs["B"])], note


class Generators:
    """
    soon-load and wrk on the same server: requests for each second of their own CPU time. The server
    is soon's, as nginx is slower than either: a generator that waits for its server pays for each
    of its wake-ups, and the slower generator for fewer.
    """

    def __init__(self, connections, bar):
        self.connections = connections
        self.bar = bar

    def ours(self, programs, url, seconds):
        out, cpu = programs.spend(
            [programs.path("soon_load/soon-load"), "--quiet", "--warmup=0",
             f"--duration={seconds}s", f"--connections={self.connections}",
             "--expect-body=Hello, World!", "--out=-", url])
        load = json.loads(out)["entries"][0]["load"]
        if load["errors"]:
            raise Failed(f"soon-load: {load['errors']}")
        return load["completed"] / cpu, load["completed"] / load["length_s"]

    def theirs(self, programs, url, seconds):
        out, cpu = programs.spend([programs.tool("wrk"), "--threads=1", f"--duration={seconds}s",
                                   f"--connections={self.connections}", url])
        count = int(re.search(r"(\d+) requests in", out).group(1))
        if "Socket errors" in out or "Non-2xx" in out:
            raise Failed(out)
        return count / cpu, count / seconds

    def measure(self, programs, plan):
        seconds = max(1, round(plan.seconds))  # wrk takes whole ones
        ratios, rates = [], {"A": [], "B": []}
        for block in range(plan.blocks):
            server = programs.start("soon_http")
            try:
                url = f"http://127.0.0.1:{server.port}/"
                each = {"A": [], "B": []}
                for side in "ABBA" if block % 2 == 0 else "BAAB":
                    run = self.ours if side == "A" else self.theirs
                    by_cpu, by_time = run(programs, url, seconds)
                    each[side].append(by_cpu)
                    rates[side].append(by_time)
            finally:
                server.stop()
            ratios.append(statistics.mean(each["A"]) / statistics.mean(each["B"]))
        note = (f"{statistics.median(rates['A']):.0f} against "
                f"{statistics.median(rates['B']):.0f} requests/s of elapsed time")
        plural = "" if self.connections == 1 else "s"
        return [Figure(f"soon-load against wrk, {self.connections} connection{plural}: "
                       "requests per CPU second", "ratio", ratios, self.bar, note)]


class Micro:
    """A micro benchmark, run as several processes; it interleaves its own pairs."""

    def __init__(self, program, figures, repeats_max=99, cpus=(SERVER_CPU,)):
        self.program = program
        self.figures = figures  # name in the output, title, unit, bar
        self.repeats_max = repeats_max
        self.cpus = cpus

    def measure(self, programs, plan):
        repeats = min(plan.repeats, self.repeats_max)
        runs = [programs.micro(self.program, self.cpus) for _ in range(repeats)]
        return [Figure(title, unit, [run[name] for run in runs], bar)
                for name, title, unit, bar in self.figures]


class Race:
    """A micro benchmark and the same work in peers, in turns, each run a process of its own.

    `commands` has that of each; the first is ours. All print the same figure. The ratio is the one
    to the best peer by its median, those `aside` left out; peers that are not built are named.
    """

    def __init__(self, figure, title, unit, commands, bar=None, ratio=None, aside=(),
                 cpus=(SERVER_CPU,)):
        self.figure = figure
        self.title = title
        self.unit = unit
        self.ours, *self.theirs = commands.items()
        self.bar = bar or Bar()
        self.ratio = ratio or Bar()
        self.aside = aside
        self.cpus = cpus

    def measure(self, programs, plan):
        built, absent = [self.ours], []
        for name, command in self.theirs:
            (built if programs.has(command) else absent).append((name, command))
        samples = {name: [] for name, _ in built}
        for repeat in range(plan.repeats):
            turn = repeat % len(built)
            for name, command in built[turn:] + built[:turn]:
                samples[name].append(programs.micro(command, self.cpus)[self.figure])
        ours = samples.pop(self.ours[0])
        note = f"not installed: {', '.join(name for name, _ in absent)}" if absent else ""
        figures = [Figure(self.title, self.unit, ours, self.bar, note)]
        figures += [Figure(f"{name}: the same", self.unit, values)
                    for name, values in samples.items()]
        for name in self.aside:
            samples.pop(name, None)
        if samples:
            best = min(samples, key=lambda name: statistics.median(samples[name]))
            figures.append(Figure(f"against the best peer, {best}", "ratio",
                                  [a / b for a, b in zip(ours, samples[best])], self.ratio))
        return figures


class Debugged:
    """What micro benchmarks cost while they are debugged, and without, in turns."""

    def __init__(self, words, *measured):
        self.words = words
        self.measured = measured  # program, name in its output, title

    def measure(self, programs, plan):
        figures = []
        for program, name, title in self.measured:
            plain, debugged = [], []
            for repeat in range(plan.repeats):
                for side in (plain, debugged) if repeat % 2 == 0 else (debugged, plain):
                    words = self.words if side is debugged else ""
                    side.append(programs.micro(program, debug=words)[name])
            note = (f"{statistics.median(debugged):.1f} ns against "
                    f"{statistics.median(plain):.1f} ns")
            figures.append(Figure(f"{title}, SOON_DEBUG={self.words}: against without", "ratio",
                                  [a / b for a, b in zip(debugged, plain)], note=note))
        return figures


class Idle:
    """Wake-ups, CPU and memory of a server whose connections say nothing."""

    def __init__(self, server, connections, load):
        self.server = server
        self.connections = connections
        self.arguments = load.split()

    def measure(self, programs, plan):
        server = programs.start(self.server)
        try:
            result = programs.load(server, [
                *self.arguments, "--idle", "--greet", f"--connections={self.connections}",
                "--warmup=2", f"--seconds={plan.idle_seconds}"])
        finally:
            server.stop()
        wakes = result["switches_voluntary"] + result["switches_forced"]
        kib = result["rss_kib_grown"] + result["page_table_kib_grown"]
        title = f"{self.connections} idle connections"
        return [
            Figure(f"{title}: wake-ups", "/s", [wakes / result["seconds"]], Bar(0)),
            Figure(f"{title}: server CPU", "us/s",
                   [result["server_cpu_ns"] / 1000 / result["seconds"]], Bar(0)),
            Figure(f"{title}: resident, page tables included", "KiB each",
                   [kib / self.connections], Bar(None, 6)),
        ]


class Quiet:
    """Wake-ups and CPU of a run that spins, once the spin has ended."""

    def measure(self, programs, plan):
        result = programs.micro(f"micro_idle {plan.idle_seconds}", BOTH)
        return [
            Figure("idle with spin: wake-ups of core and pool", "/s", [result["idle_wakes"]],
                   Bar(0)),
            Figure("idle with spin: CPU", "us/s", [result["idle_cpu"]], Bar()),
        ]


class Cores:
    """
    What an added core gives, by the server's CPU time for an exchange: 2 where one on two cores
    costs what it costs on one. Each CPU has a load of its own, and a core serves that of its CPU,
    so that all cores work alike in all configurations:

      apart    two processes of one core each, at the same time
      alone    one of these, the other CPU at rest; each in turn
      two      one process of two cores
      mixed    the same, but the kernel spreads the connections by its hash: half of the messages
               go to the other CPU, which loopback makes the sender pay for
    """

    def __init__(self, server, load, bar):
        self.server = server
        self.arguments = load.split()
        self.bar = bar

    def start(self, programs):
        one, two = f"{self.server} --cores=1", f"{self.server} --cores=2"
        for spec, cpus in ((one, (SERVER_CPU,)), (one, (LOAD_CPU,)), (f"{two} --by-cpu", BOTH),
                           (two, BOTH)):
            yield programs.start(spec, cpus, is_batch=True)

    def block(self, programs, load, is_reversed):
        """The costs of each configuration, in turns there and back."""
        costs = {"apart": [], "alone": [], "two": [], "mixed": []}
        servers = []
        try:
            servers.extend(self.start(programs))
            first, second, two, mixed = servers
            turns = [("apart", {SERVER_CPU: first, LOAD_CPU: second}), ("two", dict.fromkeys(
                BOTH, two)), ("alone", {SERVER_CPU: first}), ("alone", {LOAD_CPU: second}),
                ("mixed", dict.fromkeys(BOTH, mixed))]
            if is_reversed:
                turns.reverse()
            for name, loaded in turns + turns[::-1]:
                costs[name].append(programs.loads(loaded, load))
        finally:
            for server in servers:
                server.stop()
        return {name: statistics.mean(values) for name, values in costs.items()}

    def measure(self, programs, plan):
        load = [*self.arguments, f"--warmup={plan.warmup}", f"--seconds={plan.seconds}"]
        blocks = [self.block(programs, load, block % 2 != 0) for block in range(plan.blocks)]
        note = "us of server CPU each: " + ", ".join(
            f"{statistics.median(block[name] for block in blocks) / 1000:.3f} {name}"
            for name in blocks[0])
        title = " ".join(self.arguments)
        return [
            Figure(f"{title}: 2 cores against 2 processes of 1, work by CPU", "times",
                   [2 * block["apart"] / block["two"] for block in blocks], self.bar, note),
            Figure(f"{title}: the same against 1 core, the other CPU at rest", "times",
                   [2 * block["alone"] / block["two"] for block in blocks], Bar()),
            Figure(f"{title}: the same, connections spread by the kernel's hash", "times",
                   [2 * block["alone"] / block["mixed"] for block in blocks], Bar()),
        ]
