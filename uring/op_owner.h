// SPDX-License-Identifier: Apache-2.0
/* op_owner.h: where op.c and cancel.c tell the engines; included by op.h only. */
#ifndef URING_OP_OWNER_H
#define URING_OP_OWNER_H

struct soon__io;
struct soon__op;

/* The owners' sides, told by op.c. `ended` comes after the last event, when the state is IDLE. */
void soon__acceptor_event(struct soon__op *op, int res, uint32_t flags);
void soon__acceptor_ended(struct soon__op *op);
void soon__receiver_event(struct soon__op *op, int res, uint32_t flags);
void soon__receiver_ended(struct soon__op *op);
void soon__sender_event(struct soon__op *op, int res);
void soon__sender_ended(struct soon__op *op);

/* Wakes one acceptor that ran out of descriptors. Called after each close. */
void soon__acceptor_retry(struct soon__io *io);

/* Ends those that pause in order to accept from `fd`, which is being closed. */
void soon__acceptors_close(struct soon__io *io, int fd);

/* Starts receivers that wait for a buffer, as many as there are buffers. */
void soon__receivers_feed(struct soon__io *io);

/* Ends those that wait for a buffer in order to read from `fd`, which is being closed. */
void soon__receivers_close(struct soon__io *io, int fd);

/* Closes what is left of handles for signals. */
void soon__signals_restore(struct soon__io *io);

#endif
