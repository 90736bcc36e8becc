# SPDX-License-Identifier: Apache-2.0
"""What the programs share: the loop they run on, and the socket they listen on."""

import argparse
import socket
import sys

ABSENT_STATUS = 77  # what stands for "not installed here"


def absent(module, package):
    print(f"{module} is not installed (package {package})", file=sys.stderr)
    sys.exit(ABSENT_STATUS)


def parse(**choices):
    """The command line: the loop, what else there is to choose, and for servers the port."""
    parser = argparse.ArgumentParser()
    parser.add_argument("loop", choices=("asyncio", "uvloop"))
    for name, values in choices.items():
        parser.add_argument(name, choices=values)
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.loop == "uvloop":
        try:
            import uvloop
        except ImportError:
            absent("uvloop", "python3-uvloop")
        uvloop.install()
    return arguments


def listen(port):
    """A listening socket on 127.0.0.1, announced on stdout."""
    listener = socket.create_server(("127.0.0.1", port), backlog=4096)
    print(f"port {listener.getsockname()[1]}", flush=True)
    return listener
