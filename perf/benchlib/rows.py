# SPDX-License-Identifier: Apache-2.0
"""What is measured and the bars it has to reach. A row gives one or more figures."""

import statistics
from dataclasses import dataclass, field

from benchlib.programs import LOAD_CPU, SERVER_CPU


@dataclass
class Bar:
    """The limits of a figure; `is_floor` when more is better. None: no bar, for information."""

    must: float | None = None
    stretch: float | None = None
    is_floor: bool = False
    is_strict: bool = False

    def reaches(self, value, limit):
        if self.is_floor:
            return value >= limit
        return value < limit if self.is_strict else value <= limit

    def verdict(self, value):
        if self.must is not None and not self.reaches(value, self.must):
            return "MISS"
        if self.stretch is not None and self.reaches(value, self.stretch):
            return "stretch"
        return "info" if self.must is None else "pass"

    def text(self, limit):
        if limit is None:
            return ""
        sign = ">=" if self.is_floor else "<" if self.is_strict else "<="
        return f"{sign} {limit:g}"


@dataclass
class Figure:
    """One number with its spread."""

    title: str
    unit: str
    samples: list
    bar: Bar = field(default_factory=Bar)
    note: str = ""

    @property
    def value(self):
        return statistics.median(self.samples)

    @property
    def verdict(self):
        return self.bar.verdict(self.value)


@dataclass
class Plan:
    """How much is measured: blocks of A B B A, and the seconds of each window."""

    blocks: int = 7
    seconds: float = 0.5
    warmup: float = 0.15
    idle_seconds: float = 10.0
    repeats: int = 5


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


HTTP = "http --connections=64"
BOTH = (SERVER_CPU, LOAD_CPU)


def peers(what):
    """The programs of perf/peers that do the same work."""
    return {"libuv": f"micro_uv {what}", "Asio": f"micro_asio {what}",
            "Tokio": f"micro_tokio {what}", "Go": f"micro_go {what}"}



ROWS = {
    "switch": Micro("micro_switch", [
        ("switch_ratio", "context switch against jump_fcontext", "ratio", Bar(0.8, 0.6)),
        ("switch_soon", "context switch, one way", "ns", Bar()),
        ("switch_boost", "jump_fcontext, one way", "ns", Bar()),
    ]),
    "yield": Micro("micro_sched yield", [
        ("yield_2", "scheduled yield, 2 ready", "ns", Bar(12, 6)),
        ("yield_1000", "scheduled yield, 1000 ready", "ns", Bar(18, 10)),
    ]),
    "spawn": Micro("micro_sched spawn", [
        ("spawn_close", "spawn + run + join by the close of a group, warm", "ns", Bar(50, 25)),
        ("spawn_join", "the same by handle, whose records the group keeps", "ns", Bar()),
        ("spawn_batch", "the same, a thousand tasks per group", "ns", Bar()),
    ]),
    "group": Micro("micro_sched group", [
        ("group", "open and close of an empty group", "ns", Bar(must=25)),
    ]),
    "within": Micro("micro_sched within", [
        ("within", "soon_within around a call that does not block", "ns", Bar(must=25)),
    ]),
    "mutex": Micro("micro_sync mutex", [
        ("mutex", "mutex lock + unlock, free", "ns", Bar(5)),
        ("mutex_handed", "the same, handed between two tasks that wait for it", "ns", Bar()),
    ]),
    "sem": Micro("micro_sync sem", [
        ("sem", "semaphore acquire + release, free", "ns", Bar()),
        ("sem_handed", "the same, one permit between two tasks that wait for it", "ns", Bar()),
    ]),
    "gen": Micro("micro_sched gen", [
        ("gen_item", "item of a generator", "ns", Bar()),
        ("gen_open", "generator: open, one item, close", "ns", Bar()),
    ]),
    "postcost": Micro("micro_thread post_cost", [
        ("post_cost", "post to a busy core: what it costs the producer", "ns", Bar(40, 20)),
        ("post_cost_again", "the same, the core was the last to touch the callback", "ns", Bar()),
    ], cpus=BOTH),
    "postcalls": Micro("micro_thread post_calls", [
        ("post_calls", "post to a busy core: system calls", "", Bar(0)),
    ], cpus=BOTH),
    "post": Race("post", "post, 1 producer, executed", "ns", {
        "soon": "micro_thread post", **peers("post"),
    }, Bar(60, 30), cpus=BOTH),
    "post8": Micro("micro_thread post8", [
        ("post8", "post, 8 producers that share a CPU, executed", "ns", Bar()),
    ], cpus=BOTH),
    "trip": Race("trip", "round trip thread, core, thread; the core asleep", "us", {
        "soon": "micro_thread trip", **peers("trip"),
    }, ratio=Bar(1.0, 0.8), cpus=BOTH),
    "trip1": Race("trip", "the same, both on one CPU", "us", {
        "soon": "micro_thread trip", **peers("trip"),
    }, Bar(5, 2.5)),
    "offload": Race("offload", "offload round trip", "us", {
        "soon": "micro_offload trip", **peers("offload"),
    }, ratio=Bar(1.0, 0.8), aside=("Go",), cpus=BOTH),
    "offload1": Race("offload", "the same, both on one CPU", "us", {
        "soon": "micro_offload trip", **peers("offload"),
    }, aside=("Go",)),
    "jobs": Race("offload_many", "offload, 1000 tasks, per job", "ns", {
        "soon": "micro_offload many", **peers("offload_many"),
    }, Bar(110, 60), aside=("Go",), cpus=BOTH),
    "chan": Micro("micro_chan item", [
        ("chan_item", "item over an unbuffered channel between two tasks", "ns", Bar(40)),
    ]),
    "buffered": Micro("micro_chan buffered", [
        ("chan_buffered", "item through a buffer of 64 between two tasks", "ns", Bar()),
    ]),
    "select": Micro("micro_chan select", [
        ("chan_select_8", "select over 8 ready channels", "ns", Bar(150)),
    ]),
    "go": Micro("micro_go 1", [
        ("go_item", "Go: item over an unbuffered channel, GOMAXPROCS=1", "ns", Bar()),
        ("go_select_8", "Go: select over 8 ready channels", "ns", Bar()),
        ("go_mutex", "Go: mutex lock + unlock, uncontended", "ns", Bar()),
        ("go_spawn", "Go: spawn + run + join, one goroutine at a time", "ns", Bar()),
    ]),
    "go2": Micro("micro_go 2", [
        ("go_item", "Go: item over an unbuffered channel, GOMAXPROCS=2", "ns", Bar()),
    ], cpus=BOTH),
    "timer": Micro("micro_timer", [
        ("timer_arm_cancel", "timer arm + cancel, 1 M live", "ns", Bar(60, 20)),
        ("timer_move_any", "cancel + arm of any one of the million", "ns", Bar()),
    ]),
    "park": Micro("micro_park", [
        ("park_kib", "1 M parked tasks: resident with page tables", "KiB each", Bar(6, 5)),
        ("park_seconds", "1 M parked tasks: time to make", "s", Bar(2, 1)),
        ("park_floor_seconds", "1 M pages touched by a plain loop: the floor of that", "s", Bar()),
        ("park_guarded", "1 M parked tasks: guarded part of a sample", "", Bar(1, None, True)),
        ("park_vmas", "1 M parked tasks: VMAs", "", Bar(200, None, False, True)),
    ], repeats_max=2),
    "echo64": Compare("echo 64 B, 64 connections, against raw epoll",
                      "soon_echo", "echo_epoll", "echo --connections=64", Bar(1.05, 0.97)),
    "echo1000": Compare("echo 64 B, 1000 connections, against raw epoll",
                        "soon_echo", "echo_epoll", "echo --connections=1000", Bar(1.10, 1.00)),
    "deadline": Compare("echo with a deadline on every read, against without",
                        "soon_echo", "soon_echo --no-deadline", "echo --connections=64",
                        Bar(1.03, 1.01)),
    "http": Compare("HTTP keep-alive, 64 connections, against nginx",
                    "soon_http", "nginx", HTTP, Bar(0.97, 0.90)),
    "http16": Compare("HTTP 16 pipelined: requests per CPU second against nginx",
                      "soon_http", "nginx", f"{HTTP} --depth=16", Bar(3, 6, True), is_rate=True),
    "idle": Idle("soon_http", 5000, "http"),
    "ours64": Compare("echo 64 B, 64 connections, against raw io_uring",
                      "soon_echo", "echo_uring", "echo --connections=64"),
    "ours1000": Compare("echo 64 B, 1000 connections, against raw io_uring",
                        "soon_echo", "echo_uring", "echo --connections=1000"),
    "uring64": Compare("baselines: raw io_uring against raw epoll, echo, 64 connections",
                       "echo_uring", "echo_epoll", "echo --connections=64"),
    "uring1000": Compare("baselines: raw io_uring against raw epoll, echo, 1000 connections",
                         "echo_uring", "echo_epoll", "echo --connections=1000"),
    "rawhttp": Compare("baselines: raw epoll against nginx, HTTP keep-alive",
                       "http_epoll", "nginx", HTTP),
    "rawhttp16": Compare("baselines: raw epoll against nginx, 16 pipelined: per CPU second",
                         "http_epoll", "nginx", f"{HTTP} --depth=16", is_rate=True),
}
