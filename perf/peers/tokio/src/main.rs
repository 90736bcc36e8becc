// SPDX-License-Identifier: Apache-2.0

//! What micro_thread, micro_offload, micro_sched and micro_chan measure, in Tokio: the same work,
//! the same counts, the same CPUs. The runtime is the one of a single thread, so that it is one core
//! that is spoken to.
//!
//!     micro_tokio post|trip|trip_rested|offload|offload_many [THREADS]
//!     micro_tokio yield|spawn|chan|timeout|buffered|timer
//!
//! THREADS of the pool for blocking work, 4 by default.

mod alone;

use std::cell::Cell;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::unbounded_channel;
use tokio::sync::oneshot;

const WINDOW: u64 = 16384; // posts that are not executed yet
const POSTS: u64 = 1_000_000;
const TRIPS: u64 = 2000;
const FLYING: u64 = 1000; // jobs at a time
const JOBS: u64 = 100_000;
const REST: Duration = Duration::from_micros(100); // before a trip, so that others fall asleep
const REPEATS: usize = 7; // measurements whose median is printed; odd

static ALLOWED: AtomicU64 = AtomicU64::new(0); // the CPUs, before anybody was pinned

fn read_allowed() {
    let mut bits = 0;
    unsafe {
        let mut set: libc::cpu_set_t = mem::zeroed();
        assert_eq!(libc::sched_getaffinity(0, mem::size_of_val(&set), &mut set), 0);
        for cpu in 0..64 {
            bits |= u64::from(libc::CPU_ISSET(cpu, &set)) << cpu;
        }
    }
    ALLOWED.store(bits, Ordering::Relaxed);
}

/// Keeps the thread on the CPU with this place among those that the process may use.
fn pin(place: u32) {
    let mut bits = ALLOWED.load(Ordering::Relaxed);
    for _ in 0..place % bits.count_ones() {
        bits &= bits - 1;
    }
    unsafe {
        let mut set: libc::cpu_set_t = mem::zeroed();
        libc::CPU_SET(bits.trailing_zeros() as usize, &mut set);
        assert_eq!(libc::sched_setaffinity(0, mem::size_of_val(&set), &set), 0);
    }
}

/// Prints the median time of one of `count` rounds, after some to warm up.
fn measure(name: &str, unit: &str, count: u64, rounds: impl FnMut(u64)) {
    measure_rested(name, unit, count, Duration::ZERO, rounds)
}

/// The same, less the rest before each round.
fn measure_rested(name: &str, unit: &str, count: u64, rest: Duration, rounds: impl FnMut(u64)) {
    let start = Instant::now();
    measure_by(|| start.elapsed(), name, unit, count, rest, rounds)
}

fn measure_by(
    now: impl Fn() -> Duration,
    name: &str,
    unit: &str,
    count: u64,
    rest: Duration,
    mut rounds: impl FnMut(u64),
) {
    let mut ns = [0.0; REPEATS];
    rounds(count / 4);
    for value in ns.iter_mut() {
        let start = now();
        rounds(count);
        *value = (now() - start).as_nanos() as f64 / count as f64 - rest.as_nanos() as f64;
    }
    ns.sort_by(|a, b| a.partial_cmp(b).unwrap());
    let value = ns[REPEATS / 2] / if unit == "ns" { 1.0 } else { 1000.0 };
    println!("{{\"name\": \"{name}\", \"value\": {value:.4}, \"unit\": \"{unit}\"}}");
}

fn await_done(done: &AtomicU64, count: u64) -> u64 {
    loop {
        let number = done.load(Ordering::Acquire);
        if number >= count {
            return number;
        }
        thread::yield_now();
    }
}

fn post(runtime: &Runtime) {
    let (sender, mut receiver) = unbounded_channel::<u64>();
    let done = Arc::new(AtomicU64::new(0));
    let seen_by_producer = done.clone();
    let producer = thread::spawn(move || {
        let done = seen_by_producer;
        pin(1);
        measure("post", "ns", POSTS, |count| {
            let base = done.load(Ordering::Relaxed);
            let mut seen = base;
            for i in base..base + count {
                if i - seen >= WINDOW {
                    seen = await_done(&done, i - WINDOW + 1);
                }
                sender.send(i).unwrap();
            }
            await_done(&done, base + count);
        });
    });
    runtime.block_on(async {
        let mut next = 0;
        while let Some(number) = receiver.recv().await {
            assert_eq!(number, next, "a message was lost");
            next += 1;
            done.store(next, Ordering::Release);
        }
    });
    producer.join().unwrap();
}

fn trip(runtime: &Runtime, rest: Duration) {
    let (sender, mut receiver) = unbounded_channel::<oneshot::Sender<()>>();
    let traveller = thread::spawn(move || {
        pin(1);
        measure_rested("trip", "us", TRIPS, rest, |count| {
            for _ in 0..count {
                let start = Instant::now();
                while start.elapsed() < rest {}
                let (answer, answered) = oneshot::channel();
                sender.send(answer).unwrap();
                answered.blocking_recv().unwrap();
            }
        });
    });
    runtime.block_on(async {
        while let Some(answer) = receiver.recv().await {
            answer.send(()).unwrap();
        }
    });
    traveller.join().unwrap();
}

thread_local! {
    static IS_PINNED: Cell<bool> = Cell::new(false);
}

async fn offload_often(count: u64) {
    for i in 0..count {
        let given_back = tokio::task::spawn_blocking(move || {
            IS_PINNED.with(|is_pinned| {
                if !is_pinned.replace(true) {
                    pin(1);
                }
            });
            i
        });
        assert_eq!(given_back.await.unwrap(), i, "a job was lost");
    }
}

fn offload(runtime: &Runtime) {
    measure("offload", "us", TRIPS, |count| {
        runtime.block_on(async { tokio::spawn(offload_often(count)).await.unwrap() });
    });
}

fn offload_many(runtime: &Runtime) {
    measure("offload_many", "ns", JOBS, |count| {
        runtime.block_on(async {
            let tasks: Vec<_> =
                (0..FLYING).map(|_| tokio::spawn(offload_often(count / FLYING))).collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
    });
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let threads = arguments.get(2).map_or(4, |text| text.parse().expect("a number of threads"));
    read_allowed();
    pin(0);
    let runtime =
        Builder::new_current_thread().enable_all().max_blocking_threads(threads).build().unwrap();
    match arguments.get(1).map(String::as_str) {
        Some("post") => post(&runtime),
        Some("trip") => trip(&runtime, Duration::ZERO),
        Some("trip_rested") => trip(&runtime, REST),
        Some("offload") => offload(&runtime),
        Some("offload_many") => offload_many(&runtime),
        Some(what) if alone::measure(&runtime, what) => (),
        _ => {
            eprintln!(
                "usage: micro_tokio post|trip|trip_rested|offload|offload_many|\
                 yield|spawn|chan|timeout|buffered|timer [THREADS]"
            );
            std::process::exit(1);
        }
    }
}
