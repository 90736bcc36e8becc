# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end tests of HTTP share: a server to talk to, and a client that lets everything
through and believes nothing: it sends bytes and reads responses strictly."""

import os
import re
import signal
import socket
import struct
import subprocess
import sys
import unittest

PATIENCE = 20  # seconds until a test gives up; no test measures time


class Server:
    """The program under test, started with settings such as header=300."""

    def __init__(self, *settings, stderr=subprocess.PIPE):
        self.program = subprocess.Popen(
            [os.environ["SOON_HTTP_SERVER"], *settings],
            stdout=subprocess.PIPE, stderr=stderr, text=True)
        line = self.program.stdout.readline()
        if not line.startswith("port "):
            raise RuntimeError("the server did not start: " + self.program.stderr.read())
        self.port = int(line.split()[1])

    def connect(self):
        return Connection(self.port)

    def ask(self, method, target, body=b"", headers=()):
        """One request on a connection of its own."""
        with self.connect() as connection:
            connection.send(request(method, target, body, headers))
            return connection.response(method)

    def counters(self):
        words = self.ask("GET", "/counters").body.decode().split()
        return {name: int(value) for name, value in zip(words[::2], words[1::2])}

    def terminate(self):
        self.program.send_signal(signal.SIGTERM)

    def end(self):
        """Waits for the end and returns what the server said then."""
        out, err = self.program.communicate(timeout=PATIENCE)
        match = re.search(r"end (-?\d+) accepted (\d+) requests (\d+) replies (\d+) reports (\d+)",
                          out)
        if self.program.returncode != 0 or not match:
            raise AssertionError(f"the server ended with {self.program.returncode}: {out}{err}")
        names = ("rc", "accepted", "requests", "replies", "reports")
        return dict(zip(names, map(int, match.groups())))


def request(method, target, body=b"", headers=(), minor=1):
    lines = [f"{method} {target} HTTP/1.{minor}", "Host: test", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines + ["", ""]).encode("latin-1") + body


class Response:
    def __init__(self, status, headers, body, is_whole):
        self.status, self.headers, self.body, self.is_whole = status, headers, body, is_whole

    def __getitem__(self, name):
        return self.headers.get(name.lower())

    @property
    def closes(self):
        return self["connection"] == "close"


class Connection:
    def __init__(self, port, receive_bytes=0):
        self.socket = socket.socket()
        self.socket.settimeout(PATIENCE)
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray()  # to bytes nothing is appended without copying them

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def shutdown(self):
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def _more(self):
        data = self.socket.recv(65536)
        self.buffer += data
        return bool(data)

    def is_at_end(self):
        """Waits for bytes or the end, and tells whether it is the end."""
        return not self.buffer and not self._more()

    def _line(self):
        while b"\r\n" not in self.buffer:
            if not self._more():
                raise EOFError(f"in a line: {self.buffer!r}")
        line = self._take(self.buffer.index(b"\r\n"))
        del self.buffer[:2]
        return line.decode("latin-1")

    def _take(self, count):
        while len(self.buffer) < count:
            if not self._more():
                raise EOFError(f"{count - len(self.buffer)} bytes are missing")
        data = bytes(self.buffer[:count])
        del self.buffer[:count]
        return data

    def _chunks(self):
        body = b""
        while True:
            size = self._line()
            if not re.fullmatch("[0-9a-f]+", size):
                raise ValueError(f"the size of a chunk is {size!r}")
            if int(size, 16) == 0:
                if self._line() != "":
                    raise ValueError("something behind the last chunk")
                return body
            body += self._take(int(size, 16))
            if self._take(2) != b"\r\n":
                raise ValueError("something behind a chunk")

    def head(self):
        line = self._line()
        if not re.fullmatch(r"HTTP/1\.1 \d{3} [ -~]*", line):
            raise ValueError(f"the status line is {line!r}")
        headers = {}
        while (field := self._line()) != "":
            name, value = field.split(": ", 1)
            if name.lower() in headers and name != "X-Many":
                raise ValueError(f"{name} comes twice")
            headers[name.lower()] = value
        return int(line[9:12]), headers

    def response(self, method="GET"):
        """Reads one response; interim ones are responses too."""
        status, headers = self.head()
        body, is_whole = b"", True
        try:
            if method == "HEAD" or status in (204, 304) or status < 200:
                pass
            elif "transfer-encoding" in headers:
                if headers["transfer-encoding"] != "chunked" or "content-length" in headers:
                    raise ValueError(f"framed by {headers}")
                body = self._chunks()
            elif "content-length" in headers:
                body = self._take(int(headers["content-length"]))
            else:
                body = self.rest()
        except (EOFError, ConnectionResetError):
            is_whole = False
        return Response(status, headers, body, is_whole)

    def rest(self):
        """All that comes until the end of the stream."""
        while self._more():
            pass
        return self._take(len(self.buffer))


class ServerTest(unittest.TestCase):
    """A server for each class, which must end well and file as many reports as announced."""

    SETTINGS = ()
    REPORTS = 0

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*cls.SETTINGS)

    @classmethod
    def tearDownClass(cls):
        cls.server.terminate()
        end = cls.server.end()
        if end["rc"] != 0 or end["reports"] != cls.REPORTS:
            raise AssertionError(f"at the end: {end}")

    def connect(self):
        return self.server.connect()

    def ask(self, *args, **kwargs):
        return self.server.ask(*args, **kwargs)

    def assert_alive(self):
        self.assertEqual(self.ask("GET", "/").body, b"hello\n")


def main():
    os.environ["SOON_HTTP_SERVER"] = sys.argv.pop(1)
    unittest.main(verbosity=0)
