/* SPDX-License-Identifier: Apache-2.0 */
/*
 * future.pml: a future that is set while tasks wait for it, are cancelled, and end it.
 *
 * The setter takes all waiters under the lock and wakes them afterwards, without touching the
 * future. Whoever is last to have the result ends it at once, so the future may be gone while others
 * are still being woken. A cancel takes its waiter out of the list if it is still there, and else
 * waits for its end. Checked: nobody touches a future that was ended, nor a waiter whose frame is
 * gone; everybody gets the result, or leaves by a cancel that came before it; no wake-up is lost.
 *
 * Left out: the memory order; the lock is one step where nobody waits inside; threads and tasks are
 * alike, since both sleep until their waiter is woken.
 *
 * MUTANT: 1 the setter reads the list after it has unlocked; 2 a cancel leaves without looking
 * whether its waiter was taken; 3 a waiter enlists without looking whether it was set.
 */
#ifndef MUTANT
#define MUTANT 0
#endif
#define WAITERS 3

bool is_set, is_there = true;
bool is_listed[WAITERS];
bool has_frame[WAITERS];
bool is_woken[WAITERS];
byte left = WAITERS;	/* that may still touch the future */

proctype setter() {
	bool taken[WAITERS];
	byte i;

	atomic {
		assert(is_there);
#if MUTANT != 1
		for (i : 0 .. WAITERS - 1) { taken[i] = is_listed[i]; is_listed[i] = false }
#endif
		is_set = true	/* the last touch */
	};
#if MUTANT == 1
	atomic {
		assert(is_there);
		for (i : 0 .. WAITERS - 1) { taken[i] = is_listed[i]; is_listed[i] = false }
	};
#endif
	i = 0;
	do
	:: i < WAITERS && taken[i] -> atomic { assert(has_frame[i]); is_woken[i] = true; i++ }
	:: i < WAITERS && !taken[i] -> i++
	:: i == WAITERS -> break
	od
}

proctype waiter(byte me) {
	bool has_left, was_set;

	has_frame[me] = true;
	assert(is_there);
	if
	:: is_set
	:: !is_set ->
		atomic {
			assert(is_there);
#if MUTANT == 3
			is_listed[me] = true
#else
			was_set = is_set;
			is_listed[me] = !was_set
#endif
		};
		if
		:: was_set
		:: !was_set ->
			if
			:: is_woken[me]
			:: me > 0 ->
				/* A cancel, of all but one; only the lock is touched, which is not the future's. */
				atomic { has_left = is_listed[me]; is_listed[me] = false };
				if
				:: has_left -> assert(!is_woken[me])
#if MUTANT == 2
				:: !has_left
#else
				:: !has_left -> is_woken[me]
#endif
				fi
			fi
		fi
	fi;
	has_frame[me] = false;
	/* By their own means they know who is the last; who was cancelled tries again, and finds it. */
	if
	:: has_left -> is_set
	:: !has_left
	fi;
	atomic { left--; if :: left == 0 -> is_there = false :: else fi }
}

init {
	atomic { run setter(); run waiter(0); run waiter(1); run waiter(2) };
	!is_there
}
