// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math/rand"
	"time"
)

// What micro_timer measures, and a receive with a deadline.

const (
	live   = 100000 // timers that are armed all the time
	busy   = 1024
	rounds = 1000000
)

// Between one minute and two.
func nextTimeout(dice *rand.Rand) time.Duration {
	return time.Minute + time.Duration(dice.Int63n(int64(time.Minute)))
}

func timers() {
	dice := rand.New(rand.NewSource(1))
	all := make([]*time.Timer, live)
	for i := range all {
		all[i] = time.NewTimer(nextTimeout(dice))
	}
	used := make([]*time.Timer, busy)
	for i := range used {
		used[i] = time.NewTimer(nextTimeout(dice))
		used[i].Stop()
	}
	print("timer_arm_cancel", measure(cpuNow, func(count int) {
		for i := 0; i < count; i++ {
			timer := used[i%busy]
			timer.Reset(nextTimeout(dice))
			timer.Stop()
		}
	}, rounds))
	if !all[0].Stop() {
		panic("a timer fired")
	}
}

// One timer for all receives, as it is told not to make one for each.
func passInTime(count int) {
	meet := make(chan uint64)
	go send(meet, count)
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	for i := 0; i < count; i++ {
		timer.Reset(30 * time.Second)
		select {
		case item := <-meet:
			if item != uint64(i) {
				panic("an item was lost")
			}
		case <-timer.C:
			panic("too late")
		}
		timer.Stop()
	}
}
