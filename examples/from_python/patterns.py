# SPDX-License-Identifier: Apache-2.0
"""What patterns.c does, in asyncio. Both print the same; see docs/coming-from-python.md."""
import asyncio
import contextlib
import contextvars
import os
import signal
import time


async def fetch(name):
    await asyncio.sleep(0.001)
    return len(name)


async def gather():
    a, b = await asyncio.gather(fetch("alpha"), fetch("golf"))
    print("gather:", a, b)


async def timeout():
    try:
        async with asyncio.timeout(0.02):
            await asyncio.sleep(3600)
    except TimeoutError:
        print("timeout: too slow")


async def ask(delay, answer):
    await asyncio.sleep(delay)
    return answer


async def race():
    tasks = [asyncio.create_task(ask(3600, 1)), asyncio.create_task(ask(0.001, 2))]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    print("race:", done.pop().result())


async def produce(queue):
    for number in range(1, 6):
        await queue.put(number)
    await queue.put(None)


async def consume(queue):
    total = 0
    while (number := await queue.get()) is not None:
        total += number
    print("queue:", total)


async def producer_consumer():
    queue = asyncio.Queue(maxsize=2)
    async with asyncio.TaskGroup() as tg:
        tg.create_task(produce(queue))
        tg.create_task(consume(queue))


async def flaky(runs):
    runs.append(1)
    await asyncio.sleep(0.001)
    if len(runs) < 3:
        raise OSError("no signal")
    print("supervised: well after", len(runs), "runs")


async def supervised():
    runs = []
    for attempt in range(5):
        try:
            return await flaky(runs)
        except OSError:
            await asyncio.sleep(0.001 * 2**attempt)
    raise RuntimeError("too many restarts")


loads = 0
flights = {}


async def load(key):
    global loads
    loads += 1
    await asyncio.sleep(0.001)
    return len(key)


async def load_once(key):
    if key not in flights:
        flights[key] = asyncio.create_task(load(key))
        flights[key].add_done_callback(lambda _: flights.pop(key))
    return await asyncio.shield(flights[key])


async def single_flight():
    sizes = await asyncio.gather(load_once("page"), load_once("page"), load_once("page"))
    print("single flight:", sum(sizes), "with", loads, "load")


async def numbers(limit):
    try:
        for number in range(limit):
            await asyncio.sleep(0)
            yield number
    finally:
        print("generator: closed")


async def squares(limit):
    async with contextlib.aclosing(numbers(limit)) as source:
        async for number in source:
            yield number * number


async def pipeline():
    async with contextlib.aclosing(squares(1000)) as source:
        async for square in source:
            if square > 50:
                print("generator: first above 50 is", square)
                break


async def serve(stop):
    jobs = 0
    while not stop.is_set():
        await asyncio.sleep(0.001)  # a job: not to be cut short
        jobs += 1
    print("shutdown: some jobs done:", jobs > 0)


async def shutdown():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with asyncio.TaskGroup() as tg:
        tg.create_task(serve(stop))
        await asyncio.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)
    print("shutdown: orderly")


def slow_square(number):
    time.sleep(0.001)
    return number * number


async def blocking():
    print("blocking:", await asyncio.to_thread(slow_square, 12))


async def wait_for_four(condition, stock):
    async with condition:
        await condition.wait_for(lambda: stock["count"] >= 4)
        print("condition:", stock["count"])


async def events():
    ready, condition, stock = asyncio.Event(), asyncio.Condition(), {"count": 0}
    async with asyncio.TaskGroup() as tg:
        tg.create_task(wait_for_four(condition, stock))
        asyncio.get_running_loop().call_later(0.001, ready.set)
        await ready.wait()
        for _ in range(4):
            async with condition:
                stock["count"] += 1
                condition.notify()


request_id = contextvars.ContextVar("request_id")


async def log(text):
    print("locals: request", request_id.get(), text)


async def handle(number):
    request_id.set(number)
    async with asyncio.TaskGroup() as tg:
        tg.create_task(log("in a task below"))


async def task_locals():
    request_id.set(1)
    await asyncio.create_task(handle(2))
    await log("unchanged above")


async def knock(limit, inside):
    async with limit:
        inside.append(inside[-1] + 1)
        await asyncio.sleep(0.001)
        inside.append(inside[-1] - 1)


async def limits():
    limit, inside = asyncio.Semaphore(2), [0]
    await asyncio.gather(*(knock(limit, inside) for _ in range(6)))
    print("limit:", max(inside), "at a time")


async def main():
    for pattern in (gather, timeout, race, producer_consumer, supervised, single_flight, pipeline,
                    shutdown, blocking, events, task_locals, limits):
        await pattern()


asyncio.run(main())
