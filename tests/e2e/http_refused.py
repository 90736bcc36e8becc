# SPDX-License-Identifier: Apache-2.0
"""Requests that must be refused: one answer, then the end, and nothing behind them is served."""

import pathlib
import time

from http_client import ServerTest, main, request

CASES = pathlib.Path(__file__).parent.parent / "unit" / "net" / "http_cases"
BEHIND = request("GET", "/hello/smuggled")


def read_cases(name):
    """The cases of the parser's own tests: (title, input, outcome)."""
    title, text = "", b""
    for line in (CASES / name).read_text().splitlines():
        if line.startswith("# "):
            title, text = f"{name}: {line[2:]}", b""
        elif line.startswith("=> "):
            yield title, text, line[3:]
        else:
            text += line.encode().decode("unicode_escape").encode("latin-1")


class Refusal(ServerTest):
    def assert_refused(self, data, status, title="", whole=True):
        """Sends `data` and a good request; sees one answer, which closes, and an orderly end."""
        with self.subTest(title), self.connect() as connection:
            try:
                connection.send(data + (BEHIND if whole else b""))
            except (BrokenPipeError, ConnectionResetError):
                pass
            response = connection.response()
            self.assertEqual(response.status, status)
            self.assertTrue(response.closes)
            self.assertTrue(response.is_whole)
            self.assertRegex(response.body.decode(), rf"\A{status} [A-Z][A-Za-z -]*\n\Z")
            self.assertEqual(set(response.headers),
                             {"date", "connection", "content-type", "content-length"})
            self.assertEqual(connection.rest(), b"")


class MalformedHeads(Refusal):
    def test_all_cases_of_the_parser(self):
        count = 0
        for name in ("line.txt", "target.txt", "fields.txt", "host.txt", "framing.txt"):
            for title, data, outcome in read_cases(name):
                if data.startswith(b"\r\n"):
                    continue  # the connection skips an empty line, see http_served.py
                count += 1
                self.assert_refused(data, int(outcome), title)
        self.assertGreater(count, 110)
        self.assert_alive()

    def test_behind_a_good_request(self):
        for title, data, outcome in read_cases("framing.txt"):
            with self.subTest(title), self.connect() as connection:
                connection.send(request("GET", "/") + data + BEHIND)
                self.assertEqual(connection.response().body, b"hello\n")
                self.assertEqual(connection.response().status, int(outcome))
                self.assertEqual(connection.rest(), b"")

    def test_paths(self):
        for path in ("/a/../b", "/..", "/.", "/%2e%2e/x", "/%00", "/a%2fb", "/%zz", "/%4", "/%0a"):
            self.assert_refused(request("GET", path), 400, path)

    def test_a_head_that_ends_with_the_stream(self):
        for data in (b"G", b"GET / HTTP/1.1\r\nHost: a\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n\r",
                     b"\r"):
            with self.subTest(data), self.connect() as connection:
                connection.send(data)
                connection.shutdown()
                response = connection.response()
                self.assertEqual(response.status, 400)
                self.assertTrue(response.closes)
                self.assertEqual(connection.rest(), b"")


class MalformedBodies(Refusal):
    BAD = (b"x\r\n", b"\r\n", b"-1\r\n", b"0x5\r\nhello\r\n", b"5 \r\nhello\r\n", b"5\nhello\r\n",
           b"5\r\nhello0\r\n\r\n", b"5\r\nhello\n", b"5;a\nhello\r\n", b"5;\x00\r\nhello\r\n",
           b"10000000000000000\r\n", b"5\r\nhello\r\n0\r\n x: y\r\n\r\n", b"0\r\nx : y\r\n\r\n",
           b"0\r\nx: y\n\r\n", b"0\r\n\n")

    def test_chunks(self):
        for bad in self.BAD:
            self.assert_refused(
                b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + bad, 400,
                bad)
        self.assert_alive()

    def test_chunks_in_mid_response(self):
        """The answer is under way: it is cut, not ended."""
        for bad in self.BAD:
            with self.subTest(bad), self.connect() as connection:
                connection.send(b"POST /stream HTTP/1.1\r\nHost: a\r\n"
                                b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n" + bad + BEHIND)
                response = connection.response()
                self.assertEqual(response.status, 200)
                self.assertFalse(response.is_whole)

    def test_unread_chunks_are_checked_too(self):
        with self.connect() as connection:
            connection.send(b"POST /ignore HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
                            b"\r\n5\r\nhello" + BEHIND)
            self.assertEqual(connection.response().body, b"ignored\n")
            self.assertEqual(connection.rest(), b"")

    def test_trailers_and_extensions_have_limits(self):
        head = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        self.assert_refused(head + b"5;" + b"x" * 5000 + b"\r\nhello\r\n0\r\n\r\n", 413)
        self.assert_refused(head + b"0\r\n" + b"name: value\r\n" * 3000 + b"\r\n", 413)


class Limits(Refusal):
    def test_request_line(self):
        self.assert_refused(request("GET", "/" + "x" * 8300), 414, "too long")
        self.assert_refused(b"GET /" + b"x" * 50000, 414, "without an end", whole=False)
        response = self.ask("GET", "/hello/" + "x" * 8100)
        self.assertEqual(response.status, 200)
        self.assertEqual(len(response.body), 8100)

    def test_header_line(self):
        self.assert_refused(request("GET", "/", headers=["X: " + "y" * 8300]), 431, "too long")
        self.assert_refused(b"GET / HTTP/1.1\r\nX: " + b"y" * 50000, 431, "without an end",
                            whole=False)
        self.assert_refused(b"GET / HTTP/1.1\r\n" + b"y" * 50000, 431, "a name without an end",
                            whole=False)
        self.assertEqual(self.ask("GET", "/", headers=["X: " + "y" * 8100]).status, 200)

    def test_headers(self):
        self.assert_refused(request("GET", "/", headers=["X: " + "y" * 1000] * 40), 431, "bytes")
        self.assert_refused(request("GET", "/", headers=["X: y"] * 101), 431, "fields")
        self.assert_refused(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20000, 431, "no end",
                            whole=False)
        self.assertEqual(self.ask("GET", "/", headers=["X: " + "y" * 1000] * 31).status, 200)
        self.assertEqual(self.ask("GET", "/", headers=["X: y"] * 99).status, 200)

    def test_announced_body(self):
        for length in (1048577, 10**12, 10**17):
            head = f"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n".encode()
            self.assert_refused(head, 413, f"{length} announced", whole=False)
            self.assert_refused(head + b"x" * 10**6, 413, f"{length} begun", whole=False)
        self.assertEqual(len(self.ask("POST", "/echo", b"x" * 1048576).body), 1048576)

    def test_chunked_body(self):
        head = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        self.assert_refused(head + b"10000\r\n" + b"x" * 65536 + b"\r\n" +
                            b"F0000\r\n" + b"x" * 983040 + b"\r\n" + b"1\r\nx\r\n0\r\n\r\n",
                            413, "a byte too much")
        self.assert_refused(head + b"fffffffff\r\n" + b"x" * 1100000, 413, "one large chunk",
                            whole=False)
        with self.connect() as connection:
            connection.send(head + b"100000\r\n" + b"x" * 1048576 + b"\r\n0\r\n\r\n")
            self.assertEqual(len(connection.response().body), 1048576)

    def test_body_of_one_route(self):
        self.assertEqual(self.ask("POST", "/small", b"0123456789").body, b"0123456789")
        with self.connect() as connection:
            # So little is read to keep the connection.
            connection.send(request("POST", "/small", b"0123456789+") + request("GET", "/"))
            response = connection.response()
            self.assertEqual((response.status, response.closes), (413, False))
            self.assertEqual(connection.response().body, b"hello\n")


class Timeouts(Refusal):
    SETTINGS = ("header=300", "idle=300", "body_grace=300", "body_rate=100000", "linger=200")

    def test_silence_is_ended_silently(self):
        with self.connect() as connection:
            self.assertEqual(connection.rest(), b"")
        with self.connect() as connection:
            connection.send(request("GET", "/"))
            self.assertEqual(connection.response().body, b"hello\n")
            self.assertEqual(connection.rest(), b"")

    def drip(self, connection, data, pause=0.02):
        """Sends a byte at a time until the server answers."""
        connection.socket.settimeout(pause)
        for byte in data:
            try:
                connection.send(bytes([byte]))
                if connection._more():
                    break
            except TimeoutError:
                continue
            except (BrokenPipeError, ConnectionResetError):
                break
        connection.socket.settimeout(20)

    def test_slow_heads(self):
        for data in (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 1000, b"GET /" + b"x" * 5000):
            with self.subTest(data[:20]), self.connect() as connection:
                self.drip(connection, data)
                response = connection.response()
                self.assertEqual((response.status, response.closes), (408, True))
                self.assertEqual(connection.rest(), b"")

    def test_a_head_that_stops(self):
        with self.connect() as connection:
            connection.send(b"GET / HT")
            self.assertEqual(connection.response().status, 408)
            self.assertEqual(connection.rest(), b"")

    def heads_are_in_time(self):
        """Five heads with pauses, longer than one may take; False if the machine made one late."""
        with self.connect() as connection:
            since = time.monotonic()
            for _ in range(5):
                try:
                    time.sleep(0.1)
                    connection.send(request("GET", "/")[:-2])
                    time.sleep(0.1)
                    last = time.monotonic()
                    connection.send(b"\r\n")
                    status = connection.response().status
                except (OSError, EOFError):
                    status = None
                if status != 200 and time.monotonic() - since > 0.3:
                    return False
                self.assertEqual(status, 200)
                since = last
        return True

    def test_the_second_head_has_its_own_time(self):
        self.assertTrue(any(self.heads_are_in_time() for _ in range(20)))

    def test_slow_bodies(self):
        fixed = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"
        chunked = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        for data in (fixed + b"x" * 1000, chunked + b"1\r\nx\r\n" * 200,
                     chunked + b"1;" + b"x" * 999):
            with self.subTest(data[40:60]), self.connect() as connection:
                self.drip(connection, data)
                response = connection.response()
                self.assertEqual((response.status, response.closes), (408, True))
                self.assertEqual(connection.rest(), b"")

    def test_a_slow_unread_body_ends_the_connection(self):
        with self.connect() as connection:
            connection.send(b"POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx")
            self.assertEqual(connection.response().body, b"ignored\n")
            self.assertEqual(connection.rest(), b"")


class SlowReader(ServerTest):
    SETTINGS = ("send_idle=300",)

    def test_a_client_that_takes_nothing_is_left(self):
        for target in ("/bytes?n=50000000", "/bytes?n=50000000&piece=60000",
                       "/bytes?n=50000000&piece=1000"):
            with self.subTest(target), self.connect() as connection:
                connection.send(request("GET", target))
                while self.server.counters()["live"] > 2:
                    time.sleep(0.02)
                while self.server.counters()["live"] > 1:
                    time.sleep(0.02)
                try:
                    received = len(connection.rest())
                except ConnectionResetError:
                    received = 0
                self.assertLess(received, 50000000)
        self.assert_alive()

    def test_a_slow_client_gets_all(self):
        """Slower than the time limit in all, but never silent for so long."""
        with self.connect() as connection:
            connection.send(request("GET", "/bytes?n=20000000"))
            status, headers = connection.head()
            left = int(headers["content-length"])
            while left > 0:
                left -= len(connection._take(min(left, 1000000)))
                time.sleep(0.05)
            self.assertEqual(status, 200)


class Json(ServerTest):
    SETTINGS = ("json=1",)

    def test_fixed_texts(self):
        response = self.ask("GET", "/nowhere/at/all")
        self.assertEqual(response.body, b'{"status":404,"error":"Not Found"}\n')
        self.assertEqual(response["content-type"], "application/json")
        self.assertEqual(self.ask("GET", "/fail").body,
                         b'{"status":500,"error":"Internal Server Error"}\n')


if __name__ == "__main__":
    main()
