# SPDX-License-Identifier: Apache-2.0
"""What the tests of examples/handover share."""
import socket

PATIENCE = 30  # seconds until a test gives up; no test measures time


def ask(address, text="x"):
    """The number of the process that answers; `address` is a path, or a host and a port."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family) as link:
        link.settimeout(PATIENCE)
        link.connect(address)
        link.sendall(text.encode() + b"\n")
        got = b""
        while not got.endswith(b"\n"):
            part = link.recv(100)
            if not part:
                raise ConnectionError(f"the end after {got!r}")
            got += part
    pid, said = got.decode().split()
    if said != text:
        raise ConnectionError(f"asked {text}, got {said}")
    return int(pid)


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
