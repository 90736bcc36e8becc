// SPDX-License-Identifier: Apache-2.0
/*
 * quota.h: how much processor time control groups grant to the process.
 */
#ifndef CORE_QUOTA_H
#define CORE_QUOTA_H

/*
 * The processors' worth of time, rounded up, of the tightest group above the process, in either
 * version of control groups; 0 for no limit, and when it is not known. `root` is put before all
 * paths: "" but in tests.
 */
unsigned soon__quota_cpus(const char *root);

#endif
