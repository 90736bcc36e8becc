// SPDX-License-Identifier: Apache-2.0
/*
 * What micro_thread and micro_offload measure, in Boost.Asio: the same work, the same counts, the
 * same CPUs.
 *
 *	micro_asio post|trip|trip_rested|offload|offload_many [THREADS]
 *
 * THREADS of the pool for offload, 4 by default.
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
#include <sched.h>
#include <semaphore.h>
#include <thread>

namespace asio = boost::asio;

namespace
{

constexpr std::uint64_t window = 16384; // posts that are not executed yet
constexpr std::uint64_t posts = 1000000;
constexpr std::uint64_t trips = 2000;
constexpr std::uint64_t flying = 1000; // jobs at a time
constexpr std::uint64_t jobs = 100000;
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

bool is_rested; // a rest before each round, which is taken off

// Prints the median time of one of `count` rounds, after some to warm up.
template <typename Rounds>
void measure(const char *name, Rounds rounds, std::uint64_t count, bool is_ns)
{
	std::array<double, repeats> ns;

	rounds(count / 4);
	for (double &value : ns) {
		auto start = std::chrono::steady_clock::now();

		rounds(count);
		value = std::chrono::duration<double, std::nano>(
				std::chrono::steady_clock::now() - start)
				.count() /
			static_cast<double>(count);
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

} // namespace

int main(int argc, char **argv)
{
	const char *what = argc >= 2 ? argv[1] : "";
	std::size_t threads = argc >= 3 ? std::strtoul(argv[2], nullptr, 10) : 4;

	if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
		die("sched_getaffinity");
	pin(0);
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
		die("usage: micro_asio post|trip|trip_rested|offload|offload_many [THREADS]");
	return 0;
}
