# SPDX-License-Identifier: Apache-2.0
"""A drain under load: every request that was sent is answered, in full; none is lost."""

import threading
import time
import unittest

from http_client import Connection, Server, main, request

CLIENTS = 24

# A drain listens 200 ms to a connection that was busy. One whose last exchange began earlier than
# this may have rested for longer, where the client's CPU was taken away.
RESTED_S = 0.15


class Client(threading.Thread):
    """Sends the next request as soon as it has the answer, until the server says close."""

    def __init__(self, port, targets, ahead):
        super().__init__()
        self.port, self.targets, self.ahead = port, targets, ahead
        self.answered, self.lost = 0, []

    def is_let_go(self, connection, batch, since):
        """Sends a batch. Whether the server has gone, and was free to before it could have it."""
        try:
            connection.send(b"".join(request("GET", target) for target in batch))
            return time.monotonic() - since > RESTED_S and connection.is_at_end()
        except OSError:
            if time.monotonic() - since <= RESTED_S:
                raise
            return True

    def talk(self, connection):
        sent = time.monotonic()
        while True:
            since, sent = sent, time.monotonic()
            batch = [self.targets[(self.answered + i) % len(self.targets)]
                     for i in range(self.ahead)]
            if self.is_let_go(connection, batch, since):
                return
            for target in batch:
                response = connection.response()
                if response.status != 200 or not response.is_whole:
                    self.lost.append((target, response.status, response.is_whole))
                self.answered += 1
                # What was pipelined behind the last answer is known not to have been processed.
                if response.closes:
                    return

    def run(self):
        try:
            with Connection(self.port) as connection:
                self.talk(connection)
                if connection.rest() != b"":
                    self.lost.append("something behind the last answer")
        except (OSError, EOFError) as error:
            self.lost.append(repr(error))


class DrainUnderLoad(unittest.TestCase):
    SETTINGS = ()

    def drain(self, targets, ahead):
        server = Server(*self.SETTINGS)
        clients = [Client(server.port, targets, ahead) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        time.sleep(0.5)
        server.terminate()
        for client in clients:
            client.join()
        end = server.end()
        self.assertEqual([client.lost for client in clients if client.lost], [])
        self.assertEqual(end["rc"], 0)
        self.assertEqual(end["requests"], end["replies"])
        self.assertEqual(end["requests"], sum(client.answered for client in clients))
        self.assertGreater(end["requests"], CLIENTS)

    def test_one_at_a_time(self):
        self.drain(["/"], 1)

    def test_pipelined(self):
        self.drain(["/hello/x", "/bytes?n=3000&piece=1000"], 8)

    def test_handlers_that_wait(self):
        self.drain(["/", "/sleep?ms=3", "/bytes?n=200000", "/sleep?ms=40"], 1)


class DrainOfTwoCoresUnderLoad(DrainUnderLoad):
    SETTINGS = ("cores=2",)


class DrainOfBalancedCoresUnderLoad(DrainUnderLoad):
    SETTINGS = ("cores=2", "uneven_max=1")


class Killed(unittest.TestCase):
    """What a client sees of a service that is killed on the way: an end, not a wait."""

    def test_on_two_cores(self):
        server = Server("cores=2")
        clients = [Client(server.port, ["/", "/sleep?ms=3"], 1) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        time.sleep(0.3)
        server.program.kill()
        for client in clients:
            client.join(10)
        self.assertEqual([client for client in clients if client.is_alive()], [])
        server.program.communicate()
        self.assertGreater(sum(client.answered for client in clients), CLIENTS)


if __name__ == "__main__":
    main()
