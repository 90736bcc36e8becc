# SPDX-License-Identifier: Apache-2.0
"""What the tests of soon-load share: a server that lies as its path says, a run of the program."""

import json
import os
import socket
import struct
import subprocess
import tempfile
import threading
from pathlib import Path

PATIENCE = 60  # seconds until a test gives up; no test here measures time
HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


class Liar:
    """One thread a connection. Remembers every request: (method, path, headers, body)."""

    def __init__(self, family=socket.AF_INET, address=("127.0.0.1", 0)):
        self.socket = socket.socket(family)
        self.socket.bind(address)
        self.socket.listen(1024)
        self.port = self.socket.getsockname()[1] if family == socket.AF_INET else 0
        self.requests, self.peers = [], []
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.seen = threading.Condition(self.lock)
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def end(self):
        self.over.set()
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()

    def wait_for(self, count):
        with self.seen:
            self.seen.wait_for(lambda: len(self.requests) >= count, PATIENCE)

    def accept(self):
        while not self.over.is_set():
            try:
                connection, peer = self.socket.accept()
            except OSError:
                return
            with self.lock:
                self.peers.append(peer)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            with connection:
                data = b""
                while True:
                    while b"\r\n\r\n" not in data:
                        data = self.more(connection, data)
                    head, data = data.split(b"\r\n\r\n", 1)
                    line, *fields = head.decode().split("\r\n")
                    headers = dict(field.split(": ", 1) for field in fields)
                    length = int(headers.get("Content-Length", 0))
                    while len(data) < length:
                        data = self.more(connection, data)
                    body, data = data[:length], data[length:]
                    method, path, _ = line.split(" ")
                    with self.seen:
                        self.requests.append((method, path, headers, body))
                        self.seen.notify_all()
                    getattr(self, "do_" + path.strip("/"))(connection, method, body)
                    if headers.get("Connection") == "close":
                        return
        except (OSError, EOFError):
            pass

    @staticmethod
    def more(connection, data):
        part = connection.recv(65536)
        if not part:
            raise EOFError
        return data + part

    def do_ok(self, connection, method, _):
        connection.sendall(HELLO if method != "HEAD" else HELLO[:-5])

    def do_mirror(self, connection, _, body):
        connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    def do_dribble(self, connection, *_):
        """A chunked reply, a byte at a time."""
        for byte in (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                     b"2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nT: x\r\n\r\n"):
            connection.sendall(bytes([byte]))

    def do_until_end(self, connection, *_):
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nhello")
        raise EOFError

    def do_goodbye(self, connection, *_):
        connection.sendall(HELLO.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        raise EOFError

    def do_changing(self, connection, *_):
        connection.sendall(HELLO[:-5] + b"%05d" % len(self.requests))

    def do_reset(self, connection, *_):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise EOFError

    def do_closed(self, *_):
        raise EOFError

    def do_short(self, connection, *_):
        connection.sendall(HELLO[:-1])
        raise EOFError

    def do_stall(self, connection, *_):
        self.more(connection, b"")  # until the client gives up

    def do_half(self, connection, *_):
        connection.sendall(HELLO[:-3])
        self.more(connection, b"")

    def do_garbage(self, connection, *_):
        connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
        self.more(connection, b"")

    def do_twice(self, connection, *_):
        connection.sendall(HELLO + HELLO)

    def do_error(self, connection, *_):
        connection.sendall(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n")


class Run:
    """One run of soon-load, with its result file read, where one was written."""

    def __init__(self, *arguments, begun=None, preexec=None, limit=None):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "result.json"
            command = [os.environ["SOON_LOAD"], f"--out={path}", *arguments]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                       text=True, preexec_fn=preexec)
            if begun:
                begun(process)
            self.out, self.err = process.communicate(timeout=limit or PATIENCE)
            self.status = process.returncode
            # Of a machine that is busy, which is no fault of the program.
            self.err = "".join(line for line in self.err.splitlines(True)
                               if not line.startswith("soon-load: warning: "))
            self.result = json.loads(path.read_text()) if path.exists() else None

    @property
    def load(self):
        return self.result["entries"][0]["load"]

    @property
    def errors(self):
        return {error["kind"]: error["count"] for error in self.load["errors"]}

    def counter(self, name):
        counters = self.result["entries"][0]["counters"]
        return next(counter["value"] for counter in counters if counter["name"] == name)

    def in_intervals(self, name):
        return sum(interval[name] for interval in self.load["intervals"])

    def phase(self, name):
        """How many values the histogram of a phase has."""
        for phase in self.load["phases"]:
            if phase["name"] == name:
                return sum(bucket[1] for bucket in phase["ns"]["buckets"])
        return 0
