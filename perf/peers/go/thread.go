// SPDX-License-Identifier: Apache-2.0

package main

import (
	"runtime"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// What micro_thread measures, between two goroutines that are bound to a thread and a CPU each; and
// what micro_offload measures, in Go's way: a blocking call needs no other thread, a goroutine will
// do, and where it runs is the scheduler's choice.

const (
	window = 16384 // posts that are not executed yet
	posts  = 1000000
	trips  = 2000
	flying = 1000 // jobs at a time
	jobs   = 100000
	rest   = 100 * time.Microsecond // before a trip, longer than Go's scheduler spins
)

type cpuSet [16]uint64

func affinity(call uintptr, set *cpuSet) {
	_, _, errno := syscall.RawSyscall(call, 0, unsafe.Sizeof(*set), uintptr(unsafe.Pointer(set)))
	if errno != 0 {
		panic(errno)
	}
}

var allowed cpuSet // before anybody was pinned

// Keeps the goroutine on a thread, and that on the CPU with this place among those that may be used.
func pin(place int) {
	var cpus []int
	for cpu := 0; cpu < 64*len(allowed); cpu++ {
		if allowed[cpu/64]>>(cpu%64)&1 == 1 {
			cpus = append(cpus, cpu)
		}
	}
	cpu := cpus[place%len(cpus)]
	var one cpuSet
	one[cpu/64] = 1 << (cpu % 64)
	runtime.LockOSThread()
	affinity(syscall.SYS_SCHED_SETAFFINITY, &one)
}

func postOften(messages chan<- uint64, done <-chan bool) func(int) {
	return func(count int) {
		for i := 0; i < count; i++ {
			messages <- uint64(i)
		}
		messages <- 0 // asks whether all the others have come
		<-done
	}
}

// The time of one of count rounds, less the rest before each.
func beside(name string, unit string, rest time.Duration, rounds func(int), count int) {
	ended := make(chan bool)
	go func() {
		pin(1)
		ns := measure(wallNow, rounds, count) - float64(rest)
		if unit == "us" {
			ns /= 1000
		}
		printIn(name, ns, unit)
		close(ended)
	}()
	<-ended
}

func post() {
	messages := make(chan uint64, window)
	done := make(chan bool)
	go func() {
		pin(0)
		next := uint64(0)
		for number := range messages {
			if number == 0 && next != 0 {
				done <- true
				next = 0
				continue
			}
			if number != next {
				panic("a message was lost")
			}
			next++
		}
	}()
	beside("post", "ns", 0, postOften(messages, done), posts)
}

func trip(rest time.Duration) {
	questions := make(chan uint64)
	answers := make(chan uint64)
	go func() {
		pin(0)
		for question := range questions {
			answers <- question
		}
	}()
	beside("trip", "us", rest, func(count int) {
		for i := 0; i < count; i++ {
			for end := wallNow() + rest; wallNow() < end; {
			}
			questions <- uint64(i)
			if <-answers != uint64(i) {
				panic("an answer was lost")
			}
		}
	}, trips)
}

func offloadOften(count int) {
	given := make(chan int)
	for i := 0; i < count; i++ {
		go func() {
			given <- i
		}()
		if <-given != i {
			panic("a job was lost")
		}
	}
}

func offloadMany(count int) {
	var group sync.WaitGroup
	for i := 0; i < flying; i++ {
		group.Add(1)
		go func() {
			offloadOften(count / flying)
			group.Done()
		}()
	}
	group.Wait()
}

func threads(what string) {
	affinity(syscall.SYS_SCHED_GETAFFINITY, &allowed)
	switch what {
	case "post":
		post()
	case "trip":
		trip(0)
	case "trip_rested":
		trip(rest)
	case "offload":
		printIn("offload", measure(wallNow, offloadOften, trips)/1000, "us")
	case "offload_many":
		printIn("offload_many", measure(wallNow, offloadMany, jobs), "ns")
	default:
		usage()
	}
}
