# SPDX-License-Identifier: Apache-2.0
"""Chromium, told what to do through a pipe: pages are opened, asked and pictured one by one.

Each step ends when the browser says so, so that nothing here waits for a time. The protocol is
that of its developer tools (https://chromedevtools.github.io/devtools-protocol/): objects in JSON,
each ended by a zero byte, on the descriptors 3 and 4.
"""
import json
import os
import shutil
import socket
import subprocess
import tempfile

DEADLINE = 60  # of one answer, on a busy machine


class Failure(Exception):
    """The browser ended, does not answer, or cannot do what it was told."""


def find():
    """The program; None: there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


class Browser:
    """A browser of its own profile; to be used with `with`."""

    def __init__(self, program):
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._log = tempfile.TemporaryFile()
        ours, theirs = socket.socketpair()
        command = [program, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                   "--disable-dev-shm-usage", "--disable-extensions", "--hide-scrollbars",
                   "--disable-background-networking", "--disable-component-update",
                   "--disable-sync", "--mute-audio", "--remote-debugging-pipe",
                   "--no-startup-window", f"--user-data-dir={self._folder.name}"]

        def place():
            # Not from a descriptor that the first one has just replaced.
            spare = os.dup(theirs.fileno())
            os.dup2(spare, 3)
            os.dup2(spare, 4)

        # A process group of its own: the program may be a script that starts the browser.
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self._log,
                                         stderr=self._log, pass_fds=(3, 4), preexec_fn=place,
                                         start_new_session=True)
        theirs.close()
        ours.settimeout(DEADLINE)
        self._socket, self._rest, self._last = ours, b"", 0

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        try:
            self.send("Browser.close", None, {})
            self._process.wait(DEADLINE)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        self._socket.close()
        self._log.close()
        self._folder.cleanup()

    def send(self, method, session, parameters):
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        self._socket.sendall(json.dumps(message).encode() + b"\0")
        return self._last

    def receive(self):
        while b"\0" not in self._rest:
            try:
                more = self._socket.recv(1 << 20)
            except TimeoutError:
                raise Failure(f"no answer within {DEADLINE} s; {self._said()}") from None
            if not more:
                raise Failure(f"it ended; {self._said()}")
            self._rest += more
        message, self._rest = self._rest.split(b"\0", 1)
        return json.loads(message)

    def _said(self):
        self._log.seek(0)
        return "it said: " + self._log.read().decode(errors="replace")[-2000:]

    def call(self, method, session=None, on_event=None, **parameters):
        """The result of a command; events meanwhile are told to `on_event`."""
        number = self.send(method, session, parameters)
        while True:
            message = self.receive()
            if message.get("id") == number:
                if "error" in message:
                    raise Failure(f"{method}: {message['error']}")
                return message["result"]
            if on_event and message.get("sessionId") == session:
                on_event(message)

    def tab(self):
        return Tab(self)


class Tab:
    """A page of the browser."""

    def __init__(self, browser):
        self._browser = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = browser.call("Target.attachToTarget", targetId=target,
                                     flatten=True)["sessionId"]
        self.complaints = []  # of the console, since the page was opened
        self._is_loaded = False
        for domain in ("Page", "Runtime", "Log"):
            self._call(f"{domain}.enable")

    def _call(self, method, **parameters):
        return self._browser.call(method, self._session, self._take, **parameters)

    def _take(self, message):
        method, about = message.get("method"), message.get("params", {})
        if method == "Page.loadEventFired":
            self._is_loaded = True
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(about["exceptionDetails"].get("exception", about))
        elif method == "Log.entryAdded":
            self.complaints.append(about["entry"]["text"])
        elif method == "Runtime.consoleAPICalled":
            self.complaints.append([part.get("value") for part in about["args"]])

    def show(self, width, height, **media):
        """How it is looked at: the window, and media=, or features such as scheme="dark"."""
        names = {"scheme": "prefers-color-scheme"}
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                   deviceScaleFactor=1, mobile=False)
        self._call("Emulation.setEmulatedMedia", media=media.pop("media", ""),
                   features=[{"name": names[key], "value": value} for key, value in media.items()])

    def open(self, url):
        """Returns when it is loaded and its scripts have run."""
        self.complaints, self._is_loaded = [], False
        done = self._call("Page.navigate", url=url)
        if "errorText" in done:
            raise Failure(f"{url}: {done['errorText']}")
        while not self._is_loaded:
            message = self._browser.receive()
            if message.get("sessionId") == self._session:
                self._take(message)

    def ask(self, expression):
        """The value of an expression of JavaScript, or of the promise that it is."""
        done = self._call("Runtime.evaluate", expression=expression, awaitPromise=True,
                          returnByValue=True)
        if "exceptionDetails" in done:
            raise Failure(done["exceptionDetails"])
        return done["result"].get("value")

    def picture(self, width, height, scale):
        """The page from its top, as the base 64 of a PNG."""
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": scale}
        return self._call("Page.captureScreenshot", format="png", clip=clip,
                          captureBeyondViewport=True, optimizeForSpeed=True)["data"]
