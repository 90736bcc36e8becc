# SPDX-License-Identifier: Apache-2.0
"""
HTTP by aiohttp on asyncio or uvloop, with its parser in C and without an access log.

    web.py asyncio|uvloop [--port=N]
"""

import service

try:
    from aiohttp import web
except ImportError:
    service.absent("aiohttp", "python3-aiohttp")


async def hello(request):
    return web.Response(text="Hello, World!")


def main():
    arguments = service.parse()
    app = web.Application()
    app.router.add_get("/", hello)
    web.run_app(app, sock=service.listen(arguments.port), access_log=None, print=None,
                keepalive_timeout=3600)


if __name__ == "__main__":
    main()
