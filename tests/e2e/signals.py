#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""signals.py PROGRAM: a service under kill(1), as a service manager or a person would use it.

SIGTERM twice: the first drains, the second cancels, none is lost, whenever they come. What comes
after the end of the handle has its usual meaning.
"""
import signal
import subprocess
import sys


def start(program):
    service = subprocess.Popen([program, "wait"], stdout=subprocess.PIPE, text=True)
    assert service.stdout.readline() == "ready\n"
    return service


def kill(service, name):
    subprocess.run(["kill", f"-{name}", str(service.pid)], check=True)


def lines_until(service, word):
    seen = []
    while word not in "".join(seen):
        line = service.stdout.readline()
        assert line, f"ended before {word!r}: {seen}"
        seen.append(line)
    return "".join(seen)


def ends(service, status):
    rest = service.stdout.read()
    assert service.wait(timeout=30) == status, (service.returncode, rest)
    return rest


def main():
    program = sys.argv[1]

    service = start(program)
    kill(service, "HUP")
    lines_until(service, "reopen the log")
    kill(service, "TERM")
    lines_until(service, "no more work")
    kill(service, "TERM")
    assert "Terminated again: now" in (rest := ends(service, 0)), rest
    assert "serve: cancelled" in rest, rest

    # One of each kind; they differ, so none of the two is merged into the other.
    service = start(program)
    kill(service, "INT")
    kill(service, "TERM")
    assert "again: now" in (rest := ends(service, 0)), rest

    # Twice at once may count as one, so ask until it is over; it always is.
    service = start(program)
    while service.poll() is None:
        service.send_signal(signal.SIGTERM)
    assert service.returncode in (0, -signal.SIGTERM), service.returncode
    service.stdout.read()


if __name__ == "__main__":
    main()
