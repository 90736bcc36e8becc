# SPDX-License-Identifier: Apache-2.0
"""The peers, the rows they are compared in, and `bench.py --peers`."""

import os
import shutil
import subprocess
from dataclasses import dataclass

from benchlib.kinds import BOTH
from benchlib.programs import Missing, interpreter
from benchlib.side_by_side import OURS, Field, IdleTraffic, Patience, Traffic, Work

HTTP = "http --connections=64"


@dataclass(frozen=True)
class Peer:
    """A framework: its servers, and the program of its micro benchmarks, as Programs knows them."""

    title: str
    echo: str | None = None
    http: str | None = None
    micro: str | None = None
    patience: Patience = Patience()


PEERS = {
    "soon": Peer("soon", "soon_echo", "soon_http"),
    "soon-epoll": Peer("soon on its epoll back end", "soon_echo --io=epoll",
                       "soon_http --io=epoll"),
    "epoll": Peer("a loop by hand on epoll; its HTTP parses nothing", "echo_epoll", "http_epoll"),
    "uring": Peer("a loop by hand on liburing", "echo_uring"),
    "libuv": Peer("libuv; HTTP with llhttp", "echo_uv", "http_uv", "micro_uv"),
    "libevent": Peer("libevent: bufferevent, evhttp", "echo_event", "http_event", "micro_event"),
    "asio": Peer("Boost.Asio; HTTP with Boost.Beast", "echo_asio", "http_asio", "micro_asio"),
    "asio-uring": Peer("the same on io_uring", "echo_asio_uring", "http_asio_uring"),
    "go": Peer("Go; net/http", "server_go echo", "server_go http", "micro_go"),
    "tokio": Peer("Tokio; HTTP with hyper", "echo_tokio", "http_tokio", "micro_tokio"),
    "nginx": Peer("nginx: return 200", http="nginx"),
    "h2o": Peer("h2o as a library", http="http_h2o"),
    "node": Peer("Node.js", "node/echo.js", "node/http.js", "node/micro.js",
                 Patience(warm_seconds=1.5, times=2)),
    "uvloop": Peer("uvloop; HTTP with aiohttp", "python/echo.py uvloop", "python/web.py uvloop",
                   "python/micro.py uvloop", Patience(times=2)),
    "asyncio": Peer("asyncio; HTTP with aiohttp", "python/echo.py asyncio",
                    "python/web.py asyncio", "python/micro.py asyncio", Patience(times=3)),
}

ALL = ("libuv", "libevent", "asio", "go", "tokio", "node", "uvloop", "asyncio")
TASKS = ("asio", "go", "tokio", "node", "uvloop", "asyncio")  # who has something to spawn
CHANNELS = ("asio", "go", "tokio", "uvloop", "asyncio")
POOLS = ("libuv", "asio", "tokio", "uvloop", "asyncio")  # whose pool runs a function of yours
PINNED = tuple(name for name in ALL if name != "node")  # whose threads can be kept on a CPU


def of(what, ours, names):
    """The commands of a micro benchmark: soon's, and the same word for each of the peers."""
    return {OURS: ours, **{name: f"{PEERS[name].micro} {what}" for name in names}}


ROWS = {
    "echo": Traffic("echo of 64 bytes, 64 connections", "echo", "echo --connections=64"),
    "http": Traffic("HTTP keep-alive, 64 connections", "http", HTTP),
    "http16": Traffic("HTTP, 16 requests in one write, 64 connections", "http",
                      f"{HTTP} --depth=16"),
    "idle": IdleTraffic("2,000 idle connections of the echo server", "echo", "echo", 2000),
    "idlehttp": IdleTraffic("2,000 idle connections of the HTTP server", "http", "http", 2000),
    "switch": Work("switch between two contexts, one way; Asio's are those of Boost.Context",
                   {OURS: "switch_soon", "asio": "switch_boost"}, "ns",
                   {OURS: "micro_switch", "asio": "micro_switch"}),
    "yield": Work("yield, two tasks that do nothing else", "yield_2", "ns",
                  of("yield", "micro_sched yield", TASKS)),
    "spawn": Work("spawn a task, run it, wait for its end; one at a time", "spawn_close", "ns",
                  of("spawn", "micro_sched spawn", TASKS)),
    "chan": Work("an item from task to task, channel without a buffer", "chan_item", "ns",
                 of("chan", "micro_chan item", CHANNELS)),
    "buffered": Work("an item from task to task, channel of 64", "chan_buffered", "ns",
                     of("buffered", "micro_chan buffered", CHANNELS)),
    "timeout": Work("the same without a buffer, each receive with a deadline of 30 s",
                    "chan_timeout", "ns", of("timeout", "micro_chan timeout", CHANNELS)),
    "timer": Work("arm and cancel a timer among 100,000 live ones", "timer_arm_cancel", "ns",
                  of("timer", "micro_timer 100000", ALL)),
    "post": Work("a post from a thread, executed", "post", "ns",
                 of("post", "micro_thread post", ALL), BOTH),
    "trip": Work("from a thread to the loop and back, the loop asleep", "trip", "us",
                 of("trip_rested", "micro_thread trip_rested", PINNED), BOTH),
    "trip1": Work("the same, both on one CPU", "trip", "us",
                  of("trip", "micro_thread trip_spin", ALL), is_elapsed=True),
    "offload": Work("a call on a pool thread and back, one at a time", "offload", "us",
                    of("offload", "micro_offload trip", POOLS), BOTH),
    "jobs": Work("the same, a thousand at a time, for each", "offload_many", "ns",
                 of("offload_many", "micro_offload many", POOLS), BOTH),
}


def commands(row, names):
    """Who takes part in a row, and by which command; others have no such thing."""
    known = row.commands if row.service is None else {
        name: getattr(peer, row.service) for name, peer in PEERS.items()}
    return {name: known[name] for name in names if known.get(name)}


def choose(text, known, what):
    """The names of a comma-separated list, in the order of what is known."""
    wanted = text.split(",") if text else list(known)
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise SystemExit(f"no such {what}: {', '.join(unknown)} (there are {', '.join(known)})")
    return [name for name in known if name in wanted]


def said_by(argv):
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return "" if done.returncode else (done.stdout + done.stderr).strip()


def of_scripts():
    """The versions of what is not built: name, how it is asked."""
    try:
        python = interpreter(".py")
        yield "asyncio", said_by([*python, "--version"])
        yield "uvloop", said_by([*python, "-c", "import uvloop; print(uvloop.__version__)"])
        yield "aiohttp", said_by([*python, "-c", "import aiohttp; print(aiohttp.__version__)"])
        yield "node", said_by([*interpreter(".js"), "--version"])
    except Missing:
        pass
    nginx = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if nginx:
        yield "nginx", said_by([nginx, "-v"]).split("/")[-1]


def versions(programs):
    """Of what is installed here, by name."""
    known = programs.build / "peers.txt"
    lines = known.read_text().splitlines() if known.exists() else []
    built = dict(line.split(" ", 1) for line in lines)
    return {**built, **{name: text for name, text in of_scripts() if text}}


def measure(name, names, programs, plan):
    """A row as it stands in the report and in the file."""
    row = ROWS[name]
    field = Field(commands(row, names), name, {peer: PEERS[peer].patience for peer in names})
    row.measure(field, programs, plan)
    ours = field.cells.get(OURS, {})
    if "ratios" not in ours:
        for cell in field.cells.values():
            if "ratios" in cell:
                cell.clear()
                cell["missing"] = "nothing to compare with: soon has no figure"
    return {"title": row.title, "of": row.of, "columns": row.columns, "peers": field.cells}
