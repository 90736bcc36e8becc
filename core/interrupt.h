// SPDX-License-Identifier: Apache-2.0
/*
 * interrupt.h: SIGINT cancels the main task; a second one ends the process.
 *
 * The handler is there while a run is that wants it, and only where the signal had its default
 * meaning. The first SIGINT is posted to core 0 of each such run and cancels its main task. One
 * that comes after it, or after main has ended, is somebody who does not want to wait: the core's
 * thread writes what is in the log and a dump, and the process exits with 130, as a shell expects
 * of who was interrupted.
 *
 * soon_signals_open() puts its own handler in the place of this one for as long as it has SIGINT.
 */
#ifndef CORE_INTERRUPT_H
#define CORE_INTERRUPT_H

#include <soon/thread.h>

#define SOON__INTERRUPT_EXIT 130

/* Runs beyond this number leave SIGINT to the others. */
#define SOON__INTERRUPT_RUNS_MAX 16

/* The run of the calling thread, which is that of core 0, has its main task from now on. */
void soon__interrupt_begin(soon_core *core);

/* That task has ended. */
void soon__interrupt_main_ended(soon_core *core);

/* The run's core is closed; nothing will be posted to it any more. */
void soon__interrupt_end(soon_core *core);

/* In the child of a fork. */
void soon__interrupt_forget(void);

#endif
