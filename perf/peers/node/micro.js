// SPDX-License-Identifier: Apache-2.0
'use strict';
// What micro_sched, micro_timer and micro_thread measure, in Node: the same work, with smaller counts
// where it takes longer. A thread is a Worker, and what it posts are messages to the main thread.
//
//	node micro.js yield|spawn|timer|post|trip|trip_rested

const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');

const REPEATS = 7; // measurements whose median is printed; odd
const YIELDS = 2e6; // in all, over both functions
const SPAWNS = 2e5;
const LIVE = 1e5; // timers that are armed all the time
const BUSY = 1024;
const ROUNDS = 2e5;
const WINDOW = 16384; // posts that are not executed yet
const POSTS = 1e5;
const TRIPS = 1000;
const REST_NS = 100000n; // before a trip, so that others fall asleep

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];

const show = (name, ns, unit) => console.log(
  JSON.stringify({ name, value: unit === 'us' ? ns / 1000 : ns, unit }));

const cpuNs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1000;
};

async function measure(name, rounds, count) {
  const values = [];
  await rounds(count / 4);
  for (let i = 0; i < REPEATS; i++) {
    const start = cpuNs();
    await rounds(count);
    values.push((cpuNs() - start) / count);
  }
  show(name, median(values), 'ns');
}

// Others that are ready come first; it does not wait for a turn of the loop, as setImmediate() does.
async function yieldOften(count) {
  for (let i = 0; i < count; i++) await null;
}

const yieldByTwo = (count) => Promise.all([yieldOften(count / 2), yieldOften(count / 2)]);

async function nothing() {}

async function spawnOften(count) {
  for (let i = 0; i < count; i++) await nothing();
}

const fired = () => {
  throw new Error('a timer fired');
};

const nextTimeout = () => 60000 + Math.floor(Math.random() * 60000);

async function timers() {
  const live = Array.from({ length: LIVE }, () => setTimeout(fired, nextTimeout()));
  const busy = new Array(BUSY);
  await measure('timer_arm_cancel', (count) => {
    for (let i = 0; i < count; i++) {
      busy[i % BUSY] = setTimeout(fired, nextTimeout());
      clearTimeout(busy[i % BUSY]);
    }
  }, ROUNDS);
  live.forEach(clearTimeout);
}

// The worker's side. shared[0] is what the main thread has executed.

function awaitDone(shared, count) {
  for (let done; (done = Atomics.load(shared, 0)) < count;) Atomics.wait(shared, 0, done);
}

function postOften(shared, count) {
  const base = Atomics.load(shared, 0);
  for (let i = 0; i < count; i++) {
    if (i % WINDOW === 0) awaitDone(shared, base + i);
    parentPort.postMessage(base + i);
  }
  awaitDone(shared, base + count);
}

function tripOften(shared, count, restNs) {
  for (let i = 0; i < count; i++) {
    const end = process.hrtime.bigint() + restNs;
    while (restNs && process.hrtime.bigint() < end);
    const base = Atomics.load(shared, 0);
    parentPort.postMessage(base);
    awaitDone(shared, base + 1);
  }
}

function work({ what, shared }) {
  const restNs = what === 'trip_rested' ? REST_NS : 0n;
  const [name, unit, count, rounds] = what === 'post'
    ? ['post', 'ns', POSTS, (count) => postOften(shared, count)]
    : ['trip', 'us', TRIPS, (count) => tripOften(shared, count, restNs)];
  const values = [];
  rounds(count / 4);
  for (let i = 0; i < REPEATS; i++) {
    const start = process.hrtime.bigint();
    rounds(count);
    values.push(Number(process.hrtime.bigint() - start) / count - Number(restNs));
  }
  parentPort.postMessage({ name, ns: median(values), unit });
  parentPort.close();
}

// The main thread's: counts, in order.
function beside(what) {
  const shared = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(__filename, { workerData: { what, shared } });
  worker.on('message', (message) => {
    if (typeof message === 'object') {
      show(message.name, message.ns, message.unit);
      return;
    }
    if (message !== shared[0]) throw new Error('a message was lost');
    Atomics.store(shared, 0, message + 1);
    Atomics.notify(shared, 0);
  });
}

const choices = {
  yield: () => measure('yield_2', yieldByTwo, YIELDS),
  spawn: () => measure('spawn_close', spawnOften, SPAWNS),
  timer: timers,
  post: () => beside('post'),
  trip: () => beside('trip'),
  trip_rested: () => beside('trip_rested'),
};

if (!isMainThread) {
  work(workerData);
} else if (choices[process.argv[2]]) {
  choices[process.argv[2]]();
} else {
  console.error(`usage: micro.js ${Object.keys(choices).join('|')}`);
  process.exit(1);
}
