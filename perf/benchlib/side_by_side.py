# SPDX-License-Identifier: Apache-2.0
"""
soon and its peers at the same work. A kind measures a row: for each peer what it cost, and the
ratio to soon's, one for each block. Within a block the machine is taken to be the same for all.
"""

import random
import statistics
from dataclasses import dataclass

from benchlib.kinds import BOTH
from benchlib.programs import LOAD_CPU, SERVER_CPU, Failed, Missing, end_load

OURS = "soon"


@dataclass
class Plan:
    """How much is measured: blocks of servers and of idle ones, rounds of micro benchmarks."""

    blocks: int = 7
    seconds: float = 0.3
    warmup: float = 0.1
    idle_blocks: int = 5
    idle_seconds: float = 2.0
    settle_seconds: float = 2.0
    rounds: int = 5

    @staticmethod
    def quick():
        return Plan(blocks=1, seconds=0.2, idle_blocks=1, idle_seconds=0.5, settle_seconds=0.5,
                    rounds=1)


@dataclass(frozen=True)
class Patience:
    """What a peer needs to show what it can: a load before its block, and longer windows."""

    warm_seconds: float = 0.0  # for what is compiled while it runs
    times: float = 1.0         # for what has few exchanges in a window


class Field:
    """The peers of a row: who is still in it, what each has given, why others are out."""

    def __init__(self, commands, seed, patience=None):
        self.commands = dict(commands)
        self.patience = patience or {}
        self.cells = {name: {"ratios": [], "values": {}} for name in commands}
        self.dice = random.Random(seed)  # the same turns in each run

    def patience_of(self, name):
        return self.patience.get(name, Patience())

    def shuffled(self):
        names = list(self.commands)
        self.dice.shuffle(names)
        return names

    def drop(self, name, kind, reason):
        """Takes a peer out, whatever it gave before."""
        self.commands.pop(name, None)
        self.cells[name] = {kind: str(reason)}

    def tries(self, name, action):
        """What the action gives; None for a peer that is out, or is now."""
        if name not in self.commands:
            return None
        try:
            return action()
        except Missing as missing:
            self.drop(name, "missing", missing)
        except Failed as failed:
            self.drop(name, "failed", failed)
        return None

    def add(self, block):
        """One block: of each peer its values by name, the one that is compared first."""
        ours = block.get(OURS)
        for name, values in block.items():
            if name not in self.commands or ours is None:
                continue
            compared = next(iter(values))
            self.cells[name]["ratios"].append(values[compared] / ours[compared])
            for key, value in values.items():
                self.cells[name]["values"].setdefault(key, []).append(value)


class Servers:
    """Starts the servers of a block, and sees to it that all of them end."""

    def __init__(self, field, programs):
        self.field = field
        self.programs = programs
        self.running = {}

    def __enter__(self):
        try:
            for name, command in list(self.field.commands.items()):
                server = self.field.tries(name, lambda spec=command: self.programs.start(spec))
                if server is not None:
                    self.running[name] = server
        except BaseException:
            self.__exit__()
            raise
        return self.running

    def __exit__(self, *_):
        for name, server in self.running.items():
            try:
                server.stop()
            except Failed as failed:
                self.field.drop(name, "failed", failed)


class Traffic:
    """
    Servers under load, all up at the same time. In a block each has two windows, in shuffled order
    there and back, so that a drift of the machine meets all alike; soon, by which all are divided,
    has four.
    """

    columns = {"cost_us": "us of CPU each", "per_second": "/s", "busy": "server busy"}
    of = "server CPU time an exchange"

    def __init__(self, title, service, load):
        self.title = title
        self.service = service
        self.arguments = load.split()

    def block(self, field, programs, plan):
        windows = {}
        with Servers(field, programs) as servers:
            served = {name: self.warm_up(field, programs, name, servers[name])
                      for name in list(servers)}
            order = field.shuffled()
            order.insert(len(order) // 2, OURS)
            for name in order + order[::-1]:
                times = field.patience_of(name).times
                load = [*self.arguments, f"--warmup={plan.warmup * times}",
                        f"--seconds={plan.seconds * times}"]
                result = field.tries(
                    name, lambda who=name, what=load: programs.load(servers[who], what))
                if result is not None:
                    windows.setdefault(name, []).append(result)
            for name in windows:
                self.check_served(field, name, served[name], windows[name])
        return {name: self.values(results) for name, results in windows.items()
                if name in field.commands}

    def warm_up(self, field, programs, name, server):
        seconds = field.patience_of(name).warm_seconds
        if not seconds:
            return []
        load = [*self.arguments, "--warmup=0", f"--seconds={seconds}"]
        result = field.tries(name, lambda: programs.load(server, load))
        return [] if result is None else [result]

    @staticmethod
    def check_served(field, name, before, windows):
        """
        Each byte was verified; here it is asked whether every connection got an answer. Within one
        window some may have to wait, where a server stays with one connection for long.
        """
        starved = min(result["starved"] for result in before + windows)
        if starved:
            field.drop(name, "failed", f"{starved} of {windows[0]['connections']} connections "
                       "were never answered")
        elif not any(result["completed"] for result in windows):
            field.drop(name, "failed", "answered nothing within its windows")

    @staticmethod
    def values(windows):
        completed = sum(window["completed"] for window in windows)
        return {
            "cost_us": sum(window["server_cpu_ns"] for window in windows) / completed / 1000,
            "per_second": statistics.mean(window["per_second"] for window in windows),
            "busy": statistics.mean(window["server_busy"] for window in windows),
        }

    def measure(self, field, programs, plan):
        for _ in range(plan.blocks):
            field.add(self.block(field, programs, plan))


class IdleTraffic:
    """Memory and CPU of servers whose connections say nothing, after one exchange on each."""

    columns = {"kib": "KiB each", "cpu": "CPU us/s", "wakes": "wake-ups/s"}
    of = "memory a connection (resident, with page tables)"

    def __init__(self, title, service, load, connections):
        self.title = title
        self.service = service
        self.connections = connections
        self.arguments = [*load.split(), "--idle", "--greet", f"--connections={connections}"]

    def measure(self, field, programs, plan):
        load = [*self.arguments, f"--warmup={plan.settle_seconds}",
                f"--seconds={plan.idle_seconds}"]
        for _ in range(plan.idle_blocks):
            results = {}
            with Servers(field, programs) as servers:
                # All at once: who says nothing disturbs nobody.
                loads = {name: programs.begin_load(server, load, LOAD_CPU)
                         for name, server in servers.items()}
                for name, process in loads.items():
                    result = field.tries(name, lambda ends=process: end_load(ends))
                    if result is not None:
                        results[name] = self.values(result)
            field.add(results)

    def values(self, result):
        grown = result["rss_kib_grown"] + result["page_table_kib_grown"]
        wakes = result["switches_voluntary"] + result["switches_forced"]
        return {
            "kib": grown / self.connections,
            "cpu": result["server_cpu_ns"] / 1000 / result["seconds"],
            "wakes": wakes / result["seconds"],
        }


class Work:
    """
    A micro benchmark and the same work in peers, each run a process of its own. All print the
    same figure, unless `figure` has the name of each.
    """

    service = None

    def __init__(self, title, figure, unit, commands, cpus=(SERVER_CPU,), is_elapsed=False):
        self.title = title
        self.figure = figure
        self.commands = commands
        self.cpus = cpus
        self.columns = {"cost": unit}
        self.of = "elapsed time" if is_elapsed or cpus == BOTH else "CPU time"

    def measure(self, field, programs, plan):
        for _ in range(plan.rounds):
            results = {}
            for name in field.shuffled():
                value = field.tries(name, lambda who=name: self.run(programs, field, who))
                if value is not None:
                    results[name] = {"cost": value}
            field.add(results)

    def run(self, programs, field, name):
        figures = programs.micro(field.commands[name], self.cpus)
        figure = self.figure if isinstance(self.figure, str) else self.figure[name]
        if figures.get(figure, 0) <= 0:
            raise Failed(f"no figure {figure}")
        return figures[figure]
