#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What soon-load says of latencies, against what is known of them.

    soon_load_latency.py SOON_LOAD

A machine with other work adds to both sides of a comparison, so each has several tries: a fault of
the program fails all of them. Where the server or the generator had to wait for a processor in
nearly all, nothing is known, and the test is skipped.
"""

import asyncio
import os
import random
import sys
import threading
import time
import unittest

from load_server import Run

TRIES = 4
WAITED_MAX = 0.05  # of the time of a run, for a processor
HIST_ERROR = 2.0 ** -8  # of its default precision
REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Timed(asyncio.Protocol):
    """Answers after a delay that the server draws, and notes how long it has really taken."""

    def __init__(self, server):
        self.server = server

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        since = time.monotonic()
        for _ in range(data.count(b"\r\n\r\n")):
            delay = self.server.draw()
            if delay is None:
                self.reply(since)
            else:
                asyncio.get_running_loop().call_later(delay, self.reply, since)

    def reply(self, since):
        before = time.monotonic()
        self.transport.write(REPLY)
        after = time.monotonic()
        self.server.replies.append(after)
        self.server.taken.append((before - since, after - since))


def time_waited(whom="thread-self"):
    """How long a thread has been ready and had no processor, in s."""
    try:
        with open(f"/proc/{whom}/schedstat", encoding="ascii") as stat:
            return int(stat.read().split()[1]) / 1e9
    except OSError:
        return 0


class Watched(Run):
    """A run that knows for which share of its time it had to wait for a processor."""

    def __init__(self, *arguments):
        since, self.waited = time.monotonic(), 0
        super().__init__(*arguments, begun=self.watch)
        self.thread.join()
        self.waited /= time.monotonic() - since

    def watch(self, process):
        def look():
            while process.returncode is None:
                self.waited = max(self.waited, time_waited(process.pid))
                time.sleep(0.02)

        self.thread = threading.Thread(target=look, daemon=True)
        self.thread.start()


class Server(threading.Thread):
    def __init__(self, draw=lambda: None, stall=None):
        super().__init__(daemon=True)
        self.draw, self.stall = draw, stall
        self.taken, self.replies, self.stalls = [], [], []
        self.ready = threading.Event()
        self.start()
        self.ready.wait()

    def run(self):
        asyncio.run(self.serve())

    async def serve(self):
        begun, waited = time.monotonic(), time_waited()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Timed(self), "127.0.0.1", 0, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self.over = asyncio.Event()
        self.loop = loop
        self.ready.set()
        if self.stall:
            period, length = self.stall
            while not self.over.is_set():
                await asyncio.sleep(period - length)
                since = time.monotonic()
                time.sleep(length)  # blocks everybody, which is the point
                self.stalls.append((since, time.monotonic()))
        await self.over.wait()
        server.close()
        self.waited = (time_waited() - waited) / (time.monotonic() - begun)

    def end(self):
        self.loop.call_soon_threadsafe(self.over.set)
        self.join()


def quantile(run, share):
    """As soon_hist_quantile, by the buckets of the file: the greatest value of a bucket, in s."""
    phase = next(p for p in run.load["phases"] if p["name"] == "total")
    hist, precision = phase["ns"], phase["ns"]["precision"]
    count = sum(bucket[1] for bucket in hist["buckets"])
    rest = max(1, -(-share * count // 1))
    for index, number in hist["buckets"]:
        rest -= number
        if rest <= 0:
            break
    half = 1 << precision
    if index < 2 * half:
        return index / 1e9
    shift = index // half - 1
    return (((index % half + half + 1) << shift) - 1) / 1e9


def of_sorted(values, share):
    return values[max(1, -int(-share * len(values) // 1)) - 1]


class Latency(unittest.TestCase):
    def several_tries(self, attempt):
        faults = []
        for _ in range(TRIES):
            wrong, run, server = attempt()
            if not wrong:
                return
            if max(run.waited, server.waited) <= WAITED_MAX:
                faults.append(wrong)
        if len(faults) < 2:
            self.skipTest(f"the machine has other work: {wrong}")
        self.fail(faults)

    def test_quantiles_of_a_known_distribution(self):
        """
        A quarter is answered at once: how long that takes is the way there and back. The others
        have delays of 20 to 220 ms. What the server has measured is the truth but for that way.
        """
        def attempt():
            generator = random.Random(1)
            server = Server(lambda: None if generator.random() < 0.25 else
                            0.02 + min(0.2, generator.expovariate(25)))
            run = Watched("-q", "-w0", "-d1s", "-r600", "-c256", server.url)
            server.end()
            if run.status != 0 or run.counter("good") != len(server.taken):
                return f"{run.err}{run.errors}, {len(server.taken)} served", run, server
            least, most = (sorted(times) for times in zip(*server.taken))
            way = quantile(run, 0.2)
            for share in (0.3, 0.5, 0.9, 0.99):
                seen, low, high = (quantile(run, share), of_sorted(least, share),
                                   of_sorted(most, share))
                if not low <= seen <= (high + way) * (1 + HIST_ERROR):
                    return (f"p{100 * share:g}: {seen:.6f} s, {low:.6f} to {high:.6f} s by the "
                            f"server and {way:.6f} s for the way"), run, server
            return None, run, server

        self.several_tries(attempt)

    def test_a_server_that_stalls_is_seen_to_stall(self):
        """
        The trap of coordinated omission: 200 ms of each second nobody is served. Requests are due
        all the time, so the true latency of the k-th in a stall is from when it was due to the k-th
        reply after the stall. That is reckoned here from what the server has noted, and has to be
        met within 5 %; a closed loop, which sends nothing meanwhile, is far off.
        """
        def attempt():
            server = Server(stall=(1, 0.2))
            begun = time.monotonic()
            run = Watched("-q", "-w0", "-d2s", "-r400", "-c128", server.url)
            server.end()
            inside = [(a, b) for a, b in server.stalls if begun < a and b < begun + 2.5]
            if run.status != 0 or len(inside) != 2:
                return f"{run.err}{run.errors}, {len(inside)} stalls", run, server
            # 800 requests, one each 2.5 ms; most meet no stall.
            truth = []
            for a, b in inside:
                late = [at for at in server.replies if at >= b][:int((b - a) * 400)]
                truth += [at - (a + k / 400) for k, at in enumerate(late)]
            truth = sorted([0] * (800 - len(truth)) + truth)
            for share in (0.9, 0.95, 0.99, 1.0):
                seen, is_so = quantile(run, share), of_sorted(truth, share)
                if abs(seen - is_so) > 0.05 * is_so:
                    return f"p{100 * share:g}: {seen:.4f} s, and it is {is_so:.4f} s", run, server
            return None, run, server

        self.several_tries(attempt)
        server = Server(stall=(1, 0.2))
        closed = Run("-q", "-w0", "-d2s", "-c1", server.url)
        server.end()
        self.assertLess(quantile(closed, 0.9), 0.05, "the trap is none here")


if __name__ == "__main__":
    os.environ["SOON_LOAD"] = sys.argv[1]
    unittest.main(argv=sys.argv[:1], verbosity=1)
