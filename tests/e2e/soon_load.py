#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""soon-load against servers that behave: a scripted one, nginx, and echoes.

    soon_load.py SOON_LOAD SOON_ECHO SOON_UDP
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from load_server import PATIENCE, Liar, Run

NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
NGINX_CONF = """
worker_processes 1; daemon off; pid {dir}/pid; error_log {dir}/error.log;
events {{ worker_connections 1024; }}
http {{
	log_format short '$request_method $connection_requests';
	access_log {dir}/access.log short;
	client_body_temp_path {dir}/b; proxy_temp_path {dir}/p; fastcgi_temp_path {dir}/f;
	uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
	server {{
		listen unix:{dir}/nginx.sock;
		listen 127.0.0.1:{port};
		listen 127.0.0.1:{tls} ssl;
		ssl_protocols TLSv1.2 TLSv1.3;
		ssl_certificate {dir}/cert.pem; ssl_certificate_key {dir}/key.pem;
		location / {{ return 200 "hello"; }}
	}}
}}
"""


class Served(unittest.TestCase):
    def setUp(self):
        self.liar = Liar()
        self.addCleanup(self.liar.end)

    def run_well(self, *arguments):
        run = Run("--quiet", *arguments)
        self.assertEqual((run.status, run.err), (0, ""))
        return run

    def test_every_reply_is_counted_and_verified(self):
        run = self.run_well("-n50", "-c4", "--expect-body=hello", self.liar.url + "/ok")
        self.assertEqual(len(self.liar.requests), 50)
        self.assertEqual((run.load["completed"], run.load["sent"], run.errors), (50, 50, {}))
        self.assertEqual([run.phase(name) for name in ("total", "first byte", "connect", "tls")],
                         [50, 50, 4, 0])
        self.assertEqual(run.in_intervals("completed"), 50)
        self.assertEqual(run.in_intervals("sent"), 50)
        self.assertTrue(0 < run.counter("busy") <= 1.1, run.counter("busy"))
        self.assertFalse(run.result["partial"])

    def test_replies_in_all_framings(self):
        for path in ("/dribble", "/until_end", "/goodbye"):
            with self.subTest(path):
                run = self.run_well("-n10", "-c2", "--expect-body=hello", self.liar.url + path)
                self.assertEqual(run.load["completed"], 10)

    def test_requests_are_what_was_asked_for(self):
        with tempfile.NamedTemporaryFile("w") as headers:
            headers.write("X-B: two\nX-C: three\n")
            headers.flush()
            self.run_well("-n1", "-c1", "--method=PUT", "--header=X-A: one", "--body=abc",
                          f"--header-file={headers.name}", "--expect-status=201",
                          "--expect-body=abc", self.liar.url + "/mirror")
        method, path, fields, body = self.liar.requests[0]
        self.assertEqual((method, path, body), ("PUT", "/mirror", b"abc"))
        self.assertEqual([fields[name] for name in ("X-A", "X-B", "X-C", "Host")],
                         ["one", "two", "three", f"127.0.0.1:{self.liar.port}"])

    def test_a_list_is_asked_for_in_turns(self):
        with tempfile.NamedTemporaryFile("w") as urls:
            urls.write(f"# first\n/ok\nHEAD /ok\nPOST {self.liar.url}/mirror\n")
            urls.flush()
            self.run_well("-n6", "-c1", f"--urls={urls.name}", self.liar.url)
        self.assertEqual([(r[0], r[1]) for r in self.liar.requests],
                         2 * [("GET", "/ok"), ("HEAD", "/ok"), ("POST", "/mirror")])

    def test_pipelined(self):
        run = self.run_well("-n64", "-c2", "-p8", "--expect-body=hello", self.liar.url + "/ok")
        self.assertEqual((run.load["completed"], len(self.liar.peers)), (64, 2))

    def test_churn_asks_the_server_to_close(self):
        run = self.run_well("-n6", "-c1", "--requests-per-connection=2", self.liar.url + "/ok")
        self.assertEqual([r[2].get("Connection") for r in self.liar.requests],
                         3 * [None, "close"])
        self.assertEqual((run.load["completed"], len(self.liar.peers)), (6, 4))

    def test_many_sources_and_cores(self):
        self.run_well("-n30", "-c3", "--cores=2", "--source=127.0.0.2-127.0.0.3,127.0.0.9",
                      self.liar.url + "/ok")
        self.assertEqual({peer[0] for peer in self.liar.peers},
                         {"127.0.0.2", "127.0.0.3", "127.0.0.9"})
        self.assertEqual(len(self.liar.requests), 30)

    def test_a_unix_socket(self):
        with tempfile.TemporaryDirectory() as folder:
            liar = Liar(socket.AF_UNIX, folder + "/s")
            self.addCleanup(liar.end)
            run = self.run_well("-n10", "-c2", f"http://unix:{folder}/s:/ok")
        self.assertEqual((run.load["completed"], liar.requests[0][2]["Host"]), (10, "localhost"))

    def test_the_first_body_is_that_of_all(self):
        self.run_well("-n10", "-c2", "--same-body", self.liar.url + "/ok")
        run = Run("--quiet", "-n10", "-c2", "--same-body", self.liar.url + "/changing")
        self.assertEqual((run.status, run.errors), (1, {"body": 10}))

    def test_the_open_loop_sends_what_is_scheduled(self):
        for more in ((), ("--cores=2",), ("--poisson", "--seed=3")):
            with self.subTest(more):
                run = self.run_well("-r200", "-d500ms", "-w0", "-c8", *more, self.liar.url + "/ok")
                if not more or more[0] != "--poisson":
                    self.assertEqual(run.load["scheduled"], 100)
                self.assertEqual(run.counter("good") + run.counter("never sent"),
                                 run.load["scheduled"])
                for what in ("scheduled", "sent", "completed"):
                    self.assertEqual(run.in_intervals(what), run.load[what], what)

    def test_a_report_for_people(self):
        run = Run("-r0..400", "-d300ms", "-c2", "--fail-if=p50>1ns", self.liar.url + "/ok")
        self.assertEqual(run.status, 99)
        for words in ("open loop from 0/s to 400/s", "scheduled ", "p99.9", "first byte",
                      "our lag"):
            self.assertIn(words, run.out)
        self.assertIn("fail-if p50>1ns: ", run.err)
        self.assertNotIn("\r", run.out + run.err, "a progress line in a pipe")

    def test_a_line_of_progress_on_a_terminal(self):
        try:
            ours, theirs = os.openpty()
        except OSError as error:
            self.skipTest(f"no terminal to be had: {error}")
        with open(ours, "rb", buffering=0) as seen:
            process = subprocess.Popen([os.environ["SOON_LOAD"], "-d700ms", "-w0", "-c2",
                                        self.liar.url + "/ok"],
                                       stdout=subprocess.DEVNULL, stderr=theirs)
            os.close(theirs)
            text = b""
            try:
                while part := seen.read(4096):
                    text += part
            except OSError:
                pass  # how a terminal ends
            self.assertEqual(process.wait(PATIENCE), 0)
        self.assertRegex(text.decode(), r"\r\x1b\[K[0-9.]+ s   [0-9,]+/s   errors 0")

    def test_on_the_other_back_end(self):
        os.environ["SOON_IO"] = "epoll"
        self.addCleanup(os.environ.pop, "SOON_IO")
        run = self.run_well("-n200", "-c4", "-p4", "--expect-body=hello", self.liar.url + "/ok")
        self.assertEqual(run.result["environment"]["io"], "epoll")
        self.run_well("-r200", "-d100ms", "-w0", self.liar.url + "/ok")

    def test_what_a_reply_left_behind_is_forgotten(self):
        """A connection that is opened again begins anew, whatever the last one was in."""
        self.liar.do_flaky = lambda connection, *_: (
            self.liar.do_short if len(self.liar.requests) % 2 else self.liar.do_ok)(connection, "")
        self.liar.do_ok = lambda connection, *_: Liar.do_ok(self.liar, connection, "GET", b"")
        run = Run("-q", "-n10", "-c1", "--expect-body=hello", self.liar.url + "/flaky")
        self.assertEqual((run.status, run.errors, run.load["completed"]), (1, {"closed": 5}, 5))

    def test_the_highest_rate(self):
        # A machine that stalls us keeps no rate: it may be asked again until it does not.
        for _ in range(20):
            run = Run("--find-max", "--rate=20..60", "--find-step=100ms", "-w0", "-c8",
                      "--fail-if=p50>1h", self.liar.url + "/ok")
            self.assertIn(run.status, (0, 99), run.err)
            if "60/s is the highest rate that was kept and confirmed" in run.out:
                self.assertEqual(run.status, 0)
                break
            self.assertIn("not all was sent", run.out)
        else:
            self.fail(run.out)
        run = Run("--find-max", "--rate=20..60", "--find-step=100ms", "-w0", "-c8",
                  self.liar.url + "/error")
        self.assertEqual(run.status, 99)
        self.assertIn("not even the lowest rate is kept", run.err)
        self.assertIn("p99 none, errors 2: requests failed", run.out)
        self.assertIn(" 20/s\n", run.out, "slow rates are told, too")

    def test_the_highest_rate_is_sought_in_an_open_loop(self):
        run = Run("--find-max", "--find-step=100ms", "-w0", "-c8", "--fail-if=max>1ns",
                  self.liar.url + "/ok")
        self.assertEqual((run.status, run.load["scheduled"]), (99, 10), run.err)
        self.assertIn("the highest rate of 100/s to 1000000/s", run.out)

    def test_a_schedule_is_as_long_as_it_was_asked_for(self):
        run = self.run_well("-r10", "-d300ms", "-w0", "-c2", self.liar.url + "/ok")
        self.assertEqual((run.load["scheduled"], run.load["length_s"]), (3, 0.3))


class Interrupted(unittest.TestCase):
    def test_what_was_measured_is_kept(self):
        for how in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(how):
                liar = Liar()
                self.addCleanup(liar.end)

                def interrupt(process):
                    liar.wait_for(20)
                    process.send_signal(how)

                run = Run("-d1h", "-w0", "-c2", liar.url + "/ok", begun=interrupt)
                self.assertEqual(run.status, 130, run.err)
                self.assertTrue(run.result["partial"])
                self.assertGreater(run.load["completed"], 0)
                self.assertIn("PARTIAL: interrupted", run.out)


class Merged(unittest.TestCase):
    def setUp(self):
        self.liar = Liar()
        self.addCleanup(self.liar.end)
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.paths = [str(Path(self.folder.name) / name) for name in "ab"]

    def merge(self, *paths, out="c"):
        done = subprocess.run([os.environ["SOON_LOAD"], "merge", *paths,
                               "-o", str(Path(self.folder.name) / out)],
                              capture_output=True, text=True, check=False, timeout=PATIENCE)
        return done.returncode, done.stderr

    def test_results_of_several_processes(self):
        for path, count in zip(self.paths, (20, 30)):
            subprocess.run([os.environ["SOON_LOAD"], "-q", f"-n{count}", "-c2", "-o", path,
                            self.liar.url + "/ok"], check=True, timeout=PATIENCE)
        self.assertEqual(self.merge(*self.paths), (0, ""))
        a, b, c = (json.loads((Path(self.folder.name) / name).read_text())["entries"][0]["load"]
                   for name in "abc")
        self.assertEqual((c["completed"], c["sent"]), (50, 50))
        self.assertEqual(c["bytes_received"], a["bytes_received"] + b["bytes_received"])
        buckets = {}
        for load in (a, b):
            for bucket in load["phases"][0]["ns"]["buckets"]:
                buckets[bucket[0]] = buckets.get(bucket[0], 0) + bucket[1]
        self.assertEqual({k[0]: k[1] for k in c["phases"][0]["ns"]["buckets"]}, buckets)

    def test_bad_files_are_named(self):
        subprocess.run([os.environ["SOON_LOAD"], "-q", "-n5", "-c2", "-o", self.paths[0],
                        self.liar.url + "/ok"], check=True, timeout=PATIENCE)
        whole = Path(self.paths[0]).read_text()
        for text in (whole[:len(whole) // 2], "", whole.replace('"version": 1', '"version": 99'),
                     whole.replace('"load"', '"bench"', 1)):
            Path(self.paths[1]).write_text(text)
            status, err = self.merge(*self.paths)
            self.assertEqual(status, 5, err)
            self.assertIn(self.paths[1], err)
        self.assertEqual(self.merge(self.paths[0], out="no/such/folder")[0], 5)
        self.assertEqual(self.merge("/nonexistent")[0], 5)


@unittest.skipIf(NGINX is None or shutil.which("openssl") is None, "no nginx or no openssl")
class Nginx(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="soon-load-")
        os.chmod(cls.folder.name, 0o755)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                        "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
                        cls.folder.name + "/key.pem", "-out", cls.folder.name + "/cert.pem"],
                       check=True, stderr=subprocess.DEVNULL)
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            two.bind(("127.0.0.1", 0))
            cls.port, cls.tls = one.getsockname()[1], two.getsockname()[1]
        conf = Path(cls.folder.name) / "nginx.conf"
        conf.write_text(NGINX_CONF.format(dir=cls.folder.name, port=cls.port, tls=cls.tls))
        cls.nginx = subprocess.Popen([NGINX, "-p", cls.folder.name, "-c", str(conf)],
                                     stderr=subprocess.DEVNULL)
        while cls.nginx.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", cls.tls)) == 0:
                    break

    @classmethod
    def tearDownClass(cls):
        cls.nginx.terminate()
        cls.nginx.wait(PATIENCE)
        cls.folder.cleanup()

    def assert_served(self, count, *arguments):
        run = Run("--quiet", f"-n{count}", "--expect-body=hello", *arguments)
        self.assertEqual((run.status, run.err), (0, ""))
        self.assertEqual((run.load["completed"], run.errors), (count, {}))
        return run

    def test_keep_alive_pipelined_churn_and_unix(self):
        url = f"http://127.0.0.1:{self.port}/"
        self.assert_served(2000, "-c16", url)  # its keepalive_requests of 1000 are met
        self.assert_served(500, "-c4", "-p16", url)
        self.assert_served(100, "-c4", "--requests-per-connection=1", url)
        self.assert_served(500, "-c4", f"http://unix:{self.folder.name}/nginx.sock:/")

    def test_tls(self):
        url = f"https://127.0.0.1:{self.tls}/"
        run = Run("-n1", "-c1", url)
        if "without OpenSSL" in run.err or run.status == 3 and "TLS" in run.err:
            self.skipTest("a library without TLS")
        self.assertEqual(run.status, 3, "an unknown authority")
        self.assertIn("certificate", run.err)
        self.assertIn("--cacert", run.err)
        run = self.assert_served(200, "-c4", f"--cacert={self.folder.name}/cert.pem", url)
        self.assertEqual(run.phase("tls"), 4)
        self.assert_served(20, "-c2", "--insecure", "--tls-1.3", "--requests-per-connection=1", url)


class Echo(unittest.TestCase):
    def start(self, program):
        server = subprocess.Popen([program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                  text=True)
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.wait, PATIENCE)
        self.addCleanup(server.terminate)
        return server.stdout.readline().split()[1]

    def test_streams_and_datagrams(self):
        for scheme, program in (("echo", sys.argv[2]), ("udp", sys.argv[3])):
            port = self.start(program)
            url = f"{scheme}://127.0.0.1:{port}"
            for more in ((), ("--size=8",), ("--size=1400", "-p16")):
                with self.subTest(scheme, more=more):
                    run = Run("--quiet", "-n200", "-c3", *more, url)
                    self.assertEqual((run.status, run.err, run.errors), (0, "", {}))
                    self.assertEqual(run.load["completed"], 200)
            with self.subTest(scheme, more="open loop"):
                for _ in range(20):  # until the machine lets us keep the schedule
                    run = Run("--quiet", "-c3", "-r500", "-w0", "-d200ms", url)
                    self.assertEqual((run.status, run.err, run.errors), (0, "", {}))
                    self.assertEqual(run.counter("good") + run.counter("never sent"), 100)
                    if run.load["completed"] >= 90:
                        break
                self.assertGreaterEqual(run.load["completed"], 90)

    def test_large_messages(self):
        port = self.start(sys.argv[2])
        run = Run("--quiet", "-n50", "-c2", "--size=128k", f"echo://127.0.0.1:{port}")
        self.assertEqual((run.status, run.load["completed"]), (0, 50))


if __name__ == "__main__":
    os.environ["SOON_LOAD"] = sys.argv[1]
    unittest.main(argv=sys.argv[:1], verbosity=1)
