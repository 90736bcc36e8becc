# SPDX-License-Identifier: Apache-2.0
"""
What micro_sched, micro_chan, micro_timer, micro_thread and micro_offload measure, on asyncio or
uvloop: the same work on the same CPUs, with smaller counts, as it takes longer.

    micro.py asyncio|uvloop yield|spawn|chan|timeout|buffered|timer
    micro.py asyncio|uvloop post|trip|trip_rested|offload|offload_many
"""

import asyncio
import json
import os
import random
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import service

REPEATS = 7  # measurements whose median is printed; odd
YIELDS = 50_000  # in all, over both tasks
SPAWNS = 10_000
ITEMS = 10_000
BUFFER = 64
LIVE = 100_000  # timers that are armed all the time
ROUNDS = 20_000
TURN = 1000  # timers that are cancelled before the loop turns
POSTS = 20_000
TRIPS = 500
FLYING = 1000  # jobs at a time
JOBS = 4_000
THREADS = 4
REST = 100e-6  # before a trip, so that others fall asleep

ALLOWED = sorted(os.sched_getaffinity(0))  # before anybody was pinned


def pin(place):
    """Keeps the thread on the CPU with this place among those that the process may use."""
    os.sched_setaffinity(threading.get_native_id(), {ALLOWED[place % len(ALLOWED)]})


def show(name, values, unit):
    value = statistics.median(values) * (1e9 if unit == "ns" else 1e6)
    print(json.dumps({"name": name, "value": value, "unit": unit}))


async def measure(name, unit, rounds, count, now=time.process_time):
    """The median time of one of `count` rounds, after some to warm up."""
    values = []
    await rounds(count // 4)
    for _ in range(REPEATS):
        start = now()
        await rounds(count)
        values.append((now() - start) / count)
    show(name, values, unit)


async def yield_often(count):
    for _ in range(count):
        await asyncio.sleep(0)


async def yield_by_two(count):
    await asyncio.gather(yield_often(count // 2), yield_often(count // 2))


async def nothing():
    pass


async def spawn_often(count):
    for _ in range(count):
        await asyncio.create_task(nothing())


async def send(queue, count):
    for i in range(count):
        await queue.put(i)


async def receive(queue, count):
    for i in range(count):
        if await queue.get() != i:
            raise RuntimeError("an item was lost")


async def receive_in_time(queue, count):
    for i in range(count):
        async with asyncio.timeout(30):
            if await queue.get() != i:
                raise RuntimeError("an item was lost")


def passing(receiver, places):
    """asyncio's smallest queue holds one item."""
    async def rounds(count):
        queue = asyncio.Queue(places)
        await asyncio.gather(send(queue, count), receiver(queue, count))
    return rounds


def fired():
    raise RuntimeError("a timer fired")


async def timers():
    loop = asyncio.get_running_loop()
    dice = random.Random(1)
    live = [loop.call_later(60 + 60 * dice.random(), fired) for _ in range(LIVE)]

    async def rounds(count):
        for i in range(count):
            loop.call_later(60 + 60 * dice.random(), fired).cancel()
            if i % TURN == 0:
                await asyncio.sleep(0)

    await measure("timer_arm_cancel", "ns", rounds, ROUNDS)
    for handle in live:
        handle.cancel()


async def beside(name, unit, rounds, count, rest=0.0):
    """The same from another thread, in elapsed time, less the rest before each round."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    values = []

    def work():
        pin(1)
        rounds(loop, count // 4)
        for _ in range(REPEATS):
            start = time.perf_counter()
            rounds(loop, count)
            values.append((time.perf_counter() - start) / count - rest)
        loop.call_soon_threadsafe(ended.set)

    pin(0)
    thread = threading.Thread(target=work)
    thread.start()
    await ended.wait()
    thread.join()
    show(name, values, unit)


def post_often(loop, count):
    done = threading.Event()
    executed = []

    for _ in range(count):
        loop.call_soon_threadsafe(executed.append, None)
    loop.call_soon_threadsafe(done.set)
    done.wait()
    if len(executed) != count:
        raise RuntimeError("a message was lost")


def tripping(rest):
    def rounds(loop, count):
        answer = threading.Semaphore(0)
        for _ in range(count):
            end = time.perf_counter() + rest
            while time.perf_counter() < end:
                pass
            loop.call_soon_threadsafe(answer.release)
            answer.acquire()
    return rounds


def job(i):
    return i


async def offload_often(pool, count):
    loop = asyncio.get_running_loop()
    for i in range(count):
        if await loop.run_in_executor(pool, job, i) != i:
            raise RuntimeError("a job was lost")


async def offload(what):
    with ThreadPoolExecutor(THREADS, initializer=pin, initargs=(1,)) as pool:
        pin(0)
        if what == "offload":
            await measure("offload", "us", lambda count: offload_often(pool, count), TRIPS,
                          time.perf_counter)
        else:
            async def many(count):
                await asyncio.gather(*(offload_often(pool, count // FLYING)
                                       for _ in range(FLYING)))
            await measure("offload_many", "ns", many, JOBS, time.perf_counter)


CHOICES = {
    "yield": lambda: measure("yield_2", "ns", yield_by_two, YIELDS),
    "spawn": lambda: measure("spawn_close", "ns", spawn_often, SPAWNS),
    "chan": lambda: measure("chan_item", "ns", passing(receive, 1), ITEMS),
    "timeout": lambda: measure("chan_timeout", "ns", passing(receive_in_time, 1), ITEMS),
    "buffered": lambda: measure("chan_buffered", "ns", passing(receive, BUFFER), ITEMS),
    "timer": timers,
    "post": lambda: beside("post", "ns", post_often, POSTS),
    "trip": lambda: beside("trip", "us", tripping(0.0), TRIPS),
    "trip_rested": lambda: beside("trip", "us", tripping(REST), TRIPS, REST),
    "offload": lambda: offload("offload"),
    "offload_many": lambda: offload("offload_many"),
}


def main():
    arguments = service.parse(what=CHOICES)
    asyncio.run(CHOICES[arguments.what]())


if __name__ == "__main__":
    main()
