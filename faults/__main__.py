"""``python -m faults [ROOM ...] [--n 20] [--seed 0]``: plant faults drawn at random, and list those that no test notices.

A fault is one comparison, sign, constant or statement changed in one file. It is tried on the tests that reach its line, nearest
and quickest first, and is noticed if one of them fails or does not end. Those that survive are compared with the list of
tolerated ones, ``faults/tolerated.json``, each with its reason: it may only shrink. Those of a room are planted too, drawn or
not. The exit code is 1 if another one survives, or if a tolerated one is noticed now. ``--record`` keeps how a room ended, once
all is as the list says, and ``--summary`` prints what is kept.
"""

import argparse
import json
import sys
import time
from collections.abc import Collection
from pathlib import Path

from faults.planting import Planted, all_of, drawn, notices
from faults.reach import Reach, reach_of
from faults.record import LEAST, Entry, commit, summary, write
from faults.rooms import looking_at, rooms

TOLERATED = Path(__file__).parent / "tolerated.json"


def main() -> int:
    """Plant faults into the rooms; return the exit code."""
    chosen = _chosen()
    if chosen.summary:
        print(summary())
        return 0
    reasons, wrong, total = json.loads(TOLERATED.read_text()), 0, 0
    for room in chosen.rooms or rooms():
        faults = drawn(room, chosen.n, chosen.seed)
        listed = [x for x in all_of(room) if x.key in reasons and x.key not in {y.key for y in faults}]
        total += len(faults) + len(listed)
        if chosen.list:
            print(*(f"{x.key}  (line {x.fault.line})" for x in faults + listed), sep="\n")
            continue
        survivors = survivors_of(room, faults + listed, reasons.keys(), chosen.seconds)
        gone = {x.key for x in faults + listed if x.key in reasons} - set(survivors)
        print(*(f"noticed, take it off the list: {key}" for key in sorted(gone)), sep="\n", end="\n" * bool(gone))
        found = len(gone) + len(set(survivors) - reasons.keys())
        wrong += found
        if chosen.record and not found:
            write({room: Entry(chosen.seed, len(faults), len(listed), tuple(sorted(survivors)), chosen.commit)})
    print(f"{total} faults, {wrong} not as the list says")
    return int(wrong > 0)


def _chosen() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__)
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help=f"any of {', '.join(rooms())}; all by default")
    parser.add_argument("--n", type=int, default=LEAST, help="faults per room")
    parser.add_argument("--seed", type=int, default=0, help="which are drawn")
    parser.add_argument("--seconds", type=float, default=60.0, help="of tests that reach a fault, in which it must be noticed")
    parser.add_argument("--list", action="store_true", help="say which would be planted, and run nothing")
    parser.add_argument("--record", action="store_true", help="keep how a room ended, if all is as the list says")
    parser.add_argument("--summary", action="store_true", help="print what was kept, and run nothing")
    chosen = parser.parse_args()
    unknown = set(chosen.rooms) - set(rooms())
    if unknown:
        parser.error(f"unknown room {', '.join(sorted(unknown))}; there are {', '.join(rooms())}")
    if chosen.record and chosen.n < LEAST:
        parser.error(f"argument --record: a room is kept after at least {LEAST} faults, but --n is {chosen.n}")
    chosen.commit = commit() if chosen.record else ""
    if chosen.commit is None:
        parser.error("argument --record: src and tests must be as they were committed, and they are not")
    return chosen


def survivors_of(room: str, faults: list[Planted], tolerated: Collection[str], seconds: float) -> list[str]:
    """Plant faults one by one, and say how each ends.

    Args:
        room: Whose tests are to notice them.
        faults: To plant.
        tolerated: Keys of those that may survive.
        seconds: Of tests that reach a fault, in which it must be noticed.

    Returns:
        The keys of those that no test notices.
    """
    reach, found = reach_of(looking_at(room)), []
    print(
        f"{room}: {len(reach.seconds)} tests; left out, since they fail without a fault: {', '.join(reach.failing) or 'none'}",
        flush=True,
    )
    for planted in faults:
        tests = within(reach, planted, seconds)
        start = time.monotonic()
        noticed = bool(tests) and notices(planted, tests, sum(reach.seconds[x] for x in tests))
        if not noticed:
            found.append(planted.key)
        told = f"{time.monotonic() - start:4.0f} s of {len(tests):4} tests  {planted.key}  (line {planted.fault.line})"
        verdict = "noticed" if noticed else "tolerated" if planted.key in tolerated else "SURVIVES"
        print(f"{verdict:9} {told}", flush=True)
    return found


def within(reach: Reach, planted: Planted, seconds: float) -> list[str]:
    """Return the tests to run with a fault: as many of those that reach it as take so long, the most promising first."""
    found = []
    for test in reach.tests(planted.file, planted.fault.lines):
        seconds -= reach.seconds[test]
        if found and seconds < 0:
            break
        found.append(test)
    return found


if __name__ == "__main__":
    sys.exit(main())
