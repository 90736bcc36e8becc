// SPDX-License-Identifier: Apache-2.0

// Micro measures in Go what soon's micro benchmarks of the same names measure: the same work,
// the same counts, the same output. With one processor it is CPU time, as there; with two, and
// between threads, it is elapsed time, because then part of the work is done beside the rest.
//
//	micro_go 1|2|yield|spawn|chan|timeout|buffered|timer
//	micro_go post|trip|trip_rested|offload|offload_many
package main

import (
	"fmt"
	"os"
	"runtime"
	"sort"
	"sync"
	"syscall"
	"time"
)

const (
	repeats = 7 // measurements whose median is printed; odd
	items   = 2000000
	selects = 1000000
	locks   = 4000000
	spawns  = 200000
	ways    = 8
	yields  = 4000000 // in all, over both goroutines
	buffer  = 64
)

func cpuNow() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

var start = time.Now()

func wallNow() time.Duration {
	return time.Since(start)
}

// The median time of one of count rounds, after some to warm up, in nanoseconds.
func measure(now func() time.Duration, rounds func(int), count int) float64 {
	var ns [repeats]float64
	rounds(count / 4)
	for i := range ns {
		begin := now()
		rounds(count)
		ns[i] = float64(now()-begin) / float64(count)
	}
	sort.Float64s(ns[:])
	return ns[repeats/2]
}

func send(items chan<- uint64, count int) {
	for i := 0; i < count; i++ {
		items <- uint64(i)
	}
}

func pass(items chan uint64, count int) {
	go send(items, count)
	for i := 0; i < count; i++ {
		if <-items != uint64(i) {
			panic("an item was lost")
		}
	}
}

func passItems(count int) {
	pass(make(chan uint64), count)
}

func passBuffered(count int) {
	pass(make(chan uint64, buffer), count)
}

func fillWays() [ways]chan uint64 {
	var c [ways]chan uint64
	for i := range c {
		c[i] = make(chan uint64, 2)
		c[i] <- 1
	}
	return c
}

func selectOften(count int) {
	c := fillWays()
	for i := 0; i < count; i++ {
		select {
		case item := <-c[0]:
			c[0] <- item
		case item := <-c[1]:
			c[1] <- item
		case item := <-c[2]:
			c[2] <- item
		case item := <-c[3]:
			c[3] <- item
		case item := <-c[4]:
			c[4] <- item
		case item := <-c[5]:
			c[5] <- item
		case item := <-c[6]:
			c[6] <- item
		case item := <-c[7]:
			c[7] <- item
		}
	}
}

func sendOften(count int) {
	c := fillWays()
	for i := 0; i < count; i++ {
		c[i%ways] <- <-c[i%ways]
	}
}

var mutex sync.Mutex

func lockOften(count int) {
	for i := 0; i < count; i++ {
		mutex.Lock()
		mutex.Unlock()
	}
}

func spawnAndJoin(count int) {
	for i := 0; i < count; i++ {
		var group sync.WaitGroup
		group.Add(1)
		go func() {
			group.Done()
		}()
		group.Wait()
	}
}

func yieldOften(count int) {
	var group sync.WaitGroup
	for task := 0; task < 2; task++ {
		group.Add(1)
		go func() {
			for i := 0; i < count/2; i++ {
				runtime.Gosched()
			}
			group.Done()
		}()
	}
	group.Wait()
}

func printIn(name string, value float64, unit string) {
	fmt.Printf("{\"name\": \"%s\", \"value\": %.4f, \"unit\": \"%s\"}\n", name, value, unit)
}

func print(name string, ns float64) {
	printIn(name, ns, "ns")
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: micro_go 1|2|yield|spawn|chan|timeout|buffered|timer|"+
		"post|trip|trip_rested|offload|offload_many")
	os.Exit(1)
}

// All that one processor is asked for with "1", in Go's own words.
func one() {
	print("go_item", measure(cpuNow, passItems, items))
	both := measure(cpuNow, sendOften, selects)
	print("go_select_8", measure(cpuNow, selectOften, selects)-both/2)
	print("go_mutex", measure(cpuNow, lockOften, locks))
	print("go_spawn", measure(cpuNow, spawnAndJoin, spawns))
}

// On one processor, in CPU time. False for a word that is not known.
func alone(what string) bool {
	switch what {
	case "1":
		one()
	case "yield":
		print("yield_2", measure(cpuNow, yieldOften, yields))
	case "spawn":
		print("spawn_close", measure(cpuNow, spawnAndJoin, spawns))
	case "chan":
		print("chan_item", measure(cpuNow, passItems, items))
	case "timeout":
		print("chan_timeout", measure(cpuNow, passInTime, items))
	case "buffered":
		print("chan_buffered", measure(cpuNow, passBuffered, items))
	case "timer":
		timers()
	default:
		return false
	}
	return true
}

func main() {
	if len(os.Args) != 2 {
		usage()
	}
	runtime.GOMAXPROCS(1)
	if alone(os.Args[1]) {
		return
	}
	runtime.GOMAXPROCS(2)
	if os.Args[1] == "2" {
		print("go_item", measure(wallNow, passItems, items))
		return
	}
	threads(os.Args[1])
}
