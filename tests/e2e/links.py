# SPDX-License-Identifier: Apache-2.0
"""The service examples/links from outside: every endpoint and error, a crash, and the end."""

import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse

PATIENCE = 20


class Links:
    def __init__(self, folder, port=0):
        self.program = subprocess.Popen(
            [PROGRAM, "--db", str(pathlib.Path(folder) / "links.db"), f"--port={port}"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.said = []
        while not self.said or "/metrics" not in self.said[-1]:
            line = self.program.stdout.readline()
            if not line:
                raise RuntimeError("links did not start: " + self.program.stderr.read())
            self.said.append(line)
        self.port = int(re.search(r"serving http://127\.0\.0\.1:(\d+)/", "".join(self.said))[1])

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def ask(self, method, path, body=None, headers=None, connection=None):
        """Returns status, headers and the body, which is parsed if it is JSON."""
        link = connection or self.connect()
        link.request(method, path, body, headers or {})
        response = link.getresponse()
        data = response.read()
        if connection is None:
            link.close()
        if response.getheader("Content-Type") == "application/json":
            data = json.loads(data)
        return response.status, response, data

    def shorten(self, url, connection=None):
        status, _, link = self.ask("POST", "/api/links", json.dumps({"url": url}),
                                   connection=connection)
        if status != 201 or link["url"] != url:
            raise AssertionError(f"{status} {link}")
        return link["code"]

    def signal(self, number):
        self.program.send_signal(number)

    def end(self):
        out, err = self.program.communicate(timeout=PATIENCE)
        return self.program.returncode, out + err


class LinksTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.links = Links(self.folder.name)

    def tearDown(self):
        self.links.signal(signal.SIGTERM)
        status, said = self.links.end()
        self.assertEqual(status, 0, said)
        self.assertNotIn("error", said)


class Endpoints(LinksTest):
    def test_life_of_a_link(self):
        url = "https://www.kernel.org/doc/?a=b&c=d"
        code = self.links.shorten(url)
        self.assertRegex(code, r"\A[A-Za-z0-9_-]{7}\Z")
        for visits in range(1, 4):
            status, response, _ = self.links.ask("GET", "/" + code)
            self.assertEqual((status, response.getheader("Location")), (302, url))
            _, _, listed = self.links.ask("GET", "/api/links")
            self.assertEqual(listed, {"links": [{"code": code, "url": url, "clicks": visits}]})
        self.assertEqual(self.links.ask("DELETE", "/api/links/" + code)[0], 204)
        self.assertEqual(self.links.ask("DELETE", "/api/links/" + code)[0], 404)
        self.assertEqual(self.links.ask("GET", "/" + code)[0], 404)
        self.assertEqual(self.links.ask("GET", "/api/links")[2], {"links": []})

    def test_newest_first_and_a_hundred_at_most(self):
        connection = self.links.connect()
        codes = [self.links.shorten(f"http://a/{i}", connection) for i in range(120)]
        _, _, listed = self.links.ask("GET", "/api/links", connection=connection)
        connection.close()
        self.assertEqual([link["code"] for link in listed["links"]], codes[:-101:-1])

    def test_page(self):
        self.links.shorten("https://a/<script>alert('1')</script>&\"")
        status, response, page = self.links.ask("GET", "/")
        self.assertEqual((status, response.getheader("Content-Type")),
                         (200, "text/html; charset=utf-8"))
        self.assertIn("default-src 'none'", response.getheader("Content-Security-Policy"))
        self.assertNotIn(b"<script>", page)
        self.assertIn(b"https://a/&#60;script&#62;alert(&#39;1&#39;)&#60;/script&#62;&#38;&#34;",
                      page)
        self.assertIn(b"<form method=post>", page)

    def test_form(self):
        url = "https://a/?b=c&d=e f+ä".replace(" ", "%20")
        status, response, _ = self.links.ask("POST", "/", urllib.parse.urlencode({"url": url}))
        self.assertEqual((status, response.getheader("Location")), (303, "/"))
        self.assertEqual(self.links.ask("GET", "/api/links")[2]["links"][0]["url"], url)
        for form in ("", "x=y", "url=", "url=%", "url=ftp://a", "url=http://a/" + "x" * 2100):
            self.assertEqual(self.links.ask("POST", "/", form)[0], 422, form)

    def test_health_and_metrics(self):
        self.assertEqual(self.links.ask("GET", "/healthz")[2], b"ok\n")
        self.assertEqual(self.links.ask("GET", "/nowhere/at/all")[0], 404)
        status, response, text = self.links.ask("GET", "/metrics")
        self.assertEqual(status, 200)
        self.assertTrue(response.getheader("Content-Type").startswith("text/plain; version="))
        values = dict(line.rsplit(" ", 1) for line in text.decode().splitlines())
        self.assertEqual(values["links_http_requests_total"], "3")
        self.assertEqual(values['links_http_replies_total{class="2xx"}'], "1")
        self.assertEqual(values['links_http_replies_total{class="4xx"}'], "1")
        self.assertEqual(values["links_connections"], "1")
        backend = [name for name in values if name.startswith("soon_io_backend{")]
        self.assertEqual(len(backend), 1)
        self.assertRegex(backend[0], r'backend="(io_uring|epoll)",reason="[^"]+"')
        if os.environ.get("SOON_IO") == "epoll":
            self.assertIn('backend="epoll",reason="the environment\'s SOON_IO', backend[0])

    def test_head_and_options(self):
        code = self.links.shorten("http://a/")
        self.assertEqual(self.links.ask("HEAD", "/")[0], 200)
        status, response, _ = self.links.ask("HEAD", "/" + code)
        self.assertEqual((status, response.getheader("Location")), (302, "http://a/"))
        status, response, _ = self.links.ask("OPTIONS", "/api/links")
        self.assertEqual((status, response.getheader("Allow")), (204, "GET, HEAD, POST, OPTIONS"))


class Errors(LinksTest):
    def assert_problem(self, status, *request):
        got, response, problem = self.links.ask(*request)
        self.assertEqual(got, status, request)
        self.assertEqual(response.getheader("Content-Type"), "application/json")
        self.assertEqual(problem["status"], status)
        self.assertRegex(problem["error"], r"\A[ -~]+\Z")
        return response

    def test_bad_json(self):
        for body in ("", "x", "{", "[]", "\"https://a\"", "{\"url\": 1}", "{\"URL\": \"http://a\"}",
                     "{\"url\": \"http://a\"} x", "{\"url\": \"\\u0000\"}", "\xff", "[" * 4000,
                     "{\"url\":" * 1000):
            self.assert_problem(400, "POST", "/api/links", body.encode("latin-1"))

    def test_bad_urls(self):
        for url in ("", "a", "/a", "ftp://a", "javascript:alert(1)", "http:/a", "http://",
                    "http:///a", "https://?a", "http://a b",
                    "http://a\nb", "http://a\tb", "http://a\x7f",
                    " http://a", "HTTP://a", "http://:80", "http://@a", "http://a/" + "x" * 2048):
            self.assert_problem(422, "POST", "/api/links", json.dumps({"url": url}))

    def test_the_longest_url(self):
        self.links.shorten("http://a/" + "x" * (2048 - 9))

    def test_too_much(self):
        self.assert_problem(413, "POST", "/api/links", b" " * 9000)
        self.assert_problem(413, "POST", "/", b"x" * 9000)
        self.assert_problem(414, "GET", "/" + "x" * 9000)
        self.assert_problem(431, "GET", "/", None, {"X": "y" * 9000})

    def test_unknown_and_wrong(self):
        for path in ("/unknown", "/" + "x" * 1000, "/api", "/api/links/", "/a/b", "/%41%42"):
            self.assert_problem(404, "GET", path)
        self.assert_problem(404, "DELETE", "/api/links/" + "x" * 100)
        response = self.assert_problem(405, "PUT", "/api/links", "{}")
        self.assertEqual(response.getheader("Allow"), "GET, HEAD, POST, OPTIONS")
        self.assert_problem(405, "DELETE", "/healthz")
        self.assert_problem(405, "POST", "/unknown", "{}")
        self.assert_problem(400, "GET", "/a/../b")

    def test_statements_stay_statements(self):
        code = self.links.shorten("http://a/';DROP%20TABLE%20links;--")
        self.links.ask("GET", "/x'%20OR%20'1'='1")
        self.links.ask("DELETE", "/api/links/x'%20OR%20'1'='1")
        self.assertEqual(self.links.ask("GET", "/" + code)[0], 302)


class Loaded(threading.Thread):
    """Makes links on one connection until the server says close or is gone."""

    def __init__(self, links):
        super().__init__()
        self.links, self.made, self.lost = links, [], []

    def run(self):
        connection = self.links.connect()
        try:
            while True:
                connection.request("POST", "/api/links",
                                   json.dumps({"url": f"http://a/{len(self.made)}"}))
                response = connection.getresponse()
                link = json.loads(response.read())
                if response.status != 201:
                    self.lost.append(response.status)
                self.made.append(link["code"])
                if response.getheader("Connection") == "close":
                    return
        except (OSError, http.client.HTTPException) as error:
            self.lost.append(repr(error))
        finally:
            connection.close()


class Ends(LinksTest):
    def load(self, count=12):
        threads = [Loaded(self.links) for _ in range(count)]
        for thread in threads:
            thread.start()
        while min(len(thread.made) for thread in threads) < 5:
            time.sleep(0.01)
        return threads

    def assert_there(self, codes):
        """A new process on the same file has every one of the links."""
        self.links = Links(self.folder.name)
        connection = self.links.connect()
        for code in codes:
            self.assertEqual(self.links.ask("GET", "/" + code, connection=connection)[0], 302)
        connection.close()

    def test_acknowledged_links_survive_a_kill(self):
        for _ in range(3):
            threads = self.load()
            self.links.signal(signal.SIGKILL)
            for thread in threads:
                thread.join()
            self.links.end()
            self.assert_there([code for thread in threads for code in thread.made])

    def test_a_drain_loses_no_request(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            threads = self.load()
            self.links.signal(number)
            for thread in threads:
                thread.join()
            status, said = self.links.end()
            self.assertEqual(status, 0, said)
            self.assertEqual([thread.lost for thread in threads if thread.lost], [])
            self.assert_there([code for thread in threads for code in thread.made])


class Ports(unittest.TestCase):
    def test_a_taken_port(self):
        with tempfile.TemporaryDirectory() as folder, socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            links = Links(folder, port)
            self.assertIn(f"links: port {port} is taken, using a free one\n", links.said)
            self.assertNotEqual(links.port, port)
            self.assertEqual(links.ask("GET", "/healthz")[0], 200)
            self.assertEqual(sum("  curl " in line for line in links.said), 3)
            links.signal(signal.SIGTERM)
            self.assertEqual(links.end()[0], 0)

    def test_no_port_and_no_file(self):
        for arguments in (["--port=70000"], ["--port=-1"], ["--nonsense"],
                          ["--port=0", "--db=/nonexistent/links.db"]):
            done = subprocess.run([PROGRAM, *arguments], capture_output=True, timeout=PATIENCE,
                                  check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertNotEqual(done.stderr, b"")


if __name__ == "__main__":
    PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=0)
