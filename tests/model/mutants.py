#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Explores the sources under test, and then kills their mutants.

    mutants.py --cc CC --build FOLDER [--seconds S] [--walks N] [GROUP[/MUTANT]...]

A group is an explorer, explore_<group>.c, with the source that it includes. First it has to pass.
Then each mutant, a copy of the source with one thing done wrong, is compiled and explored, and has
to fail. A mutant is a list of substitutions in mutants/<group>.txt:

    mutant NAME: what is wrong with it
    - a piece of a line of the source, which may not be the only one
    + what stands there instead
    . the substitution before ends, another one begins

Several lines with - stand for consecutive lines. White space at both ends of a line does not count.
A substitution that does not apply exactly once fails the test: the source has changed, and
somebody has to look whether the mutant still makes sense.
"""

import argparse
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
FLAGS = ["-std=gnu17", "-D_GNU_SOURCE", "-g", "-iquote", str(ROOT), "-iquote", str(ROOT / "core"),
         "-I", str(ROOT / "core" / "include"), "-Wall", "-Wextra", "-Wno-sign-compare"]
GROUPS = {  # and the sources of each, the included one first
    "inbox": ("inbox.c",),
    "pool_thread": ("pool_thread.c", "pool_lane.h"),
}
ENGINE = ("explore.c", "explore_memory.c")
# Of each scenario, in rounds: most mutants die in the first.
MUTANT_EFFORTS = ((0.05, 200), (0.5, 5000), (5, 100000))
PATIENCE_SECONDS = 120


@dataclass
class Mutant:
    name: str
    what: str
    steps: list = field(default_factory=list)  # of [old lines, new lines]


def read_mutants(path):
    mutants = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        kind, _, rest = line.partition(" ")
        if kind == "mutant":
            name, _, what = rest.partition(": ")
            mutants.append(Mutant(name, what, [[[], []]]))
        elif kind == ".":
            mutants[-1].steps.append([[], []])
        elif kind in ("-", "+"):
            mutants[-1].steps[-1]["-+".index(kind)].append(rest.strip())
        elif line and kind != "#":
            sys.exit(f"{path.name}:{number}: what is this? {line}")
    return mutants


def mutate(texts, mutant):
    """The texts, by their names, with the mutant's substitutions; each applies once in all."""
    texts = dict(texts)
    for old, new in mutant.steps:
        pattern = r"[ \t]*\n[ \t]*".join(re.escape(line) for line in old)
        applied = 0
        for name, text in texts.items():
            texts[name], count = re.subn(pattern, lambda _: "\n".join(new), text)
            applied += count
        if applied != 1:
            sys.exit(f"{mutant.name}: applies {applied} times, not once: {' '.join(old)}")
    return texts


def call(command):
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(f"{shlex.join(map(str, command))}\n{run.stderr}")


class Group:
    def __init__(self, name, args):
        self.name = name
        self.args = args
        self.folder = Path(args.build) / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.scenarios = HERE / f"explore_{name}.c"
        self.texts = {s: (ROOT / "core" / s).read_text() for s in GROUPS[name]}
        self.mutants = HERE / "mutants" / f"{name}.txt"

    def engine(self):
        objects = []
        for name in ENGINE:
            objects.append(self.folder / f"{name}.o")
            call([self.args.cc, *FLAGS, "-O2", "-c", HERE / name, "-o", objects[-1]])
        for source in sorted((ROOT / "core" / "arch").glob(f"switch_{self.args.arch}.S")):
            objects.append(self.folder / "switch.o")
            call([self.args.cc, *FLAGS, "-c", source, "-o", objects[-1]])
        return objects

    def build(self, objects, explored, program):
        call([self.args.cc, *FLAGS, "-O1", "-fsanitize=thread",
              f'-DEXPLORED="{explored}"', "-c", self.scenarios, "-o", f"{program}.o"])
        call([self.args.cc, *objects, f"{program}.o", "-o", program])
        return program

    def explore(self, program, seconds, walks):
        """The status, and the lines that say what was found."""
        command = [program, "--seconds", str(seconds), "--walks", str(walks)]
        try:
            run = subprocess.run(command, capture_output=True, text=True,
                                 timeout=PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            return 1, "", f"no end after {PATIENCE_SECONDS} s"
        return run.returncode, run.stdout, run.stderr

    def run(self, wanted):
        objects = self.engine()
        failed = []
        if not wanted:
            program = self.build(objects, ROOT / "core" / GROUPS[self.name][0],
                                 self.folder / "explore")
            status, out, err = self.explore(program, self.args.seconds, self.args.walks)
            print(out + err, end="")
            if status != 0:
                return [f"{self.name} itself"]
        for mutant in read_mutants(self.mutants):
            if wanted and mutant.name not in wanted:
                continue
            folder = self.folder / mutant.name
            folder.mkdir(exist_ok=True)
            for name, text in mutate(self.texts, mutant).items():
                (folder / name).write_text(text)
            program = self.build(objects, folder / GROUPS[self.name][0], folder / "explore")
            for seconds, walks in MUTANT_EFFORTS:
                status, _, err = self.explore(program, seconds, walks)
                if status != 0:
                    break
            how = next((line for line in err.splitlines() if "FAILED" in line), "")
            print(f"{'killed' if status else 'LIVES '} {mutant.name}: {mutant.what}; {how}",
                  flush=True)
            if wanted:
                print(err)
            if status == 0:
                failed.append(f"{self.name}/{mutant.name}")
        return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cc", default="cc")
    parser.add_argument("--arch", default="x86_64")
    parser.add_argument("--build", required=True)
    parser.add_argument("--seconds", type=float, default=0.5, help="of each scenario's search")
    parser.add_argument("--walks", type=int, default=2000, help="at random, after it")
    parser.add_argument("groups", nargs="*")
    args = parser.parse_args()
    names = args.groups or GROUPS
    failed = []
    for name in names:
        group, _, mutant = name.partition("/")
        failed += Group(group, args).run({mutant} if mutant else None)
    if failed:
        print("not as it should be:", *failed)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
