/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inbox.pml: how posts wake a core, as core/inbox.c does it, with the core's sleep from core/core.c.
 *
 * Checked, in all orders:
 *   - assertions: who rings finds a poller that lives; at most one ring for a sleep; a callback runs
 *     only while it is pending; what was accepted has run, after its caller's data was there;
 *   - no state in which nobody can go on, so no wake-up is lost: the core sleeps without a time
 *     limit, and its run ends when all that was accepted has run;
 *   - the formula `answered`: every accepted post is followed by its run, under weak fairness.
 *
 * Left out: the machine's memory, which is sequentially consistent here. explore_inbox.c runs the
 * real source in a weaker one. A weak compare-and-swap may fail for no reason. A handler is a
 * process that stops its host from its first step to its last. The callback's fn is one step.
 *
 * SHARED: the producers post the same callback. HANDLER: 1 one interrupts producer 0, 2 the core.
 * ENDS: the run may end at any time, so that posts are refused. MUTANT: something is done wrong, and
 * has to be found.
 */
#ifndef MUTANT
#define MUTANT 0
#endif
#ifndef HANDLER
#define HANDLER 0
#endif
#ifndef POSTS
#define POSTS 1		/* of each producer */
#endif
#ifndef PRODUCERS
#define PRODUCERS 2
#endif
#define CALLBACKS 3	/* one each of two producers and the handler */

#define AWAKE 0
#define ASLEEP 1
#define CLOSED 2
#define PARKED 3
#define WORD(c) (4 + (c))
#define IS_CHAIN(word) ((word) > PARKED)

byte head = AWAKE;
byte link[CALLBACKS];	/* the word of the older one; 0: none */
bool pending[CALLBACKS];
byte rung, bells;

/* The poller and the futex. */
bool has_poller = true;
bool is_rung;
bool is_parked;

/* The books. */
byte written[CALLBACKS];	/* posts whose data is there */
byte seen[CALLBACKS];		/* of those, what the last run knew of */
byte accepted[CALLBACKS];	/* the last accepted one */
byte refused[CALLBACKS];
byte sleeps, rings;
byte posters = PRODUCERS;	/* that have not ended */
byte timeouts = 1;		/* sleeps that may end by themselves */
bool is_host_there = true;
byte host, stopped;		/* whom the handler interrupts, and while it does */

inline ring(mark) {
	if
	:: mark == ASLEEP ->
		assert(has_poller);
		atomic { is_rung = true; rings++; assert(rings <= sleeps) };
		assert(has_poller);
		rung++
	:: mark == PARKED ->
		atomic { is_parked = false; rings++; assert(rings <= sleeps) }
	fi
}

/* soon_post(); the variables are the caller's, who is named by them in a trail. */
inline post(c, was, word, mine) {
	atomic { written[c]++; mine = written[c] };
	atomic { was = pending[c]; pending[c] = true };
	if
	:: was -> atomic { accepted[c] = (mine > accepted[c] -> mine : accepted[c]) }
	:: else ->
		word = head;
		do
		:: word == CLOSED ->
			atomic { pending[c] = false; refused[c]++; break }
		:: word != CLOSED ->
			link[c] = (IS_CHAIN(word) -> word : 0);
			if
			:: atomic {
				head == word ->
				head = WORD(c);
				accepted[c] = (mine > accepted[c] -> mine : accepted[c])
			   };
			   break
			:: atomic { head != word -> word = head }
			:: word = head	/* for no reason */
			fi
		od;
		if
#if MUTANT == 1	/* nobody rings */
		:: word == PARKED -> ring(word)
#else
		:: word == ASLEEP || word == PARKED -> ring(word)
#endif
		:: else
		fi
	fi
}

proctype producer(byte me) provided (stopped != _pid) {
	bool was; byte word, mine, left = POSTS, c;

	do
	:: left > 0 ->
		c = me;
#ifdef SHARED
		c = 0;
#endif
		post(c, was, word, mine);
		left--
	:: left == 0 -> break
	od;
	atomic { posters--; if :: HANDLER == 1 && me == 0 -> is_host_there = false :: else fi }
}

/* Comes once or never: its first step is to stop its host. */
proctype handler() {
	bool was; byte word, mine, c = 2;

#ifdef SHARED
	c = 0;
#endif
end:	atomic { is_host_there -> stopped = host };
	post(c, was, word, mine);
	stopped = 0
}

#define ANSWERED(c) (seen[c] >= accepted[c])

/* Turns the chain round and runs it; the fn is the last step of each. */
inline run_chain() {
	d_step {
		turned = 0;
		do
		:: IS_CHAIN(word) -> older = link[word - 4]; link[word - 4] = turned; turned = word; word = older
		:: else -> break
		od;
		taken = turned; turned = 0; older = 0; word = 0
	};
	do
	:: taken != 0 ->
		word = taken - 4;
		taken = link[word];
#if MUTANT == 5	/* the fn first, then the end of pending */
		seen[word] = written[word];
		pending[word] = false
#else
		atomic { assert(pending[word]); pending[word] = false; seen[word] = written[word] }
#endif
	:: taken == 0 -> word = 0; break
	od
}

proctype core() provided (stopped != _pid) {
	byte word, taken, older, turned, mark;

	do
	:: atomic { posters == 0 && ANSWERED(0) && ANSWERED(1) && ANSWERED(2) -> break }
#ifdef ENDS
	:: break
#endif
	:: !(posters == 0 && ANSWERED(0) && ANSWERED(1) && ANSWERED(2)) ->
		if
		:: !IS_CHAIN(head) ->
			/* soon__inbox_prepare_sleep(), and the sleep. */
			if
			:: mark = ASLEEP
			:: mark = PARKED
			fi;
			if
#if MUTANT == 3	/* a look and a mark in two steps */
			:: head == AWAKE; atomic { head = mark; sleeps++ };
#else
			:: atomic { head == AWAKE -> head = mark; sleeps++ };
#endif
				if
				:: mark == ASLEEP ->
					if
					:: is_rung
					:: atomic { timeouts > 0 -> timeouts-- }
					:: posters == 0 && ANSWERED(0) && ANSWERED(1) && ANSWERED(2)
					fi
				:: mark == PARKED ->
					atomic { is_parked = (head == PARKED) };
					if
					:: !is_parked
					:: atomic { timeouts > 0 -> timeouts--; is_parked = false }
					:: posters == 0 && ANSWERED(0) && ANSWERED(1) && ANSWERED(2)
					fi
				fi;
				is_rung = false;
				/* soon__inbox_awake() */
				atomic {
					if
					:: head == mark -> head = AWAKE
					:: else -> assert(IS_CHAIN(head)); bells = bells + (mark == ASLEEP -> 1 : 0)
					fi
				}
			:: head != AWAKE -> assert(IS_CHAIN(head))
			fi
		:: IS_CHAIN(head)
		fi;
		/* soon__inbox_drain() */
#if MUTANT == 4	/* what is taken is not exchanged */
		word = head; head = AWAKE;
#else
		atomic { word = head; head = AWAKE };
#endif
		run_chain()
	od;
	/* soon__inbox_close() */
	atomic { word = head; head = CLOSED };
	run_chain();
#if MUTANT != 2	/* the close does not wait for who rings */
	rung == bells;
#endif
	atomic { has_poller = false; if :: HANDLER == 2 -> is_host_there = false :: else fi }
}

/* At the end: what was accepted has run. */
proctype judge() {
	byte c;

	posters == 0 && !has_poller && stopped == 0;
	for (c : 0 .. CALLBACKS - 1) {
#ifdef SHARED
		/* But for one that was found pending by whom it was accepted, and refused to whom it was. */
		assert(ANSWERED(c) || refused[c] > 0);
#else
		assert(ANSWERED(c));
#endif
		assert(!pending[c])
	}
}

init {
	atomic {
		host = run core();
#if HANDLER == 1
		host = run producer(0);
#else
		run producer(0);
#endif
#if PRODUCERS > 1
		run producer(1);
#endif
#if HANDLER > 0
		run handler();
#endif
		run judge()
	}
}

ltl answered { [] ((accepted[0] > seen[0]) -> <> (seen[0] >= accepted[0] || refused[0] > 0)) }
