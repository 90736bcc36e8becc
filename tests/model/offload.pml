/* SPDX-License-Identifier: Apache-2.0 */
/*
 * offload.pml: who gets a job, a thread or the cancel of the task that waits for it.
 *
 * A job lies in the task's frame. Its slot decides by one exchange: the thread that takes it out runs
 * it and posts its end; the cancel that replaces it by a mark takes the frame away at once. Checked:
 * a job runs once or never; never when its cancel was DONE, and then nobody touches the frame, which
 * is gone; otherwise its end is posted and the task goes on (else nobody could). Tickets of the
 * semaphore are as many as slots filled, and which thread gets which does not matter.
 *
 * Left out: the memory order, the FIFO for jobs without a slot, the start and the end of threads.
 *
 * MUTANT: 1 the thread looks and then takes, in two steps; 2 the cancel looks and then marks; 3 a
 * cancel that lost lets the frame go all the same.
 */
#ifndef MUTANT
#define MUTANT 0
#endif
#define JOBS 2
#define THREADS 2

#define FREE 0
#define WITHDRAWN 255
#define JOB(i) ((i) + 1)

byte slot[JOBS];
byte tail;	/* of the ring: where the next job goes */
byte next;	/* and where the next comes from */
byte tickets;
bool has_frame[JOBS], was_run[JOBS], is_posted[JOBS], is_done[JOBS];
byte ended;

proctype thread() {
	byte at, job;

end:	do
	:: atomic { tickets > 0 -> tickets-- };
		atomic { at = next; next++ };
#if MUTANT == 1
		job = slot[at];
		slot[at] = FREE;
#else
		atomic { job = slot[at]; slot[at] = FREE };
#endif
		if
		:: job == WITHDRAWN
		:: job != WITHDRAWN ->
			job--;
			atomic { assert(has_frame[job]); assert(!was_run[job]); was_run[job] = true };
			atomic { assert(has_frame[job]); is_posted[job] = true }
		fi
	od
}

proctype task(byte me) {
	byte seen, at;

	has_frame[me] = true;
	atomic { at = tail; tail++; slot[at] = JOB(me) };
	tickets++;
	if
	:: is_posted[me]
	:: true ->
		/* A cancel, at any time. */
#if MUTANT == 2
		seen = slot[at];
		if :: seen == JOB(me) -> slot[at] = WITHDRAWN :: else fi;
#else
		atomic { seen = slot[at]; if :: seen == JOB(me) -> slot[at] = WITHDRAWN :: else fi };
#endif
		if
		:: seen == JOB(me) -> is_done[me] = true
#if MUTANT == 3
		:: seen != JOB(me)
#else
		:: seen != JOB(me) -> is_posted[me]
#endif
		fi
	fi;
	atomic { assert((is_done[me] && !was_run[me]) || (!is_done[me] && was_run[me] && is_posted[me])); has_frame[me] = false; ended++ }
}

init {
	atomic {
		run thread();
		run thread();
		run task(0);
		run task(1)
	};
	/* Nobody waits for ever, and no withdrawn job runs later. */
	ended == JOBS
}
