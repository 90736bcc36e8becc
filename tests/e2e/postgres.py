#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""postgres.py PROGRAM: the example that talks to PostgreSQL, against a real one.

A server of its own, on a unix socket and a port of this machine, as a user who is not root (it
refuses that one): the answers, a statement that a deadline or a signal cuts short, and a server
that goes away in the middle of one; on both back ends.
"""
import contextlib
import glob
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

SKIPPED = 77
EXPECTED = """\
20 tasks: sum 2870 by 4 connections
deadline: ETIMEDOUT
still running: 0, new connections: 0
error: ERROR:  division by zero
large: same
"""
FAST = ["fsync=off", "full_page_writes=off", "autovacuum=off", "max_connections=20",
        "shared_buffers=2MB", "max_wal_senders=0", "wal_level=minimal", "jit=off"]
SLEEP = "SELECT 'slept' FROM pg_sleep(60)"
BACK_ENDS = ("auto", "epoll")


def find(name):
    """Debian keeps the programs of each version apart; the newest one counts."""
    versions = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"),
                      key=lambda path: int(path.split("/")[4]))
    return versions[-1] if versions else shutil.which(name)


def other_user():
    """Whom the server runs as: nobody special where we are root."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    sys.exit(SKIPPED)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


class Postgres:
    def __init__(self, folder):
        self.folder, self.user = folder, other_user()
        os.chmod(folder, 0o755)
        if self.user:
            os.chown(folder, self.user["user"], self.user["group"])
        self.log = open(f"{folder}/log", "w+", encoding="utf-8")
        self._call("initdb", "-D", f"{folder}/data", "-U", "tester", "-A", "trust", "--no-sync",
                   "-E", "UTF8", "--locale=C")
        self.port = str(free_port())
        options = [arg for option in FAST for arg in ("-c", option)]
        self.process = subprocess.Popen(
            [find("postgres"), "-D", f"{folder}/data", "-k", folder, "-p", self.port,
             "-c", "listen_addresses=127.0.0.1", *options],
            stdout=self.log, stderr=self.log, cwd=folder, **self.user)

    def _call(self, name, *args):
        run = subprocess.run([find(name), *args], stdout=self.log, stderr=self.log, cwd=self.folder,
                             check=False, **self.user)
        if run.returncode:
            sys.exit(f"{name}: {self.said()}")

    def said(self):
        return pathlib.Path(self.log.name).read_text(encoding="utf-8")

    def wait(self):
        """Until it takes connections."""
        for _ in range(200):
            if self.process.poll() is None and "ready to accept connections" in self.said():
                return
            time.sleep(0.05)
        sys.exit(f"the server did not start: {self.said()}")

    def places(self):
        return (f"localhost:{self.port}", self.folder)

    def environment(self, back_end):
        return {"PATH": os.environ["PATH"], "PGPORT": self.port, "PGUSER": "tester",
                "PGDATABASE": "postgres", "PGAPPNAME": back_end, "SOON_IO": back_end,
                **{k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")}}

    def close(self):
        """At once, without leaving anything of the kernel's behind."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(timeout=30)
        self.log.close()


def program(server, back_end, *args):
    return subprocess.Popen([sys.argv[1], *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, env=server.environment(back_end))


def ends(process):
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


def sleepers(server):
    """The numbers of the server's processes that run SLEEP."""
    sql = f"SELECT pid FROM pg_stat_activity WHERE query = $${SLEEP}$$ AND state = 'active'"
    status, out, err = ends(program(server, "epoll", server.folder, sql))
    assert status == 0, err
    return [int(line) for line in out.split()]


def wait_for_sleepers(server, count):
    for _ in range(200):
        if len(found := sleepers(server)) == count:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{found} run at the server, not {count}")


def shows_what_there_is(server):
    """Each back end, by the socket and by a name."""
    for places in (server.places(), server.places()[::-1]):
        running = [program(server, *which) for which in zip(BACK_ENDS, places)]
        for process in running:
            status, out, err = ends(process)
            assert (status, out) == (0, EXPECTED), (status, out, err)


def is_refused_where_nobody_is(server):
    for back_end in BACK_ENDS:
        status, out, err = ends(program(server, back_end, f"127.0.0.1:{free_port()}"))
        assert status == 1 and not out and "Connection refused" in err, (status, out, err)


def a_signal_ends_the_statement(server):
    running = [program(server, back_end, server.folder, SLEEP) for back_end in BACK_ENDS]
    wait_for_sleepers(server, len(running))
    for process in running:
        process.send_signal(signal.SIGINT)
    for process in running:
        status, out, err = ends(process)
        assert status != 0 and not out, (status, out, err)
        assert "may still run" not in err, err
    wait_for_sleepers(server, 0)


def tells_that_the_server_went_away(server):
    """One of its processes is killed; it ends all others and begins anew."""
    running = [program(server, back_end, server.places()[0], SLEEP) for back_end in BACK_ENDS]
    victims = wait_for_sleepers(server, len(running))
    os.kill(victims[0], signal.SIGKILL)
    told = [ends(process) for process in running]
    for status, out, err in told:
        assert status == 1 and not out, (status, out, err)
        assert "terminat" in err or "closed the connection unexpectedly" in err, err
    assert any("closed the connection unexpectedly" in err for _, _, err in told), told


def main():
    if not find("initdb") or not find("postgres"):
        print("no PostgreSQL here (package postgresql)")
        sys.exit(SKIPPED)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    with tempfile.TemporaryDirectory(prefix="soon-postgres-") as folder:
        server = Postgres(folder)
        try:
            server.wait()
            shows_what_there_is(server)
            is_refused_where_nobody_is(server)
            a_signal_ends_the_statement(server)
            tells_that_the_server_went_away(server)
        finally:
            server.close()


if __name__ == "__main__":
    main()
