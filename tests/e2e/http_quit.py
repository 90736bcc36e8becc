# SPDX-License-Identifier: Apache-2.0
"""SIGQUIT at a server under load, again and again: it serves on, and each dump is whole."""

import re
import signal
import tempfile
import threading
import time
import unittest

from http_client import Connection, Server, main, request

CLIENTS = 16
SIGNALS = 400
TARGETS = ("/", "/hello/x", "/sleep?ms=2", "/bytes?n=20000&piece=1000")

BEGIN = re.compile(r"soon: dump of thread \d+: \d+ tasks, \d+ ready, \d+ timers, "
                   r"\d+ operations in flight, \d+ calls on threads")
END = "soon: end of dump"
STACK = re.compile(r"  (1 task|\d+ tasks) with this stack:( #\d+)+( \.\.\.)?")
INSIDE = tuple(re.compile(pattern) for pattern in (
    r"group '[^']+': [a-z ]+, \d+ live.*",
    r" +group '[^']+': [a-z ]+, \d+ live.*",
    r" +'[^']+' #\d+: (ready|running|parked in ).*, age .*, spawned at .+:\d+",
    r" +scope.*",
    r"stacks:",
    STACK.pattern,
    r"    (\?|[\w.]+)\+0x[0-9a-f]+( \([\w.+-]+\))?",
    r"\d+ more tasks: SOON_DUMP_ALL lists them",
))


class Client(threading.Thread):
    """Asks one thing after the other until told to stop, ten at least, however slow."""

    def __init__(self, port, stop):
        super().__init__()
        self.port, self.stop = port, stop
        self.answered, self.lost = 0, []

    def run(self):
        try:
            with Connection(self.port) as connection:
                while self.answered <= 10 or not self.stop.is_set():
                    target = TARGETS[self.answered % len(TARGETS)]
                    connection.send(request("GET", target))
                    response = connection.response()
                    if response.status != 200 or not response.is_whole:
                        self.lost.append((target, response.status))
                    self.answered += 1
        except (OSError, EOFError) as error:
            self.lost.append(repr(error))


class Quit(unittest.TestCase):
    def check_dumps(self, lines):
        """Returns how many there are; all that stands between begin and end is known."""
        count, is_inside = 0, False
        for line in lines:
            if BEGIN.fullmatch(line):
                self.assertFalse(is_inside, line)
                is_inside = True
            elif line == END:
                self.assertTrue(is_inside)
                is_inside = False
                count += 1
            elif is_inside:
                self.assertTrue(any(p.fullmatch(line) for p in INSIDE), line)
            else:
                self.assertRegex(line, "soon: info: ")
        self.assertFalse(is_inside)
        return count

    def test_storm(self):
        stop = threading.Event()
        with tempfile.TemporaryFile("w+") as stderr:
            server = Server(stderr=stderr)
            clients = [Client(server.port, stop) for _ in range(CLIENTS)]
            for client in clients:
                client.start()
            for i in range(SIGNALS):
                server.program.send_signal(signal.SIGQUIT)
                time.sleep(0.001 + i % 7 * 0.001)
            stop.set()
            for client in clients:
                client.join()
            self.assertEqual([client.lost for client in clients if client.lost], [])
            server.terminate()
            end = server.end()
            self.assertEqual((end["rc"], end["reports"]), (0, 0))
            self.assertGreater(end["requests"], 10 * CLIENTS)
            stderr.seek(0)
            lines = stderr.read().splitlines()
        self.assertGreater(self.check_dumps(lines), SIGNALS // 8)
        self.assertTrue(any(STACK.fullmatch(line) for line in lines))
        self.assertTrue(any(re.search(r"parked in .* fd \d+ for", line) for line in lines))


if __name__ == "__main__":
    main()
