/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spin.pml: a core that looks for a while before it sleeps, so with its inbox still AWAKE.
 *
 * The look changes nothing that a producer can see: what ends it is found by the look, or by the
 * compare-and-swap that announces the sleep. Checked: nobody rings a core that looks; no post is
 * left behind when the look ends just as it comes, which is a state in which nobody can go on; and
 * an idle core sleeps: from some point on it does not look any more (`quiet`).
 *
 * Posts are a counter here, since inbox.pml has the list. The look ends after LOOKS turns.
 *
 * MUTANT: 1 the core sleeps after its last look without asking the word again; 2 it announces its
 * sleep before it looks, so it is rung awake, and takes that back by a blind store.
 */
#ifndef MUTANT
#define MUTANT 0
#endif
#define PRODUCERS 2
#define LOOKS 2

#define AWAKE 0
#define ASLEEP 1
#define POSTED 2	/* there is a chain */

byte head = AWAKE;
byte posts;	/* in the chain */
byte ran;
bool is_rung;
bool is_looking, has_slept;
byte rings, sleeps;

proctype producer() {
	byte before;

	/* The push, whose result says whether somebody sleeps. */
	atomic { before = head; head = POSTED; posts++ };
	if
	:: before == ASLEEP -> atomic { rings++; assert(rings <= sleeps); is_rung = true }
	:: else
	fi
}

proctype core() {
	byte looks;

	do
	:: ran == PRODUCERS -> break
	:: ran < PRODUCERS ->
		looks = LOOKS;
#if MUTANT == 2
		if
		:: atomic { head == AWAKE -> head = ASLEEP; sleeps++ }
		:: head == POSTED
		fi;
#endif
		is_looking = true;
		do
		:: head == POSTED || looks == 0 -> break
		:: head != POSTED && looks > 0 -> looks--
		od;
		is_looking = false;
		if
#if MUTANT == 1
		:: looks == 0 -> head = ASLEEP; sleeps++; is_rung; is_rung = false
#elif MUTANT == 2
		:: looks == 0 -> if :: is_rung -> is_rung = false fi; head = AWAKE
#else
		:: atomic { head == AWAKE -> head = ASLEEP; sleeps++ };
			is_rung;
			is_rung = false
#endif
		:: head == POSTED
		fi;
		atomic {
			if
			:: head == POSTED -> head = AWAKE; ran = ran + posts; posts = 0
			:: else -> head = AWAKE
			fi
		}
	od
}

init {
	atomic { run core(); run producer(); run producer() }
}

ltl quiet { <> [] !is_looking }
