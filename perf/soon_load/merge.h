// SPDX-License-Identifier: Apache-2.0
#ifndef SOON_LOAD_MERGE_H
#define SOON_LOAD_MERGE_H

/*
 * soon-load merge A.json B.json ... [-o C.json]: results of generators that ran at the same time as
 * one. Counts and rates are added up, histograms merged without loss. Returns the exit status.
 */
int merge_main(int argc, char **argv);

#endif
