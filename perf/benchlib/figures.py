# SPDX-License-Identifier: Apache-2.0
"""A figure, the bar it has to reach, and how much is measured for it."""

import statistics
from dataclasses import dataclass, field


@dataclass
class Bar:
    """The limits of a figure; `is_floor` when more is better. None: no bar, for information."""

    must: float | None = None
    stretch: float | None = None
    is_floor: bool = False
    is_strict: bool = False

    def reaches(self, value, limit):
        if self.is_floor:
            return value >= limit
        return value < limit if self.is_strict else value <= limit

    def verdict(self, value):
        if self.must is not None and not self.reaches(value, self.must):
            return "MISS"
        if self.stretch is not None and self.reaches(value, self.stretch):
            return "stretch"
        return "info" if self.must is None else "pass"

    def text(self, limit):
        if limit is None:
            return ""
        sign = ">=" if self.is_floor else "<" if self.is_strict else "<="
        return f"{sign} {limit:g}"


@dataclass
class Figure:
    """One number with its spread."""

    title: str
    unit: str
    samples: list
    bar: Bar = field(default_factory=Bar)
    note: str = ""

    @property
    def value(self):
        return statistics.median(self.samples)

    @property
    def verdict(self):
        return self.bar.verdict(self.value)


@dataclass
class Plan:
    """How much is measured: blocks of A B B A, and the seconds of each window."""

    blocks: int = 7
    seconds: float = 0.5
    warmup: float = 0.15
    idle_seconds: float = 10.0
    repeats: int = 5
