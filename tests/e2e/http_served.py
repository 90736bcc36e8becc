# SPDX-License-Identifier: Apache-2.0
"""What HTTP/1.1 promises to a client that keeps to it, in whatever pieces its bytes come."""

import datetime
import email.utils
import random
import time

from http_client import Server, ServerTest, main, request

CHUNKED = "Transfer-Encoding: chunked"


def chunked(*pieces, end=b"0\r\n\r\n"):
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + end


class Basics(ServerTest):
    def test_response(self):
        response = self.ask("GET", "/")
        self.assertEqual(response.status, 200)
        self.assertEqual(response.body, b"hello\n")
        self.assertEqual(response["content-length"], "6")
        self.assertEqual(response["content-type"], "text/plain")
        self.assertIsNone(response["connection"])
        self.assertIsNone(response["server"])
        sent = email.utils.parsedate_to_datetime(response["date"])
        now = datetime.datetime.now(datetime.timezone.utc)
        self.assertLess(abs((now - sent).total_seconds()), 60)

    def test_keep_alive(self):
        with self.connect() as connection:
            for i in range(20):
                connection.send(request("GET", f"/hello/{i}"))
                self.assertEqual(connection.response().body, str(i).encode())

    def test_head(self):
        with self.connect() as connection:
            for target, framing in (("/", "content-length"), ("/bytes?n=99999", "content-length"),
                                    ("/bytes?n=9&piece=5", "transfer-encoding"),
                                    ("/bytes?n=9&piece=5&length=1", "content-length"),
                                    ("/open", "transfer-encoding")):
                connection.send(request("HEAD", target))
                response = connection.response("HEAD")
                self.assertEqual(response.status, 200)
                self.assertIn(framing, response.headers)
            connection.send(request("GET", "/"))
            self.assertEqual(connection.response().body, b"hello\n")

    def test_no_content(self):
        with self.connect() as connection:
            connection.send(request("GET", "/none") + request("GET", "/"))
            response = connection.response()
            self.assertEqual(response.status, 204)
            self.assertIsNone(response["content-length"])
            self.assertEqual(connection.response().body, b"hello\n")

    def test_methods(self):
        response = self.ask("DELETE", "/echo")
        self.assertEqual((response.status, response["allow"]), (405, "POST, OPTIONS"))
        response = self.ask("OPTIONS", "/")
        self.assertEqual((response.status, response["allow"]), (204, "GET, HEAD, OPTIONS"))
        response = self.ask("OPTIONS", "*")
        self.assertEqual(response.status, 204)
        self.assertIn("POST", response["allow"])
        self.assertEqual(self.ask("OPTIONS", "/nowhere/at/all").status, 404)
        self.assertTrue(self.ask("PROPFIND", "/look/x").body.startswith(b"PROPFIND /look/x\n"))
        self.assertEqual(self.ask("GET", "/nowhere/at/all").status, 404)

    def test_paths(self):
        self.assertEqual(self.ask("GET", "/hello/a%20b%c3%A4").body, b"a b\xc3\xa4")
        self.assertEqual(self.ask("GET", "/files/a/b//c%3f").body, b"a/b//c?")
        self.assertEqual(self.ask("GET", "/hello/").status, 404)
        self.assertEqual(self.ask("GET", "//").status, 404)

    def test_what_the_handler_sees(self):
        response = self.ask("GET", "http://test/look/%41?b=%20", headers=["A:  b ", "a: c"])
        self.assertEqual(response.body.decode().splitlines(), [
            "GET http://test/look/%41?b=%20", "path /look/A", "query b=%20", "host test", "minor 1",
            "Host=test", "A=b", "a=c"])

    def test_headers_of_a_response(self):
        response = self.ask("GET", "/headers")
        self.assertEqual(response.status, 299)
        self.assertEqual(response["x-many"], "v" * 100)

    def test_large_responses(self):
        for n in (0, 1, 16000, 16384, 65535, 65536, 1000000, 10000000):
            self.assertEqual(self.ask("GET", f"/bytes?n={n}").body, b"x" * n)
        for piece in (1, 1000, 16364, 16365, 65536):
            for length in (0, 1):
                response = self.ask("GET", f"/bytes?n=70000&piece={piece}&length={length}")
                self.assertEqual(response.body, b"x" * 70000)

    def test_half_close(self):
        """A client that has said all still gets all."""
        with self.connect() as connection:
            connection.send(request("GET", "/sleep?ms=50") + request("GET", "/bytes?n=1000000"))
            connection.shutdown()
            self.assertEqual(connection.response().body, b"rested\n")
            self.assertEqual(len(connection.response().body), 1000000)
            self.assertEqual(connection.rest(), b"")

    def test_empty_lines_before_a_request(self):
        with self.connect() as connection:
            connection.send(request("POST", "/echo", b"x") + b"\r\n")
            self.assertEqual(connection.response().body, b"x")
            for piece in (b"\r", b"\n", b"\r\n\r\n", b"\r"):
                connection.send(piece)
                time.sleep(0.02)
            connection.send(b"\n" + request("GET", "/"))
            self.assertEqual(connection.response().body, b"hello\n")

    def test_an_end_before_a_request(self):
        with self.connect() as connection:
            connection.shutdown()
            self.assertEqual(connection.rest(), b"")
        with self.connect() as connection:
            connection.reset()
        self.assert_alive()

    def test_clients_that_leave(self):
        for data in (b"GET /", request("POST", "/echo", b"x" * 100)[:-50],
                     request("GET", "/sleep?ms=100"), request("GET", "/bytes?n=50000000"),
                     request("GET", "/bytes?n=50000000&piece=10000"),
                     request("POST", "/stream", headers=[CHUNKED]) + b"5\r\n"):
            for leave in ("reset", "close"):
                with self.connect() as connection:
                    connection.send(data)
                    time.sleep(0.05)
                    if leave == "reset":
                        connection.reset()
        self.assert_alive()
        while self.server.counters()["live"] > 1:
            time.sleep(0.02)


class Versions(ServerTest):
    def test_1_0(self):
        with self.connect() as connection:
            connection.send(request("GET", "/", minor=0) + request("GET", "/"))
            response = connection.response()
            self.assertTrue(response.closes)
            self.assertEqual(response.body, b"hello\n")
            self.assertEqual(connection.rest(), b"")

    def test_1_0_that_stays(self):
        with self.connect() as connection:
            for _ in range(3):
                connection.send(request("GET", "/", headers=["Connection: keep-alive"], minor=0))
                response = connection.response()
                self.assertEqual(response["connection"], "keep-alive")
                self.assertEqual(response.body, b"hello\n")

    def test_1_0_knows_no_chunks(self):
        with self.connect() as connection:
            connection.send(request("GET", "/bytes?n=70000&piece=1000",
                                    headers=["Connection: keep-alive"], minor=0))
            response = connection.response()
            self.assertIsNone(response["transfer-encoding"])
            self.assertTrue(response.closes)
            self.assertEqual(response.body, b"x" * 70000)

    def test_1_0_sees_a_cut_response_as_cut(self):
        with self.connect() as connection:
            connection.send(request("GET", "/half", minor=0))
            self.assertFalse(connection.response().is_whole)

    def test_1_1_that_leaves(self):
        with self.connect() as connection:
            connection.send(request("GET", "/", headers=["Connection: close"]) +
                            request("GET", "/"))
            response = connection.response()
            self.assertTrue(response.closes)
            self.assertEqual(response.body, b"hello\n")
            self.assertEqual(connection.rest(), b"")


class Bodies(ServerTest):
    def test_fixed(self):
        for n in (1, 100, 4096, 65536, 1000000):
            body = random.randbytes(n)
            self.assertEqual(self.ask("POST", "/echo", body).body, body)
            self.assertEqual(self.ask("POST", "/stream", body).body, body)
            self.assertEqual(self.ask("POST", "/count", body).body, b"%d\n" % n)

    def test_chunked(self):
        with self.connect() as connection:
            for pieces in ((), (b"x",), (b"a", b"bc", b"d" * 4000), (b"x" * 300000, b"y" * 5)):
                for target, body in (("/echo", b"".join(pieces)), ("/stream", b"".join(pieces)),
                                     ("/count", b"%d\n" % len(b"".join(pieces)))):
                    connection.send(request("POST", target, headers=[CHUNKED]) + chunked(*pieces))
                    response = connection.response()
                    self.assertEqual((response.status, response.body), (200, body))

    def test_extensions_and_trailers_are_passed_over(self):
        with self.connect() as connection:
            connection.send(request("POST", "/echo", headers=[CHUNKED]) +
                            b"5;name=value\r\nhello\r\n0;x\r\nTrailer: value\r\n\r\n" +
                            request("GET", "/"))
            self.assertEqual(connection.response().body, b"hello")
            self.assertEqual(connection.response().body, b"hello\n")

    def test_none(self):
        self.assertEqual(self.ask("POST", "/echo").body, b"")
        self.assertEqual(self.ask("POST", "/count").body, b"0\n")
        self.assertEqual(self.ask("POST", "/echo", headers=["Content-Length: 0"]).body, b"")

    def test_streamed_while_it_comes(self):
        with self.connect() as connection:
            connection.send(request("POST", "/stream", headers=[CHUNKED]))
            for piece in (b"one", b"two", b"three"):
                connection.send(chunked(piece, end=b""))
                # The reading of the next piece flushes what was written.
                while piece not in connection.buffer:
                    connection._more()
            connection.send(b"0\r\n\r\n")
            self.assertEqual(connection.response().body, b"onetwothree")

    def test_unread(self):
        with self.connect() as connection:
            connection.send(request("POST", "/ignore", b"x" * 50000) +
                            request("POST", "/ignore", headers=[CHUNKED]) + chunked(b"y" * 1000) +
                            request("POST", "/nowhere/at/all", b"z" * 1000) + request("GET", "/"))
            self.assertEqual(connection.response().body, b"ignored\n")
            self.assertEqual(connection.response().body, b"ignored\n")
            self.assertEqual(connection.response().status, 404)
            self.assertEqual(connection.response().body, b"hello\n")

    def test_too_much_unread(self):
        """Announced: said at once. Chunked: the connection ends. Neither resets the response."""
        with self.connect() as connection:
            connection.send(request("POST", "/ignore", b"x" * 1000000))
            response = connection.response()
            self.assertEqual((response.body, response.closes), (b"ignored\n", True))
            self.assertEqual(connection.rest(), b"")
        with self.connect() as connection:
            connection.send(request("POST", "/ignore", headers=[CHUNKED]) +
                            chunked(*[b"x" * 1000] * 1000))
            self.assertEqual(connection.response().body, b"ignored\n")
            self.assertEqual(connection.rest(), b"")

    def test_byte_by_byte(self):
        data = (request("POST", "/echo", b"fixed") + request("GET", "/hello/x%20y") +
                request("POST", "/stream", headers=[CHUNKED]) +
                b"3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: v\r\n\r\n" + request("GET", "/"))
        with self.connect() as connection:
            for byte in data:
                connection.send(bytes([byte]))
            bodies = [connection.response().body for _ in range(4)]
            self.assertEqual(bodies, [b"fixed", b"x y", b"abcde", b"hello\n"])


class Continue(ServerTest):
    EXPECT = "Expect: 100-continue"

    def head(self, target, length, *headers):
        return request("POST", target, headers=[self.EXPECT, f"Content-Length: {length}", *headers])

    def test_sent_when_the_body_is_wanted(self):
        for target in ("/echo", "/count"):
            with self.connect() as connection:
                connection.send(self.head(target, 5))
                self.assertEqual(connection.response().status, 100)
                connection.send(b"hello" + request("GET", "/"))
                self.assertEqual(connection.response().body,
                                 b"hello" if target == "/echo" else b"5\n")
                self.assertEqual(connection.response().body, b"hello\n")

    def test_chunked(self):
        with self.connect() as connection:
            connection.send(request("POST", "/echo", headers=[self.EXPECT, CHUNKED]))
            self.assertEqual(connection.response().status, 100)
            connection.send(chunked(b"hello"))
            self.assertEqual(connection.response().body, b"hello")

    def test_not_sent_when_the_body_is_there(self):
        with self.connect() as connection:
            connection.send(self.head("/echo", 5) + b"hello")
            self.assertEqual(connection.response().body, b"hello")

    def test_not_sent_when_the_body_is_not_wanted(self):
        for target, status in (("/ignore", 200), ("/nowhere/at/all", 404), ("/hello/x", 405)):
            with self.connect() as connection:
                connection.send(self.head(target, 5))
                response = connection.response()
                self.assertEqual((response.status, response.closes), (status, True))
                self.assertEqual(connection.rest(), b"")
        with self.connect() as connection:
            connection.send(self.head("/echo", 2000000))
            response = connection.response()
            self.assertEqual((response.status, response.closes), (413, True))
            self.assertEqual(connection.rest(), b"")

    def test_not_sent_to_1_0(self):
        with self.connect() as connection:
            connection.send(request("POST", "/echo", headers=[self.EXPECT, "Content-Length: 5"],
                                    minor=0))
            time.sleep(0.05)
            connection.send(b"hello")
            self.assertEqual(connection.response().body, b"hello")

    def test_other_expectations(self):
        with self.connect() as connection:
            connection.send(request("GET", "/", headers=["Expect: miracles"]))
            self.assertEqual(connection.response().status, 417)
            self.assertEqual(connection.rest(), b"")


class Pipelining(ServerTest):
    def test_many_at_once(self):
        with self.connect() as connection:
            connection.send(b"".join(request("GET", f"/hello/{i}") for i in range(1000)))
            for i in range(1000):
                self.assertEqual(connection.response().body, str(i).encode())

    def test_mixed(self):
        kinds = (
            (request("GET", "/"), "GET", b"hello\n"),
            (request("HEAD", "/"), "HEAD", b""),
            (request("POST", "/echo", b"body"), "POST", b"body"),
            (request("POST", "/echo", headers=[CHUNKED]) + chunked(b"a", b"bc"), "POST", b"abc"),
            (request("POST", "/ignore", b"left alone"), "POST", b"ignored\n"),
            (request("GET", "/bytes?n=100000"), "GET", b"x" * 100000),
            (request("GET", "/bytes?n=5000&piece=77"), "GET", b"x" * 5000),
            (request("GET", "/sleep?ms=1"), "GET", b"rested\n"),
            (request("OPTIONS", "/"), "OPTIONS", b""),
        )
        chance = random.Random(1)
        with self.connect() as connection:
            for _ in range(20):
                chosen = [chance.choice(kinds) for _ in range(30)]
                data = b"".join(kind[0] for kind in chosen)
                at = 0
                while at < len(data):
                    n = chance.choice((1, 7, 100, 5000))
                    connection.send(data[at:at + n])
                    at += n
                for _, method, body in chosen:
                    response = connection.response(method)
                    self.assertIn(response.status, (200, 204))
                    self.assertEqual(response.body, body)

    def test_a_client_that_sends_before_it_reads(self):
        """More requests than both sides' buffers hold: the server waits, and loses none."""
        with self.connect() as connection:
            connection.socket.setblocking(False)
            sent = 0
            one = request("GET", "/bytes?n=10000", headers=["Padding: " + 3000 * "p"])
            data = b""
            for _ in range(200000):
                data = data or one
                try:
                    done = connection.socket.send(data)
                except BlockingIOError:
                    break
                sent += done == len(data)
                data = data[done:]
            connection.socket.settimeout(20)
            for _ in range(sent):
                self.assertEqual(len(connection.response().body), 10000)


class Failures(ServerTest):
    REPORTS = 7

    def test_details_stay_inside(self):
        with self.connect() as connection:
            before = self.server.counters()
            connection.send(request("GET", "/fail") + request("GET", "/silent") +
                            request("GET", "/"))
            for _ in range(2):
                response = connection.response()
                self.assertEqual(response.status, 500)
                self.assertEqual(response.body, b"500 Internal Server Error\n")
                self.assertIsNone(response["x-secret"])
            self.assertEqual(connection.response().body, b"hello\n")
            after = self.server.counters()
            self.assertEqual(after["failures"] - before["failures"], 2)
            self.assertEqual(after["told"] - before["told"], 2)

    def test_a_response_cut_short(self):
        for target in ("/half", "/half?length=10"):
            with self.connect() as connection:
                connection.send(request("GET", target) + request("GET", "/"))
                response = connection.response()
                self.assertEqual(response.status, 200)
                self.assertFalse(response.is_whole)

    def test_a_response_left_open_is_ended(self):
        with self.connect() as connection:
            connection.send(request("GET", "/open") + request("GET", "/"))
            self.assertEqual(connection.response().body, b"open")
            self.assertEqual(connection.response().body, b"hello\n")

    def test_misuse(self):
        """Control characters and framing in headers, wrong order, a wrong status: see misuse()."""
        self.assertEqual(self.ask("GET", "/misuse").body,
                         b"-22 -22 -22 -22 -22 -71 -71 -22 -22 -105\n")
        self.assertEqual(self.ask("GET", "/more").body, b"1234")


class Drain(ServerTest):
    def setUp(self):
        self.fresh = Server()

    def end(self):
        end = self.fresh.end()
        self.assertEqual((end["rc"], end["reports"]), (0, 0))
        self.assertEqual(end["requests"], end["replies"])

    def test_idle_connections_end_at_once(self):
        connections = [self.fresh.connect() for _ in range(20)]
        for connection in connections[:10]:
            connection.send(request("GET", "/"))
            self.assertEqual(connection.response().body, b"hello\n")
        self.fresh.terminate()
        for connection in connections:
            with connection:
                self.assertEqual(connection.rest(), b"")
        self.end()

    def test_requests_under_way_are_finished(self):
        connections = [self.fresh.connect() for _ in range(20)]
        for connection in connections[:10]:
            connection.send(request("GET", "/sleep?ms=500"))
        for connection in connections[10:]:
            connection.send(request("POST", "/echo", b"x" * 10000)[:-5000])
        while self.fresh.counters()["live"] < 21:
            time.sleep(0.01)
        time.sleep(0.1)
        self.fresh.terminate()
        time.sleep(0.1)
        for connection in connections[10:]:
            connection.send(b"x" * 5000)
        for connection in connections:
            with connection:
                response = connection.response()
                self.assertEqual(response.status, 200)
                self.assertTrue(response.is_whole)
                self.assertTrue(response.closes)
                self.assertEqual(connection.rest(), b"")
        self.end()

    def test_a_request_beyond_the_grace_is_cut(self):
        with self.fresh.connect() as connection:
            connection.send(request("GET", "/sleep?ms=600000"))
            while self.fresh.counters()["live"] < 2:
                time.sleep(0.01)
            self.fresh.terminate()
            try:
                self.assertEqual(connection.rest(), b"")
            except ConnectionResetError:
                pass
        self.assertEqual(self.fresh.end()["rc"], 0)


if __name__ == "__main__":
    main()
