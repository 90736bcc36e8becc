# SPDX-License-Identifier: Apache-2.0
"""
The echo server on asyncio or uvloop, by a protocol, which costs less than streams.

    echo.py asyncio|uvloop [--port=N]
"""

import asyncio

import service


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)

    def pause_writing(self):
        self.transport.pause_reading()

    def resume_writing(self):
        self.transport.resume_reading()


async def main(port):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, sock=service.listen(port))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(service.parse().port))
