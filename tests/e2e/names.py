#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""names.py PROGRAM: names.c against dnsmasq.

First by options, on a free port. Then, where a network and a mount namespace are to be had, as a
program without options does: port 53, /etc/resolv.conf and /etc/hosts, and the same names by the C
library, which has to find the same addresses.
"""
import fcntl
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

INSIDE = "SOON_NAMES_INSIDE"
V4 = "10.1.0.1"
V6 = "2001:db8:1::1"

RECORDS = f"""
{V4} target.test
{V6} target.test
10.1.0.2 four.test
10.1.0.5 db.a.test
10.1.0.6 db.b.test
10.1.0.7 only.b.test
""" + "".join(f"10.1.{i // 200 + 1}.{i % 200} many.test\n2001:db8:2::{i + 1:x} many.test\n"
              for i in range(400))


class Dnsmasq:
    """A server at an address, until the end of the block."""

    def __init__(self, program, folder, host, port):
        self.host, self.port = host, port
        records = folder / "records"
        records.write_text(RECORDS)
        self.args = [program, "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv",
                     "--no-hosts", f"--addn-hosts={records}", "--bind-interfaces",
                     f"--listen-address={host}", f"--port={port}", "--local=/test/",
                     "--cname=alias.test,middle.test", "--cname=middle.test,target.test",
                     f"--pid-file={folder}/pid", "--user=root", "--log-facility=-"]
        if os.geteuid() != 0:
            self.args.remove("--user=root")

    def __enter__(self):
        self.process = subprocess.Popen(self.args, stderr=subprocess.PIPE, text=True)
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex((self.host, self.port)) == 0:
                    return self
            assert self.process.poll() is None, self.process.stderr.read()
            time.sleep(0.02)
        raise AssertionError("dnsmasq does not listen")

    def __exit__(self, *unused):
        self.process.terminate()
        self.process.communicate()


def asked(program, *args):
    """What the program prints: for each place the words behind it."""
    done = subprocess.run([program, *args], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, (args, done)
    return [line.split(" ")[1:] for line in done.stdout.splitlines()]


def expect(program, args, *want):
    """Sets of addresses, or the name of an error."""
    found = asked(program, *args)
    assert len(found) == len(want), (args, found)
    for is_, should in zip(found, want):
        if isinstance(should, str):
            assert is_[0] == should, (args, is_)
        else:
            assert set(is_) == should and len(is_) == len(should), (args, is_, should)


def free_port():
    """Of 127.0.0.1, free for datagrams and streams."""
    while True:
        with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
            stream.bind(("127.0.0.1", 0))
            try:
                datagrams.bind(stream.getsockname())
                return stream.getsockname()[1]
            except OSError:
                pass


def by_options(program, dnsmasq, folder):
    port = free_port()
    search = folder / "search"
    search.write_text("search a.test b.test\n")
    hosts = folder / "hosts"
    hosts.write_text("10.9.9.9 target.test other\n")
    silent = socket.socket(type=socket.SOCK_DGRAM)
    silent.bind(("127.0.0.1", 0))
    servers = [f"servers=127.0.0.1:{port}", "resolv_conf=/nonexistent", "hosts=/nonexistent"]
    both = {f"{V4}:80", f"[{V6}]:80"}

    with Dnsmasq(dnsmasq, folder, "127.0.0.1", port):
        expect(program, [*servers, "target.test:80", "alias.test:http", "TARGET.Test.:80",
                         "four.test:1", "nosuch.test:80"],
               both, both, both, {"10.1.0.2:1"}, "ENOENT")
        expect(program, [*servers, "family=4", "alias.test:1"], {f"{V4}:1"})
        expect(program, [*servers, "family=6", "alias.test:1", "four.test:1"],
               {f"[{V6}]:1"}, "ENOENT")
        # Far more than a datagram holds: they come by TCP, and as many are kept as the header says.
        found, = asked(program, *servers, "many.test:80")
        assert len(set(found)) == 32, found
        assert sum(addr.startswith("10.1.") for addr in found) == 16, found
        assert sum(addr.startswith("[2001:db8:2::") for addr in found) == 16, found
        # The last one is not looked for there, and dnsmasq refuses what is not its own.
        expect(program, [servers[0], f"resolv_conf={search}", servers[2], "db:1", "only:1",
                         "db.b.test:1", "db.:1"],
               {"10.1.0.5:1"}, {"10.1.0.7:1"}, {"10.1.0.6:1"}, "EAGAIN")
        expect(program, [*servers[:2], f"hosts={hosts}", "target.test:80", "OTHER:80",
                         "alias.test:80"],
               {"10.9.9.9:80"}, {"10.9.9.9:80"}, both)
        first = f"127.0.0.1:{silent.getsockname()[1]}"
        expect(program, [f"servers={first},127.0.0.1:{port}", *servers[1:], "timeout_ms=100",
                         "target.test:80"], both)
        assert asked(program, *servers, "times=200", "target.test:80") == [["200"]]
    expect(program, [*servers, "target.test:80"], "EAGAIN")


def lo_up():
    with socket.socket() as sock:
        fcntl.ioctl(sock, 0x8914, struct.pack("16sH22x", b"lo", 0x41))  # SIOCSIFFLAGS: up, running


def by_libc(where):
    host, port = where.split(":")
    try:
        found = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
    except socket.gaierror as failure:
        return {socket.EAI_NONAME: "ENOENT", socket.EAI_NODATA: "ENOENT",
                socket.EAI_AGAIN: "EAGAIN"}[failure.errno]
    return {f"[{addr[0]}]:{port}" if family == socket.AF_INET6 else f"{addr[0]}:{port}"
            for family, _, _, _, addr in found}


def by_the_files_of_the_machine(program, dnsmasq, folder):
    conf, hosts = folder / "resolv.conf", folder / "etc-hosts"
    hosts.write_text("127.0.0.1 localhost\n10.9.9.9 here.test here\n")
    conf.write_text("nameserver 127.0.0.3\nsearch a.test b.test\n")
    lo_up()
    for file, name in ((conf, "/etc/resolv.conf"), (hosts, "/etc/hosts")):
        if subprocess.run(["mount", "--bind", file, name], check=False).returncode != 0:
            print(f"skipped: what stands in for {name} cannot be mounted")
            return
    silent = socket.socket(type=socket.SOCK_DGRAM)
    silent.bind(("127.0.0.2", 53))
    with Dnsmasq(dnsmasq, folder, "127.0.0.3", 53):
        places = ["target.test:80", "alias.test:80", "db:80", "only:80", "db.b.test:80", "here:80",
                  "here.test:80", "nosuch.test:80", "nosuch:80", "10.1.2.3:80"]
        want = [by_libc(place) for place in places]
        assert want[1] == {f"{V4}:80", f"[{V6}]:80"} and want[5] == {"10.9.9.9:80"}, want
        expect(program, places, *want)
        expect(program, ["libc=1", *places[:2], places[7]], *want[:2], want[7])
        # The next server is asked when the first has not answered for the time that the file says.
        conf.write_text("nameserver 127.0.0.2\nnameserver 127.0.0.3\n"
                        "options timeout:1 attempts:1\n")
        begun = time.monotonic()
        expect(program, places[:1], want[0])
        assert time.monotonic() - begun >= 1, "the first server was not waited for"


def main():
    program = sys.argv[1]
    dnsmasq = shutil.which("dnsmasq") or shutil.which("dnsmasq", path="/usr/sbin:/sbin")
    if dnsmasq is None:
        print("skipped: no dnsmasq (dnsmasq-base)")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        if INSIDE in os.environ:
            by_the_files_of_the_machine(program, dnsmasq, folder)
            return
        by_options(program, dnsmasq, folder)
    inside = ["unshare", "--net", "--mount"]
    if subprocess.run([*inside, "true"], stderr=subprocess.DEVNULL).returncode != 0:
        print("skipped: the files of the machine, as no namespace is to be had")
        return
    os.environ[INSIDE] = "1"
    os.execvp(inside[0], [*inside, sys.executable, "-B", *sys.argv])


if __name__ == "__main__":
    main()
