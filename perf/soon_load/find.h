// SPDX-License-Identifier: Apache-2.0
/*
 * The highest rate that keeps the thresholds: doubled until one does not, then halved between both
 * until they are 5 % apart, then confirmed by a run of twice the time.
 */
#ifndef SOON_LOAD_FIND_H
#define SOON_LOAD_FIND_H

#include "run.h"

/*
 * Looks between the rates of the plan, which is changed. `outcome` is that of the confirming run,
 * or of the last one. Prints each step on stdout unless the plan is quiet.
 * Returns 0; -ERANGE when not even the lowest rate is kept; as run_plan.
 */
int find_max(struct plan *plan, struct outcome *outcome, double *ret_rate);

#endif
