#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What deploy/ ships, applied: the profile to the demo service, and the manifests read.

    deploy.py DEPLOY UNDER_PROFILE SOONCTL LINKS
"""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
import urllib.request

try:
    import yaml
except ImportError:
    yaml = None

PATIENCE = 30
URING = ["io_uring_enter", "io_uring_register", "io_uring_setup"]
PROFILE = "soon-seccomp.json"


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False,
                          **options)


class InFolder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def put(self, name, text):
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path


class Profile(InFolder):
    def setUp(self):
        super().setUp()
        self.shipped = DEPLOY / PROFILE
        self.profile = json.loads(self.shipped.read_text(encoding="utf-8"))

    def without_uring(self):
        for rule in self.profile["syscalls"]:
            rule["names"] = [name for name in rule["names"] if name not in URING]
        self.profile["syscalls"] = [r for r in self.profile["syscalls"] if r["names"]]
        return self.put("epoll.json", json.dumps(self.profile))

    def serves(self, profile, backend):
        """The service answers under the profile, by this back end, and ends in order."""
        program = subprocess.Popen(
            [UNDER, profile, LINKS, "--port=0", f"--db={self.folder}/links.db"],
            env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            where = re.match(r"links: serving (http://127\.0\.0\.1:\d+)/",
                             program.stdout.readline())
            self.assertTrue(where, "it did not start")
            there = where[1]
            made = run("curl", "-fsS", "-d", '{"url":"https://www.kernel.org/"}',
                       there + "/api/links")
            self.assertEqual(made.returncode, 0, made.stderr)
            code = json.loads(made.stdout)["code"]
            led = run("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}",
                      f"{there}/{code}")
            self.assertEqual(led.stdout, "302 https://www.kernel.org/")
            metrics = run("curl", "-fsS", there + "/metrics").stdout
            self.assertIn(f'soon_io_backend{{backend="{backend}"', metrics)
        finally:
            program.send_signal(signal.SIGTERM)
            _, said = program.communicate(timeout=PATIENCE)
        self.assertEqual(program.returncode, 0, said)

    def diagnosed(self, profile):
        done = run(UNDER, profile, SOONCTL, "doctor", "--json", env=ENVIRONMENT)
        return done.returncode, json.loads(done.stdout)

    def test_as_shipped(self):
        status, diagnosis = self.diagnosed(self.shipped)
        self.assertEqual((status, diagnosis["backend"]), (0, "io_uring"))
        self.assertEqual(diagnosis["process"]["seccomp_mode"], 2)
        self.serves(self.shipped, "io_uring")

    def test_without_uring(self):
        profile = self.without_uring()
        status, diagnosis = self.diagnosed(profile)
        self.assertEqual((status, diagnosis["backend"]), (1, "epoll"))
        self.assertEqual(diagnosis["process"]["io_uring_setup"], "ENOSYS")
        self.serves(profile, "epoll")

    def test_what_it_refuses(self):
        self.assertEqual(run(UNDER, self.shipped, "true").returncode, 0)
        for command in (["unshare", "-U", "true"],
                        [sys.executable, "-c", "import socket; socket.socket(38, 5, 0)"],
                        [sys.executable, "-c", "import socket; socket.socket(17, 3, 0)"]):
            refused = run(UNDER, self.shipped, *command)
            self.assertNotEqual(refused.returncode, 0, command)
            self.assertIn("not implemented", refused.stderr)

    def test_each_call_is_named_once(self):
        self.assertEqual(self.profile["defaultAction"], "SCMP_ACT_ERRNO")
        plain = [name for rule in self.profile["syscalls"] if "args" not in rule
                 for name in rule["names"]]
        self.assertEqual(len(plain), len(set(plain)))
        self.assertIn(URING, [rule["names"] for rule in self.profile["syscalls"]])

    def test_a_typo_is_found(self):
        self.profile["syscalls"][0]["names"].append("io_uring_stup")
        refused = run(UNDER, self.put("typo.json", json.dumps(self.profile)), "true")
        self.assertEqual(refused.returncode, 2)
        self.assertIn("io_uring_stup", refused.stderr)


@unittest.skipUnless(yaml, "python3-yaml is not installed")
class Manifests(unittest.TestCase):
    def load(self, name):
        return yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))

    def assert_arguments(self, arguments):
        """The service takes them, as far as it can tell before it listens."""
        done = run(LINKS, *arguments, "--help")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_compose(self):
        service = self.load("compose.yaml")["services"]["links"]
        profile = next(o for o in service["security_opt"] if o.startswith("seccomp:"))
        self.assertTrue((DEPLOY / profile.split(":", 1)[1]).is_file())
        self.assertTrue((DEPLOY / service["build"]["context"] /
                         service["build"]["dockerfile"]).is_file())
        self.assert_arguments(service["command"])

    def test_pod(self):
        spec = self.load("pod.yaml")["spec"]
        self.assertEqual(spec["securityContext"]["seccompProfile"],
                         {"type": "Localhost", "localhostProfile": PROFILE})
        self.assertTrue(spec["securityContext"]["runAsNonRoot"])
        container, = spec["containers"]
        self.assertEqual(container["securityContext"]["capabilities"], {"drop": ["ALL"]})
        self.assertFalse(container["securityContext"]["allowPrivilegeEscalation"])
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            self.assertEqual(container[probe]["httpGet"], {"path": "/healthz", "port": "http"})
        self.assert_arguments(container["args"])
        mounted = {volume["name"] for volume in spec["volumes"]}
        self.assertEqual({m["name"] for m in container["volumeMounts"]}, mounted)


@unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not installed")
class Unit(InFolder):
    def setUp(self):
        super().setUp()
        text = (DEPLOY / "links.service").read_text(encoding="utf-8")
        text = text.replace("/usr/local/bin/links ", LINKS + " ")
        self.unit = self.put("links.service", text)
        self.socket = (DEPLOY / "links.socket").read_text(encoding="utf-8")

    def test_it_is_understood(self):
        done = run("systemd-analyze", "verify", "--man=no", self.unit,
                   self.put("links.socket", self.socket))
        mine = [line for line in done.stderr.splitlines() if "links." in line]
        self.assertEqual(mine, [], done.stderr)

    @unittest.skipUnless(shutil.which("systemd-socket-activate"), "it is not installed")
    def test_the_service_takes_its_sockets(self):
        name = re.search("FileDescriptorName=(.*)", self.socket)[1]
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        program = subprocess.Popen(
            ["systemd-socket-activate", "-l", f"127.0.0.1:{port}", f"--fdname={name}", LINKS,
             "--port=1", f"--db={self.folder / 'links.db'}"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=ENVIRONMENT)
        while True: # until it listens; the connection starts the service
            try:
                socket.create_connection(("127.0.0.1", port), PATIENCE).close()
                break
            except ConnectionRefusedError:
                self.assertIsNone(program.poll())
        self.assertIn(f":{port}/", program.stdout.readline())
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=PATIENCE) as answer:
            self.assertEqual(answer.status, 200)
        program.terminate()
        program.communicate(timeout=PATIENCE)
        self.assertEqual(program.returncode, 0)

    def test_it_lets_io_uring_through(self):
        named = run("systemd-analyze", "syscall-filter", "@aio").stdout.split()
        self.assertTrue(set(URING) <= set(named))
        self.assertIn("@aio", run("systemd-analyze", "syscall-filter", "@system-service").stdout)

    def test_it_is_tight(self):
        done = run("systemd-analyze", "security", "--offline=yes", "--threshold=20", self.unit)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    DEPLOY = pathlib.Path(sys.argv[1]).resolve()
    UNDER, SOONCTL, LINKS = (os.path.abspath(path) for path in sys.argv[2:5])
    del sys.argv[1:5]
    ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "SOON_IO"}
    unittest.main(verbosity=0)
