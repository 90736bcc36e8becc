# SPDX-License-Identifier: Apache-2.0
"""What is measured, and the bars it has to reach."""

from benchlib.figures import Bar
from benchlib.kinds import BOTH, Compare, Cores, Debugged, Generators, Idle, Micro, Quiet, Race

HTTP = "http --connections=64"


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
    "postnospin": Micro("micro_thread post_no_spin", [
        ("post", "post, 1 producer, to a core that never spins", "ns", Bar()),
    ], cpus=BOTH),
    "post8": Micro("micro_thread post8", [
        ("post8", "post, 8 producers that share a CPU, executed", "ns", Bar()),
    ], cpus=BOTH),
    "trip": Race("trip", "round trip thread, core, thread; the core asleep", "us", {
        "soon": "micro_thread trip_rested", **peers("trip_rested"),
    }, ratio=Bar(1.0, 0.8), cpus=BOTH),
    "tripback": Race("trip", "the same, one right after the other", "us", {
        "soon": "micro_thread trip", **peers("trip"),
    }, aside=("Go",), cpus=BOTH),
    "tripspin": Micro("micro_thread trip_spin", [
        ("trip", "the same, with adaptive spin and a CPU to spare", "us", Bar(3, 1)),
    ], cpus=BOTH),
    "trip1": Race("trip", "the same, both on one CPU", "us", {
        "soon": "micro_thread trip_spin", **peers("trip"),
    }, Bar(5, 2.5)),
    "call": Micro("micro_thread call", [
        ("call", "soon_call of a thread: a task and back, the core asleep", "us", Bar()),
    ], cpus=BOTH),
    "callspin": Micro("micro_thread call_spin", [
        ("call", "the same, with adaptive spin and a CPU to spare", "us", Bar()),
    ], cpus=BOTH),
    "call1": Micro("micro_thread call_spin", [
        ("call", "the same, both on one CPU", "us", Bar()),
    ]),
    "offload": Race("offload", "offload round trip", "us", {
        "soon": "micro_offload trip", **peers("offload"),
    }, ratio=Bar(1.0, 0.8), aside=("Go",), cpus=BOTH),
    "offloadspin": Micro("micro_offload trip_spin", [
        ("offload", "the same, with adaptive spin and a CPU to spare", "us", Bar(4, 1.5)),
    ], cpus=BOTH),
    "offload1": Race("offload", "the same, both on one CPU", "us", {
        "soon": "micro_offload trip_spin", **peers("offload"),
    }, aside=("Go",)),
    "jobs": Race("offload_many", "offload, 1000 tasks, per job", "ns", {
        "soon": "micro_offload many", **peers("offload_many"),
    }, Bar(110, 60), aside=("Go",), cpus=BOTH),
    "read4k": Micro("micro_file read", [
        ("read_cpu_ratio", "4 KiB of a cached file, against pread on our pool: CPU", "ratio",
         Bar(1.2)),
        ("read_time_ratio", "the same: elapsed time", "ratio", Bar(1.2)),
        ("read64_cpu_ratio", "the same, 64 tasks: CPU", "ratio", Bar(1.2)),
        ("read_cpu", "soon_pread, CPU", "us", Bar()),
        ("pool_cpu", "soon_offload of pread, CPU", "us", Bar()),
    ], cpus=BOTH),
    "read4kepoll": Micro("micro_file read_epoll", [
        ("read_cpu_ratio", "the same on epoll, one task: CPU", "ratio", Bar(1.2)),
        ("read_time_ratio", "the same: elapsed time", "ratio", Bar(1.2)),
        ("read64_cpu_ratio", "the same, 64 tasks: CPU", "ratio", Bar(1.2)),
    ], cpus=BOTH),
    "log": Micro("micro_log record", [
        ("log_record", "log record with three fields, on the core", "ns", Bar()),
        ("log_line", "the rest of it: the line, on the log's thread", "ns", Bar()),
    ], cpus=BOTH),
    "logoff": Micro("micro_log off", [
        ("log_off", "log record whose level is off", "ns", Bar(1)),
    ]),
    "debugslow": Debugged("slow",
                          ("micro_sched yield", "yield_2", "scheduled yield, 2 ready"),
                          ("micro_sched spawn", "spawn_close", "spawn, warm")),
    "debug": Debugged("1",
                      ("micro_sched yield", "yield_2", "scheduled yield, 2 ready"),
                      ("micro_sched spawn", "spawn_close", "spawn, warm"),
                      ("micro_sync mutex", "mutex", "mutex, free")),
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
    "echo64epoll": Compare("echo 64 B, 64 connections, on the epoll back end, against raw epoll",
                           "soon_echo --io=epoll", "echo_epoll", "echo --connections=64",
                           Bar(1.10)),
    "udp64": Compare("UDP echo 64 B, 256 datagrams in flight, against raw recvmmsg and sendmmsg",
                     "soon_udp", "udp_mmsg", "udp --connections=4 --depth=64", Bar(1.10)),
    "udp64epoll": Compare("UDP echo 64 B on the epoll back end, 256 in flight, against the same",
                          "soon_udp --io=epoll", "udp_mmsg", "udp --connections=4 --depth=64",
                          Bar(1.10)),
    "udp1": Compare("UDP echo 64 B, one datagram in flight, against the same",
                    "soon_udp", "udp_mmsg", "udp --connections=1 --depth=1"),
    "udpburst": Micro("micro_udp burst", [
        ("udp_batch", "44 datagrams of 1200 B as a batch, sent and taken", "ns", Bar()),
        ("udp_segments", "the same as segments", "ns", Bar()),
        ("udp_coalesced", "the same, and taken coalesced", "ns", Bar()),
    ]),
    "deadline": Compare("echo with a deadline on every read, against without",
                        "soon_echo", "soon_echo --no-deadline", "echo --connections=64",
                        Bar(1.03, 1.01)),
    "http": Compare("HTTP keep-alive, 64 connections, against nginx",
                    "soon_http", "nginx", HTTP, Bar(0.97, 0.90)),
    "http16": Compare("HTTP 16 pipelined: requests per CPU second against nginx",
                      "soon_http", "nginx", f"{HTTP} --depth=16", Bar(3, 6, True), is_rate=True),
    "https": Compare("HTTPS (TLS 1.3) keep-alive: requests per CPU second against nginx",
                     "soon_http --tls", "nginx --tls", "https --connections=64",
                     Bar(1.0, 1.1, True), is_rate=True),
    "shakes": Compare("full handshakes of TLS 1.3, per CPU second against nginx",
                      "soon_http --tls", "nginx --tls", "shakes --connections=16",
                      Bar(0.95, 1.0, True), is_rate=True),
    "load64": Generators(64, Bar(1.5, None, True)),
    "load1": Generators(1, Bar(1.2, None, True)),
    "cores64": Cores("soon_echo", "echo --connections=64", Bar(1.7, 1.9, True)),
    "coreshttp": Cores("soon_http", HTTP, Bar()),
    "idle": Idle("soon_http", 5000, "http"),
    "idlespin": Quiet(),
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
