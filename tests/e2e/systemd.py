#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""systemd.py PROGRAM: examples/handover started as systemd starts a unit.

By systemd-socket-activate where it is installed, and by hand for what that cannot do: several
sockets, names, the notify socket, the watchdog. 77 skips what is not there.
"""
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

from lines_client import PATIENCE, ask, is_alive

# Becomes the program with the sockets from 3 on, and its own number in LISTEN_PID.
STARTER = """
import os, sys
count = int(sys.argv[1])
os.environ["LISTEN_PID"] = sys.argv[2] if sys.argv[2] != "self" else str(os.getpid())
os.environ["LISTEN_FDS"] = str(count)
sockets = [int(fd) for fd in sys.argv[3:3 + count]]
held = [os.dup2(fd, 100 + i) for i, fd in enumerate(sockets)]
for i, fd in enumerate(held):
    os.dup2(fd, 3 + i)
os.closerange(3 + count, 200)
os.execv(sys.argv[3 + count], sys.argv[3 + count:])
"""


def listening(backlog=8):
    made = socket.socket()
    made.bind(("127.0.0.1", 0))
    made.listen(backlog)
    return made


class Manager:
    """The socket that NOTIFY_SOCKET names: a path, or "@" and an abstract name."""

    def __init__(self, name):
        self.path = name
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + name[1:] if name.startswith("@") else name)
        self.socket.settimeout(PATIENCE)

    def hears(self, wanted):
        while True:
            said = self.socket.recv(1000).decode()
            if said.startswith(wanted):
                return said


class Systemd(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.manager = Manager(os.path.join(self.folder, "notify"))
        self.addCleanup(self.manager.socket.close)

    def start(self, sockets, pid="self", where="127.0.0.1:0", **environment):
        command = [sys.executable, "-c", STARTER, str(len(sockets)), pid,
                   *(str(s.fileno()) for s in sockets), PROGRAM, where]
        program = subprocess.Popen(command, stderr=subprocess.PIPE, text=True,
                                   pass_fds=[s.fileno() for s in sockets],
                                   env={**os.environ, "NOTIFY_SOCKET": self.manager.path,
                                        **environment})
        self.addCleanup(program.stderr.close)
        return program

    def stop(self, program):
        program.send_signal(signal.SIGTERM)
        self.manager.hears("STOPPING=1")
        self.assertEqual(program.wait(PATIENCE), 0)

    def test_all_sockets_of_a_name_are_served(self):
        path = os.path.join(self.folder, "unix")
        local = socket.socket(socket.AF_UNIX)
        local.bind(path)
        local.listen(8)
        first, second = listening(), listening()
        program = self.start([first, local, second], LISTEN_FDNAMES="lines:lines:lines")
        self.manager.hears("READY=1")
        for address in (first.getsockname(), second.getsockname(), path, first.getsockname()):
            self.assertEqual(ask(address), program.pid)
        self.stop(program)
        self.assertTrue(os.path.exists(path), "it is the manager's to remove")
        for made in (first, second, local):
            made.close()

    def test_sockets_by_no_name_of_ours_are_left_alone(self):
        made = listening()
        program = self.start([made], LISTEN_FDNAMES="others")
        self.manager.hears("READY=1")
        self.stop(program)
        made.close()

    def refused(self, sockets, *words, **more):
        program = self.start(sockets, where="systemd:lines", **more)
        _, said = program.communicate(timeout=PATIENCE)
        self.assertNotEqual(program.returncode, 0)
        for word in words:
            self.assertIn(word, said)

    def test_what_does_not_fit_is_explained(self):
        made = listening()
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        datagrams.bind(("127.0.0.1", 0))
        self.refused([datagrams], "datagram", "descriptor 3 (lines)", LISTEN_FDNAMES="lines")
        self.refused([made], "web", "FileDescriptorName", LISTEN_FDNAMES="web")
        self.refused([made], "unknown")
        self.refused([made], "another process", LISTEN_FDNAMES="lines", pid="1")
        made.close()
        datagrams.close()

    def test_the_watchdog_is_fed(self):
        made = listening()
        program = self.start([made], LISTEN_FDNAMES="lines", WATCHDOG_USEC="50000")
        self.manager.hears("READY=1")
        for _ in range(3):
            self.manager.hears("WATCHDOG=1")
        self.stop(program)
        made.close()

    def test_an_abstract_manager_hears_the_same(self):
        self.manager.socket.close()
        self.manager = Manager(f"@soon-test-systemd-{os.getpid()}")
        self.addCleanup(self.manager.socket.close)
        made = listening()
        program = self.start([made], LISTEN_FDNAMES="lines", WATCHDOG_USEC="50000")
        self.manager.hears("READY=1")
        self.manager.hears("WATCHDOG=1")
        self.stop(program)
        made.close()

    def test_a_path_of_the_manager_stays_also_after_a_hand_over(self):
        path = os.path.join(self.folder, "unix")
        made = socket.socket(socket.AF_UNIX)
        made.bind(path)
        made.listen(8)
        program = self.start([made], LISTEN_FDNAMES="lines")
        self.manager.hears("READY=1")
        program.send_signal(signal.SIGHUP)
        new = int(self.manager.hears("MAINPID=")[len("MAINPID="):])
        self.assertEqual(program.wait(PATIENCE), 0)
        self.assertEqual(ask(path), new)
        os.kill(new, signal.SIGTERM)
        self.manager.hears("STOPPING=1")
        made.close()
        while is_alive(new):
            time.sleep(0.01)
        self.assertTrue(os.path.exists(path))

    def test_a_hand_over_tells_the_new_main_process(self):
        made = listening()
        program = self.start([made], LISTEN_FDNAMES="lines")
        self.manager.hears("READY=1")
        program.send_signal(signal.SIGHUP)
        new = int(self.manager.hears("MAINPID=")[len("MAINPID="):])
        self.assertEqual(program.wait(PATIENCE), 0)
        self.assertEqual(ask(made.getsockname()), new)
        os.kill(new, signal.SIGTERM)
        self.manager.hears("STOPPING=1")
        made.close()

    @unittest.skipUnless(shutil.which("systemd-socket-activate"), "not installed")
    def test_the_real_activation(self):
        with listening() as probe:
            port = probe.getsockname()[1]
        program = subprocess.Popen(
            ["systemd-socket-activate", "-l", f"127.0.0.1:{port}", "--fdname=lines",
             f"--setenv=NOTIFY_SOCKET={self.manager.path}",
             f"--setenv=SOON_IO={os.environ.get('SOON_IO', 'auto')}", PROGRAM, "systemd:lines"],
            stderr=subprocess.DEVNULL)
        while True:
            try:
                answer = ask(("127.0.0.1", port))
                break
            except ConnectionRefusedError:
                self.assertIsNone(program.poll())
        self.assertEqual(answer, program.pid)
        self.manager.hears("READY=1")
        self.stop(program)


if __name__ == "__main__":
    PROGRAM = os.path.abspath(sys.argv[1])
    del sys.argv[1:3]
    unittest.main(verbosity=0)
