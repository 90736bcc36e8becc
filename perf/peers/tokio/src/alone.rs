// SPDX-License-Identifier: Apache-2.0

//! What tasks of one thread do among themselves, in CPU time.

use super::measure_by;
use std::future::Future;
use std::mem;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{channel, Receiver, Sender};
use tokio::time::{sleep, timeout};

const YIELDS: u64 = 4_000_000; // in all, over both tasks
const SPAWNS: u64 = 200_000;
const ITEMS: u64 = 2_000_000;
const LIVE: u64 = 100_000; // timers that are armed all the time
const ROUNDS: u64 = 1_000_000;
const MINUTE_MS: u64 = 60_000;
const SEED: u64 = 88172645463325252;

fn cpu_time() -> Duration {
    let mut now: libc::timespec = unsafe { mem::zeroed() };
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut now) }, 0);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// Prints what one of `count` rounds of a future takes that is run as a task.
fn print<F>(runtime: &Runtime, name: &str, count: u64, rounds: impl Fn(u64) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    measure_by(cpu_time, name, "ns", count, Duration::ZERO, |count| {
        runtime.block_on(async { tokio::spawn(rounds(count)).await.unwrap() })
    });
}

async fn yield_often(count: u64) {
    for _ in 0..count {
        tokio::task::yield_now().await;
    }
}

async fn yield_by_two(count: u64) {
    let other = tokio::spawn(yield_often(count / 2));
    yield_often(count / 2).await;
    other.await.unwrap();
}

async fn spawn_often(count: u64) {
    for _ in 0..count {
        tokio::spawn(async {}).await.unwrap();
    }
}

async fn send(sender: Sender<u64>, count: u64) {
    for i in 0..count {
        sender.send(i).await.unwrap();
    }
}

async fn receive(mut receiver: Receiver<u64>, count: u64) {
    for i in 0..count {
        assert_eq!(receiver.recv().await, Some(i), "an item was lost");
    }
}

async fn receive_in_time(mut receiver: Receiver<u64>, count: u64) {
    for i in 0..count {
        let item = timeout(Duration::from_secs(30), receiver.recv()).await;
        assert_eq!(item, Ok(Some(i)), "an item was lost");
    }
}

/// Tokio's smallest channel holds one item.
async fn pass(count: u64, buffer: usize) {
    let (sender, receiver) = channel(buffer);
    tokio::spawn(send(sender, count));
    receive(receiver, count).await;
}

async fn pass_in_time(count: u64) {
    let (sender, receiver) = channel(1);
    tokio::spawn(send(sender, count));
    receive_in_time(receiver, count).await;
}

/// xorshift64; between one minute and two.
fn next_timeout(state: &mut u64) -> Duration {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    Duration::from_millis(MINUTE_MS + *state % MINUTE_MS)
}

/// A timer is armed when it is first polled, here before what is ready at once, and cancelled when
/// it is dropped.
async fn arm_and_cancel(count: u64) {
    let mut state = SEED;
    for _ in 0..count {
        tokio::select! {
            biased;
            () = sleep(next_timeout(&mut state)) => panic!("a timer fired"),
            () = async {} => (),
        }
    }
}

fn timers(runtime: &Runtime) {
    let mut state = SEED;
    runtime.block_on(async {
        for _ in 0..LIVE {
            tokio::spawn(sleep(next_timeout(&mut state)));
        }
        tokio::task::yield_now().await;
    });
    print(runtime, "timer_arm_cancel", ROUNDS, arm_and_cancel);
}

/// False for a word that is not known.
pub fn measure(runtime: &Runtime, what: &str) -> bool {
    match what {
        "yield" => print(runtime, "yield_2", YIELDS, yield_by_two),
        "spawn" => print(runtime, "spawn_close", SPAWNS, spawn_often),
        "chan" => print(runtime, "chan_item", ITEMS, |count| pass(count, 1)),
        "timeout" => print(runtime, "chan_timeout", ITEMS, pass_in_time),
        "buffered" => print(runtime, "chan_buffered", ITEMS, |count| pass(count, 64)),
        "timer" => timers(runtime),
        _ => return false,
    }
    true
}
