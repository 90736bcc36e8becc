#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""soon-load against servers that misbehave, and where this machine runs out of something.

    soon_load_faults.py SOON_LOAD
"""

import contextlib
import os
import resource
import shutil
import socket
import subprocess
import sys
import threading
import unittest

from load_server import PATIENCE, Liar, Run


class Faults(unittest.TestCase):
    def setUp(self):
        self.liar = Liar()
        self.addCleanup(self.liar.end)

    def test_each_is_counted_by_its_kind(self):
        for path, kind in (("reset", "reset"), ("closed", "closed"), ("short", "closed"),
                           ("stall", "timeout"), ("half", "timeout"), ("garbage", "framing"),
                           ("error", "status")):
            with self.subTest(path):
                # Where nothing is waited for, a busy machine gets the time that it needs.
                patience = "100ms" if kind == "timeout" else "10s"
                run = Run("-n4", "-c2", f"--timeout={patience}", f"{self.liar.url}/{path}")
                self.assertEqual((run.status, run.errors), (1, {kind: 4}), run.err)
                self.assertEqual(run.load["completed"], 0)
                self.assertIn(f"    {kind} ", run.out)
                self.assertTrue(run.load["errors"][0]["example"])
                self.assertFalse(run.result["partial"], "it ran to its end")

    def test_a_wrong_body(self):
        for wanted in ("hellO", "hell", "hello!", ""):
            run = Run("-q", "-n4", "-c2", f"--expect-body={wanted}", self.liar.url + "/ok")
            self.assertEqual((run.status, run.errors), (1, {"body": 4}))

    def test_a_reply_that_nobody_asked_for(self):
        run = Run("-q", "-n4", "-c1", self.liar.url + "/twice")
        self.assertEqual(run.status, 1)
        self.assertIn("framing", run.errors)

    def test_what_was_under_way_is_lost_together(self):
        run = Run("-q", "-n8", "-c1", "-p4", self.liar.url + "/closed")
        self.assertEqual(run.errors.get("closed", 0) + run.errors.get("reset", 0), 8)

    def test_the_threshold_says_how_many_errors_are_too_many(self):
        url = self.liar.url + "/error"
        for bound, status in (("errors>3", 99), ("errors>4", 0), ("errors>50%", 99)):
            self.assertEqual(Run("-q", "-n4", "-c1", "--fail-if=" + bound, url).status, status)

    def test_a_server_that_goes_away(self):
        liar = Liar()

        def leave(_):
            liar.wait_for(10)
            liar.end()

        liar.do_ok = liar.do_goodbye
        run = Run("-w0", "-d400ms", "-c2", liar.url + "/ok", begun=leave)
        self.assertEqual(run.status, 1, run.err)
        self.assertIn("refused", run.errors)
        self.assertGreaterEqual(run.load["completed"], 8)

    def run_echo(self, change):
        with socket.create_server(("127.0.0.1", 0)) as server:
            def answer():
                connection, _ = server.accept()
                with connection, contextlib.suppress(OSError):
                    while data := connection.recv(64):
                        connection.sendall(change(data))

            threading.Thread(target=answer, daemon=True).start()
            return Run("-q", "-n1", "-c1", f"echo://127.0.0.1:{server.getsockname()[1]}")

    def test_echoes_that_are_none(self):
        run = self.run_echo(lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:])
        self.assertEqual((run.status, run.errors), (1, {"body": 1}))

    def test_an_echo_of_more_than_was_sent(self):
        run = self.run_echo(lambda data: data + b"x")
        self.assertEqual((run.status, run.errors, run.load["completed"]), (1, {"body": 1}, 1))

    def test_datagrams_that_are_lost_late_twice_or_wrong(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(("127.0.0.1", 0))

            def answer():
                for number in range(1000):
                    data, peer = server.recvfrom(2048)
                    if number == 1:
                        continue
                    if number == 3:
                        data = data[:20] + bytes([data[20] ^ 1]) + data[21:]
                    server.sendto(data, peer)
                    server.sendto(data if number != 3 else b"", peer)

            threading.Thread(target=answer, daemon=True).start()
            run = Run("-q", "-n10", "-c1", "--timeout=100ms",
                      f"udp://127.0.0.1:{server.getsockname()[1]}")
        self.assertEqual(run.status, 1)
        self.assertEqual(run.load["completed"] + sum(run.errors.values()), 10)
        self.assertGreaterEqual(run.errors.get("timeout", 0), 1)
        self.assertGreaterEqual(run.errors.get("body", 0), 1)


class Beginning(unittest.TestCase):
    def test_nobody_listens(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        for url in (f"http://127.0.0.1:{port}/", "http://unix:/nonexistent:/"):
            run = Run("-n1", "-c1", url)
            self.assertEqual((run.status, run.result), (3, None))
            self.assertRegex(run.err, "refused: nobody listens|no such socket")

    def test_wrong_usage_says_what(self):
        for arguments, words in (
                (["x"], "begins with http"), (["-c0", "http://a/"], "--connections"),
                (["-dx", "http://a/"], "--duration"), (["-r-1", "http://a/"], "--rate"),
                (["-fp99", "http://a/"], "--fail-if"), ([], "which URL"),
                (["-t2", "-c1", "http://a/"], "a core needs one"),
                (["--poisson", "http://a/"], "--rate"),
                (["-XG T", "http://a/"], "a method is one word"),
                (["--body-file=/nonexistent", "http://a/"], "/nonexistent"),
                (["--urls=/dev/null", "http://a/"], "no requests"),
                (["--size=4", "echo://a:1"], "--size"),
                (["--size=128k", "-p2", "echo://a:1"], "--pipeline"),
                (["-XGET", "echo://a:1"], "an echo has no"),
                (["-HX", "http://a/"], "Name: value"), (["http://a/", "http://b/"], "one URL"),
                (["--source=127.0.0.1", "http://unix:/x:/"], "unix socket"),
                (["--source=1.2.3", "http://a/"], "--source"),
                (["--cert=x", "https://a/"], "--key"),
                (["-r5..9", "-n3", "http://a/"], "--duration")):
            with self.subTest(arguments):
                run = Run(*arguments)
                self.assertEqual(run.status, 2, run.err)
                self.assertIn(words, run.err)

    def test_a_result_file_that_cannot_be_written(self):
        liar = Liar()
        self.addCleanup(liar.end)
        run = Run("-q", "-n1", "-c1", "--out=/nonexistent/x", liar.url + "/ok")
        self.assertEqual(run.status, 5)
        self.assertIn("/nonexistent", run.err)
        self.assertEqual(liar.requests, [], "it is known before the load")


class Exhausted(unittest.TestCase):
    def setUp(self):
        self.liar = Liar()
        self.addCleanup(self.liar.end)

    def test_descriptors(self):
        run = Run("-c100", "-n100", self.liar.url + "/ok",
                  preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100)))
        self.assertEqual((run.status, run.result), (4, None))
        self.assertIn("EMFILE", run.err)
        self.assertIn("ulimit", run.err)

    def test_a_foreign_source(self):
        run = Run("-n1", "-c1", "--source=203.0.113.7", self.liar.url + "/ok")
        self.assertEqual(run.status, 3)
        self.assertIn("no address of this machine", run.err)

    def test_ports(self):
        """In a network of our own, which has a dozen of them."""
        script = ("ip link set lo up && echo 40000 40011 >/proc/sys/net/ipv4/ip_local_port_range "
                  "&& exec \"$0\" \"$@\"")
        ours = ["unshare", "--map-root-user", "--net", "sh", "-c", script]
        if shutil.which("ip") is None or subprocess.run(
                [*ours, "true"], capture_output=True, check=False).returncode != 0:
            self.skipTest("no network of our own to be had")
        done = subprocess.run([*ours, sys.executable, "-B", __file__, sys.argv[1], "ports"],
                              capture_output=True, text=True, check=False, timeout=PATIENCE)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


def ports():
    liar = Liar()
    # The first opening runs out.
    run = Run("-n100", "-c20", liar.url + "/ok")
    assert run.status == 4 and "EADDRNOTAVAIL" in run.err and "--source" in run.err, run.err
    # A run that churns runs out later, and keeps what it has measured: whoever closes first keeps
    # the port, and here nobody does before we do.
    liar.do_ok = lambda connection, *_: (
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        liar.more(connection, b""))
    run = Run("-n100", "-c1", "--requests-per-connection=1", liar.url + "/ok")
    assert run.status in (0, 4), run.err
    if run.status == 4:
        assert run.result["partial"] and "EADDRNOTAVAIL" in run.result["partial_reason"]
        assert run.load["completed"] > 5


if __name__ == "__main__":
    os.environ["SOON_LOAD"] = sys.argv[1]
    if sys.argv[2:] == ["ports"]:
        ports()
    else:
        unittest.main(argv=sys.argv[:1], verbosity=1)
