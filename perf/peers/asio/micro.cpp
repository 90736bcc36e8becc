// SPDX-License-Identifier: Apache-2.0
/*
 * What micro_thread, micro_offload and micro_timer measure, in Boost.Asio, and by its coroutines
 * what micro_sched and micro_chan do: the same work, the same counts, the same CPUs.
 *
 *	micro_asio post|trip|trip_rested|offload|offload_many|timer [THREADS]
 *	micro_asio yield|spawn|chan|timeout|buffered
 *
 * THREADS of the pool for offload, 4 by default. Channels need Boost 1.80: without them the program
 * says so and exits with 77.
 */
#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <random>
#include <sched.h>
#include <semaphore.h>
#include <thread>
#include <vector>

#if BOOST_VERSION >= 108000
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/experimental/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#define HAS_CHANNELS 1
#else
#define HAS_CHANNELS 0
#endif

namespace asio = boost::asio;

namespace
{

constexpr std::uint64_t window = 16384; // posts that are not executed yet
constexpr std::uint64_t posts = 1000000;
constexpr std::uint64_t trips = 2000;
constexpr std::uint64_t flying = 1000; // jobs at a time
constexpr std::uint64_t jobs = 100000;
constexpr std::uint64_t live_timers = 100000;
constexpr std::uint64_t busy_timers = 1024;
constexpr std::uint64_t timer_rounds = 1000000;
constexpr std::uint64_t yields = 4000000; // in all, over both coroutines
constexpr std::uint64_t spawns = 200000;
constexpr std::uint64_t items = 2000000;
constexpr std::uint64_t waits = 200000;
constexpr std::chrono::microseconds rest(100); // before a trip, so that others fall asleep
constexpr std::size_t repeats = 7;             // measurements whose median is printed; odd

[[noreturn]] void die(const char *what)
{
	std::fprintf(stderr, "%s\n", what);
	std::exit(1);
}

cpu_set_t allowed; // before anybody was pinned

// Keeps the thread on the CPU with this place among those that the process may use.
void pin(int place)
{
	cpu_set_t one;

	place %= CPU_COUNT(&allowed);
	CPU_ZERO(&one);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &allowed) && place-- == 0)
			CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof one, &one) != 0)
		die("sched_setaffinity");
}

bool is_rested;           // a rest before each round, which is taken off
bool is_cpu_time = false; // of the process; else elapsed time

double now_ns()
{
	timespec now;

	clock_gettime(is_cpu_time ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &now);
	return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

// Prints the median time of one of `count` rounds, after some to warm up.
template <typename Rounds>
void measure(const char *name, Rounds rounds, std::uint64_t count, bool is_ns)
{
	std::array<double, repeats> ns;

	rounds(count / 4);
	for (double &value : ns) {
		double start_ns = now_ns();

		rounds(count);
		value = (now_ns() - start_ns) / static_cast<double>(count);
		if (is_rested)
			value -= std::chrono::duration<double, std::nano>(rest).count();
	}
	std::sort(ns.begin(), ns.end());
	std::printf("{\"name\": \"%s\", \"value\": %.4f, \"unit\": \"%s\"}\n", name,
		is_ns ? ns[repeats / 2] : ns[repeats / 2] / 1000, is_ns ? "ns" : "us");
}

asio::io_context io{ 1 };
std::atomic<std::uint64_t> done;

std::uint64_t await_done(std::uint64_t count)
{
	std::uint64_t number;

	while ((number = done.load(std::memory_order_acquire)) < count)
		sched_yield();
	return number;
}

void post_often(std::uint64_t count)
{
	std::uint64_t base = done.load(std::memory_order_relaxed);
	std::uint64_t seen = base;

	for (std::uint64_t i = base; i < base + count; i++) {
		if (i - seen >= window)
			seen = await_done(i - window + 1);
		asio::post(io, [i] {
			if (done.load(std::memory_order_relaxed) != i)
				die("a message was lost");
			done.store(i + 1, std::memory_order_release);
		});
	}
	await_done(base + count);
}

void trip_often(std::uint64_t count)
{
	sem_t answer;

	sem_init(&answer, 0, 0);
	for (std::uint64_t i = 0; i < count; i++) {
		auto end = std::chrono::steady_clock::now() + rest;

		while (is_rested && std::chrono::steady_clock::now() < end)
			continue;
		asio::post(io, [&answer] { sem_post(&answer); });
		sem_wait(&answer);
	}
	sem_destroy(&answer);
}

// Runs `rounds` on another thread while this one runs the io_context.
template <typename Rounds>
void beside(const char *name, Rounds rounds, std::uint64_t count, bool is_ns)
{
	auto guard = asio::make_work_guard(io);
	std::thread thread([&] {
		pin(1);
		measure(name, rounds, count, is_ns);
		guard.reset();
	});

	io.run();
	thread.join();
}

// Jobs on a pool, some chains of them at a time: each is followed by the next of its chain when its
// result has come back to the io_context.
class chains
{
      public:
	explicit chains(std::size_t threads) : pool_(threads)
	{
	}

	void run(std::uint64_t count, std::uint64_t chain_count)
	{
		io.restart();
		left_ = chain_count;
		guard_.emplace(io.get_executor()); // it does not know what the pool has
		for (std::uint64_t i = 0; i < chain_count; i++)
			next(count / chain_count);
		io.run();
	}

      private:
	void next(std::uint64_t job)
	{
		if (job == 0) {
			if (--left_ == 0)
				guard_.reset();
			return;
		}
		asio::post(pool_, [this, job] {
			thread_local bool is_pinned;

			if (!is_pinned)
				pin(1);
			is_pinned = true;
			asio::post(io, [this, job] { next(job - 1); });
		});
	}

	asio::thread_pool pool_;
	std::uint64_t left_ = 0;
	std::optional<asio::executor_work_guard<asio::io_context::executor_type>> guard_;
};

void offload_often(std::size_t threads)
{
	chains chains(threads);

	measure(
		"offload", [&](std::uint64_t count) { chains.run(count, 1); }, trips, false);
}

void offload_many(std::size_t threads)
{
	chains chains(threads);

	measure(
		"offload_many", [&](std::uint64_t count) { chains.run(count, flying); }, jobs,
		true);
}

// Between one minute and two.
std::chrono::milliseconds next_timeout()
{
	static std::mt19937_64 dice;

	return std::chrono::milliseconds(60000 + dice() % 60000);
}

using executor = asio::io_context::executor_type;
using timer = asio::basic_waitable_timer<std::chrono::steady_clock,
	asio::wait_traits<std::chrono::steady_clock>, executor>;

void arm(timer &timer)
{
	timer.expires_after(next_timeout());
	timer.async_wait([](boost::system::error_code err) {
		if (!err)
			die("a timer fired");
	});
}

// The handlers of the cancelled waits are run once for each turn of all that are in use.
void run_timers()
{
	std::vector<timer> live, busy;

	live.reserve(live_timers);
	for (std::uint64_t i = 0; i < live_timers; i++)
		arm(live.emplace_back(io));
	busy.reserve(busy_timers);
	for (std::uint64_t i = 0; i < busy_timers; i++)
		busy.emplace_back(io);
	measure(
		"timer_arm_cancel",
		[&](std::uint64_t count) {
			for (std::uint64_t i = 0; i < count; i++) {
				arm(busy[i % busy_timers]);
				busy[i % busy_timers].cancel();
				if (i % busy_timers == 0)
					io.poll();
			}
		},
		timer_rounds, true);
}

template <typename T = void> using task = asio::awaitable<T, executor>;
constexpr asio::use_awaitable_t<executor> awaitably;

// Runs it, and all that it has spawned, to the end.
void run(task<> main)
{
	io.restart();
	asio::co_spawn(io, std::move(main), [](std::exception_ptr err) {
		if (err)
			die("an exception");
	});
	io.run();
}

task<> yield_often(std::uint64_t count)
{
	for (std::uint64_t i = 0; i < count; i++)
		co_await asio::post(io, awaitably);
}

task<> yield_by_two(std::uint64_t count)
{
	asio::co_spawn(io, yield_often(count / 2), asio::detached);
	co_await yield_often(count / 2);
}

task<> nothing()
{
	co_return;
}

task<> spawn_often(std::uint64_t count)
{
	for (std::uint64_t i = 0; i < count; i++)
		co_await asio::co_spawn(io, nothing(), awaitably);
}

#if HAS_CHANNELS
using channel =
	asio::experimental::channel<executor, void(boost::system::error_code, std::uint64_t)>;

task<> send(channel &channel, std::uint64_t count)
{
	for (std::uint64_t i = 0; i < count; i++)
		co_await channel.async_send({}, i, awaitably);
}

task<> pass(std::uint64_t count, std::size_t buffer)
{
	channel channel(io, buffer);

	asio::co_spawn(io, send(channel, count), asio::detached);
	for (std::uint64_t i = 0; i < count; i++)
		if (co_await channel.async_receive(awaitably) != i)
			die("an item was lost");
}

// Two operations of which the first to end cancels the other, without a coroutine for each.
task<> pass_in_time(std::uint64_t count)
{
	using namespace asio::experimental;
	channel channel(io, 0);
	timer late(io);

	asio::co_spawn(io, send(channel, count), asio::detached);
	for (std::uint64_t i = 0; i < count; i++) {
		late.expires_after(std::chrono::seconds(30));
		auto [order, err, item, late_err] = co_await make_parallel_group(
			channel.async_receive(deferred), late.async_wait(deferred))
							    .async_wait(wait_for_one(), awaitably);
		if (order[0] != 0 || err || item != i)
			die("an item was lost");
	}
}
#endif

// False for a word that is not known.
bool measure_channels(const char *what)
{
	bool is_known = std::strcmp(what, "chan") == 0 || std::strcmp(what, "timeout") == 0 ||
		std::strcmp(what, "buffered") == 0;
#if HAS_CHANNELS
	if (std::strcmp(what, "chan") == 0)
		measure(
			"chan_item", [](auto count) { run(pass(count, 0)); }, items, true);
	else if (std::strcmp(what, "timeout") == 0)
		measure(
			"chan_timeout", [](auto count) { run(pass_in_time(count)); }, waits, true);
	else if (is_known)
		measure(
			"chan_buffered", [](auto count) { run(pass(count, 64)); }, items, true);
#else
	if (is_known) {
		std::fprintf(stderr, "Boost %s has no channels\n", BOOST_LIB_VERSION);
		std::exit(77);
	}
#endif
	return is_known;
}

bool measure_coroutines(const char *what)
{
	is_cpu_time = true;
	if (std::strcmp(what, "yield") == 0)
		measure(
			"yield_2", [](auto count) { run(yield_by_two(count)); }, yields, true);
	else if (std::strcmp(what, "spawn") == 0)
		measure(
			"spawn_close", [](auto count) { run(spawn_often(count)); }, spawns, true);
	else if (std::strcmp(what, "timer") == 0)
		run_timers();
	else
		return measure_channels(what);
	return true;
}

} // namespace

int main(int argc, char **argv)
{
	const char *what = argc >= 2 ? argv[1] : "";
	std::size_t threads = argc >= 3 ? std::strtoul(argv[2], nullptr, 10) : 4;

	if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
		die("sched_getaffinity");
	pin(0);
	if (measure_coroutines(what))
		return 0;
	is_cpu_time = false;
	is_rested = std::strcmp(what, "trip_rested") == 0;
	if (std::strcmp(what, "post") == 0)
		beside("post", post_often, posts, true);
	else if (std::strcmp(what, "trip") == 0 || is_rested)
		beside("trip", trip_often, trips, false);
	else if (std::strcmp(what, "offload") == 0)
		offload_often(threads);
	else if (std::strcmp(what, "offload_many") == 0)
		offload_many(threads);
	else
		die("usage: micro_asio post|trip|trip_rested|offload|offload_many|timer|yield|"
		    "spawn|chan|timeout|buffered [THREADS]");
	return 0;
}
