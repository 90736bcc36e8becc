#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""soonctl doctor, where io_uring works, where it is refused in each way, and with tight limits.

    doctor.py SOONCTL REFUSE_URING
"""

import json
import os
import resource
import subprocess
import sys
import unittest

PATIENCE = 30
FIXES = ["Docker", "Podman", "Kubernetes", "systemd"]


def ask(*arguments, how=None, io=None, limits=()):
    """Runs soonctl; `how` refuses io_uring, `limits` are (resource, soft) pairs."""
    environment = {k: v for k, v in os.environ.items() if k not in ("SOON_IO", "container")}
    if io:
        environment["SOON_IO"] = io

    def tighten():
        for what, soft in limits:
            resource.setrlimit(what, (soft, resource.getrlimit(what)[1]))

    launcher = [REFUSE, how] if how else []
    done = subprocess.run([*launcher, SOONCTL, *arguments], capture_output=True, text=True,
                          env=environment, preexec_fn=tighten, timeout=PATIENCE, check=False)
    return done.returncode, done.stdout, done.stderr


def diagnose(**surroundings):
    status, out, err = ask("doctor", "--json", **surroundings)
    if err:
        raise AssertionError(err)
    diagnosis = json.loads(out)
    text_status, text, _ = ask("doctor", **surroundings)
    if text_status != status or not text.startswith(diagnosis["backend"] + ": "):
        raise AssertionError(f"{status} {text_status} {text}")
    return status, diagnosis, text


class Doctor(unittest.TestCase):
    def assert_advised(self, diagnosis, text):
        """Every place has its fix, and the text shows each line of it."""
        where = [fix["where"] for fix in diagnosis["fixes"]]
        for place in FIXES:
            self.assertIn(place, where)
        for fix in diagnosis["fixes"]:
            self.assertTrue(fix["text"].endswith("\n"))
            for line in fix["text"].splitlines():
                self.assertIn("      " + line + "\n", text)

    def test_io_uring_works(self):
        status, diagnosis, text = diagnose()
        self.assertEqual((status, diagnosis["backend"]), (0, "io_uring"))
        self.assertEqual(diagnosis["version"], 1)
        self.assertEqual(diagnosis["kernel"]["release"], os.uname().release)
        self.assertEqual(diagnosis["process"]["io_uring_setup"], "ok")
        self.assertEqual(diagnosis["cpus"]["affinity"], len(os.sched_getaffinity(0)))
        self.assertTrue(1 <= diagnosis["cpus"]["cores"] <= diagnosis["cpus"]["affinity"])
        for feature in diagnosis["io_uring"]:
            self.assertTrue(feature["found"] or not feature["needed"], feature)
            self.assertIn("  " + feature["name"] + " ", text)
        self.assertEqual(diagnosis["fixes"], [])
        self.assertNotIn("what to change", text)

    def test_a_cpu_is_taken_away(self):
        done = subprocess.run(["taskset", "-c", str(min(os.sched_getaffinity(0))), SOONCTL,
                               "doctor", "--json"], capture_output=True, check=False,
                              timeout=PATIENCE)
        cpus = json.loads(done.stdout)["cpus"]
        self.assertEqual((cpus["affinity"], cpus["cores"]), (1, 1))

    def test_refused(self):
        for how in ("EPERM", "ENOSYS", "EOPNOTSUPP"):
            with self.subTest(how):
                status, diagnosis, text = diagnose(how=how)
                self.assertEqual((status, diagnosis["backend"]), (1, "epoll"))
                self.assertIn(how, diagnosis["why"])
                self.assertEqual(diagnosis["process"]["io_uring_setup"], how)
                self.assertEqual(diagnosis["process"]["seccomp_mode"], 2)
                self.assertFalse(any(f["found"] for f in diagnosis["io_uring"]))
                self.assertEqual(len(diagnosis["reports"]), 1)
                self.assert_advised(diagnosis, text)

    def test_refused_and_insisted(self):
        status, diagnosis, text = diagnose(how="EPERM", io="uring")
        self.assertEqual((status, diagnosis["backend"]), (2, "none"))
        self.assert_advised(diagnosis, text)

    def test_deadly(self):
        for io, expected in (("epoll", (1, "epoll")), (None, (2, "none")), ("uring", (2, "none"))):
            with self.subTest(io):
                status, diagnosis, text = diagnose(how="kill", io=io)
                self.assertEqual((status, diagnosis["backend"]), expected)
                self.assertEqual(diagnosis["process"]["io_uring_setup"], "kills the process")
                self.assertIn("SOON_IO=epoll\n", text)
                self.assert_advised(diagnosis, text)

    def test_epoll_is_asked_for(self):
        status, diagnosis, _ = diagnose(io="epoll")
        self.assertEqual((status, diagnosis["backend"]), (1, "epoll"))
        self.assertEqual(diagnosis["process"]["io_uring_setup"], "ok")
        self.assertTrue(diagnosis["io_uring"][0]["found"])
        self.assertIn("unset SOON_IO\n", diagnosis["fixes"][0]["text"])

    def test_nonsense_is_asked_for(self):
        status, diagnosis, _ = diagnose(io="nonsense")
        self.assertEqual((status, diagnosis["backend"]), (2, "none"))
        self.assertIn("nonsense", diagnosis["reports"][0])

    def test_tight_limits(self):
        status, diagnosis, _ = diagnose(limits=[(resource.RLIMIT_MEMLOCK, 0),
                                                (resource.RLIMIT_NOFILE, 64)])
        self.assertEqual((status, diagnosis["backend"]), (0, "io_uring"))
        self.assertEqual(diagnosis["process"]["memlock_bytes"]["soft"], 0)
        self.assertEqual(diagnosis["process"]["nofile"]["soft"], 64)
        self.assertEqual([fix["where"] for fix in diagnosis["fixes"]],
                         ["the limit on open files"])

    def test_no_descriptor_left(self):
        status, diagnosis, _ = diagnose(limits=[(resource.RLIMIT_NOFILE, 5)])
        self.assertEqual((status, diagnosis["backend"]), (2, "none"))
        self.assertEqual([fix["where"] for fix in diagnosis["fixes"]],
                         ["the limit on open files"])

    def test_wrong_usage(self):
        for arguments, word in (([], "which command"), (["ps"], "does not exist yet"),
                                (["pstree", "1"], "does not exist yet"),
                                (["top"], "does not exist yet"), (["nonsense"], "no command"),
                                (["--json"], "--json"), (["doctor", "--nonsense"], "--nonsense"),
                                (["doctor", "doctor"], "too many")):
            with self.subTest(arguments):
                status, out, err = ask(*arguments)
                self.assertEqual((status, out), (2, ""))
                self.assertIn(word, err)

    def test_nobody_to_write_to(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            for arguments in (["doctor"], ["doctor", "--json"]):
                done = subprocess.run([SOONCTL, *arguments], stdout=full, timeout=PATIENCE,
                                      stderr=subprocess.PIPE, text=True, check=False)
                self.assertEqual(done.returncode, 2)
                self.assertIn("cannot write", done.stderr)

    def test_help(self):
        for arguments in (["--help"], ["doctor", "--help"], ["--version"]):
            self.assertEqual(ask(*arguments)[0], 0)


if __name__ == "__main__":
    SOONCTL, REFUSE = (os.path.abspath(path) for path in sys.argv[1:3])
    del sys.argv[1:3]
    unittest.main(verbosity=0)
