#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""handover.py PROGRAM STILLBORN: examples/handover under load while it is replaced, and when that
fails; STILLBORN is handover_new.

Each client connects, asks, and wants an answer, over and over: one refused or lost is a failure.
"""
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from lines_client import PATIENCE, ask, is_alive


class Client(threading.Thread):
    def __init__(self, address):
        super().__init__()
        self.address, self.count, self.failures, self.pids = address, 0, [], set()
        self.is_over = False

    def run(self):
        while not self.is_over and not self.failures:
            try:
                self.pids.add(ask(self.address, f"q{self.count}"))
                self.count += 1
            except (OSError, ValueError) as error:
                self.failures.append(f"{error!r} after {self.count}")


class Service:
    """The program, replaced in place: it is a copy, so that another can be put where it was."""

    def __init__(self, folder, is_unix):
        self.path = os.path.join(folder, "service")
        shutil.copy(PROGRAM, self.path)
        self.errors = open(os.path.join(folder, "errors"), "w+", encoding="utf-8")
        if is_unix:
            self.address = os.path.join(folder, "socket")
            where = "unix:" + self.address
        else:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.address = probe.getsockname()
            where = f"127.0.0.1:{self.address[1]}"
        self.where = where
        self.start()

    def start(self):
        self.program = subprocess.Popen([self.path, self.where], stdout=self.errors,
                                        stderr=self.errors)
        self.pid = self.program.pid
        self.wait_for(lambda: self.answers() == self.pid)

    def answers(self):
        try:
            return ask(self.address)
        except OSError:
            return None

    def said(self):
        self.errors.flush()
        with open(self.errors.name, encoding="utf-8") as errors:
            return errors.read()

    def signal(self, signo):
        os.kill(self.pid, signo)

    def wait_for(self, condition):
        end = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > end:
                raise AssertionError("waited in vain: " + self.said())
            time.sleep(0.01)

    def replace(self, text=None):
        """Puts another program where this one is, as an installation does."""
        new = self.path + ".new"
        if text is None:
            shutil.copy(PROGRAM, new)
        else:
            with open(new, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(new, 0o755)
        os.rename(new, self.path)

    def hand_over(self):
        """Waits until another process answers and the old one is gone."""
        old = self.pid
        os.kill(old, signal.SIGHUP)
        self.wait_for(lambda: self.answers() not in (old, None))
        self.wait_for(lambda: not is_alive(old))
        self.pid = ask(self.address)

    def kill(self):
        """After a test that failed: whatever runs there still."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", encoding="ascii") as words:
                    if words.read().startswith(self.path + "\0"):
                        os.kill(int(pid), signal.SIGKILL)
            except (OSError, UnicodeError):
                pass

    def end(self):
        self.signal(signal.SIGTERM)
        self.wait_for(lambda: not is_alive(self.pid))
        self.program.wait(PATIENCE)
        self.errors.close()


def script(command, *words, cpus=None, backend=None):
    """A program that runs the command by its own name, on these processors, with this SOON_IO."""
    return (f"#!{sys.executable}\nimport os, sys\n"
            f"os.sched_setaffinity(0, {cpus or os.sched_getaffinity(0)})\n"
            f"os.environ['SOON_IO'] = {backend or os.environ.get('SOON_IO', 'auto')!r}\n"
            f"os.execv({command!r}, [sys.argv[0], *{words}, *sys.argv[1:]])\n")


class HandOver:
    IS_UNIX, CLIENTS = False, 4

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.service = Service(folder.name, self.IS_UNIX)
        self.addCleanup(self.service.kill)
        self.clients = [Client(self.service.address) for _ in range(self.CLIENTS)]
        for client in self.clients:
            client.start()

    def tearDown(self):
        for client in self.clients:
            client.is_over = True
        for client in self.clients:
            client.join()
        self.service.end()
        self.assertEqual([f for client in self.clients for f in client.failures], [])
        self.assertTrue(all(client.count > 0 for client in self.clients))

    def test_several_in_a_row_lose_nobody(self):
        pids = {self.service.pid}
        for _ in range(4):
            self.service.replace()
            self.service.hand_over()
            pids.add(self.service.pid)
        self.assertEqual(len(pids), 5)

    def assert_goes_on(self, text, *words):
        before = self.service.pid
        heard = len(self.service.said())
        self.service.replace(text)
        self.service.signal(signal.SIGHUP)
        self.service.wait_for(lambda: "goes on serving" in self.service.said()[heard:])
        for word in words:
            self.assertIn(word, self.service.said()[heard:])
        self.assertEqual(ask(self.service.address), before)

    def test_one_that_does_not_come_to_life_changes_nothing(self):
        self.assert_goes_on(script(STILLBORN, "fail"), "exit status 7")
        self.assert_goes_on(script(STILLBORN, "crash"), "SIGABRT")
        self.assertEqual(set().union(*(client.pids for client in self.clients)), {self.service.pid})
        self.service.replace()
        self.service.hand_over()


class OfAPort(HandOver, unittest.TestCase):
    def test_the_cores_may_become_fewer_and_more(self):
        cpus = os.sched_getaffinity(0)
        for some in ({min(cpus)}, cpus, {min(cpus)}):
            self.service.replace(script(PROGRAM, cpus=some))
            self.service.hand_over()

    def test_the_back_end_may_change(self):
        for backend in ("epoll", "auto", "epoll"):
            self.service.replace(script(PROGRAM, backend=backend))
            self.service.hand_over()

    def test_one_with_more_cores_that_does_not_come_to_life_changes_nothing(self):
        cpus = os.sched_getaffinity(0)
        self.service.replace(script(PROGRAM, cpus={min(cpus)}))
        self.service.hand_over()
        self.assert_goes_on(script(STILLBORN, "fail", cpus=cpus), "exit status 7")


class OfAPath(HandOver, unittest.TestCase):
    """One client: what the kernel forgets to tell the new process, no other client makes good."""
    IS_UNIX, CLIENTS = True, 1

    def tearDown(self):
        super().tearDown()
        self.assertFalse(os.path.exists(self.service.address), "the last one removes it")


class Killed(unittest.TestCase):
    def test_one_started_at_once_after_a_crash_has_the_port(self):
        with tempfile.TemporaryDirectory() as folder:
            service = Service(folder, False)
            for _ in range(3):
                with socket.create_connection(service.address) as link, service.program:
                    link.sendall(b"half a line")
                    service.signal(signal.SIGKILL)
                    service.start()
            service.end()


class Deaf(unittest.TestCase):
    def test_what_the_new_one_does_not_listen_on_is_told_and_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            service = Service(folder, False)
            service.replace(script(STILLBORN, "deaf"))
            service.signal(signal.SIGHUP)
            self.assertEqual(service.program.wait(PATIENCE), 0)
            self.assertIn('"lines" was handed over, and nobody', service.said())
            with self.assertRaises(ConnectionRefusedError):
                ask(service.address)
            os.kill(int(service.said().split("deaf: ")[1].split()[0]), signal.SIGKILL)
            service.errors.close()


if __name__ == "__main__":
    PROGRAM, STILLBORN = (os.path.abspath(path) for path in sys.argv[1:3])
    del sys.argv[1:3]
    unittest.main(verbosity=0)
