# SPDX-License-Identifier: Apache-2.0
"""How sure a median is, and what may be said of a ratio."""

import random
import statistics

RESAMPLES = 4000
COVERED = 0.95
SAMPLES_MIN = 5  # with fewer, resampling says less than the least and the greatest do


def interval(samples):
    """
    The interval of the median: percentiles of the medians of resampled samples (bootstrap), always
    the same for the same samples. None for too few of them.
    """
    if len(samples) < SAMPLES_MIN:
        return None
    dice = random.Random(len(samples))
    medians = sorted(statistics.median(dice.choices(samples, k=len(samples)))
                     for _ in range(RESAMPLES))
    beyond = round(RESAMPLES * (1 - COVERED) / 2)
    return medians[beyond], medians[-1 - beyond]


def verdict(ratios):
    """Of costs by soon's: less than 1 is a loss of soon, told only when all of the interval is."""
    covered = interval(ratios)
    if covered is None:
        return "too few"
    low, high = covered
    if low > 1:
        return "soon wins"
    return "soon loses" if high < 1 else "even"
