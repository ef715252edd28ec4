"""``python -m faults [ROOM ...] [--n 20] [--seed 0]``: plant faults drawn at random, and list those that no test notices.

A fault is one comparison, sign, constant or statement changed in one file. It is tried on the tests that reach its line, nearest
and quickest first, and is noticed if one of them fails or does not end. Those that survive are compared with the list of
tolerated ones, ``faults/tolerated.json``, each with its reason: it may only shrink. The exit code is 1 if another one survives,
or if a tolerated one was drawn and is noticed now.
"""

import argparse
import json
import sys
import time
from pathlib import Path

from faults.planting import Planted, drawn, notices
from faults.reach import Reach, reach_of
from faults.rooms import looking_at, rooms

TOLERATED = Path(__file__).parent / "tolerated.json"
VERDICTS = {
    (True, False): "noticed",
    (True, True): "noticed, take it off the list",
    (False, False): "SURVIVES",
    (False, True): "tolerated",
}


def main() -> int:
    """Plant faults into the rooms; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__)
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help=f"any of {', '.join(rooms())}; all by default")
    parser.add_argument("--n", type=int, default=20, help="faults per room")
    parser.add_argument("--seed", type=int, default=0, help="which are drawn")
    parser.add_argument("--seconds", type=float, default=60.0, help="of tests that reach a fault, in which it must be noticed")
    parser.add_argument("--list", action="store_true", help="say which would be planted, and run nothing")
    chosen = parser.parse_args()
    unknown = set(chosen.rooms) - set(rooms())
    if unknown:
        parser.error(f"unknown room {', '.join(sorted(unknown))}; there are {', '.join(rooms())}")
    tolerated, wrong, total = json.loads(TOLERATED.read_text()), 0, 0
    for room in chosen.rooms or rooms():
        faults = drawn(room, chosen.n, chosen.seed)
        total += len(faults)
        if chosen.list:
            print(*(f"{planted.key}  (line {planted.fault.line})" for planted in faults), sep="\n")
            continue
        reach = reach_of(looking_at(room))
        print(
            f"{room}: {len(reach.seconds)} tests; left out, since they fail without a fault: {', '.join(reach.failing) or 'none'}"
        )
        for planted in faults:
            tests = within(reach, planted, chosen.seconds)
            start = time.monotonic()
            noticed = bool(tests) and notices(planted, tests, sum(reach.seconds[x] for x in tests))
            known = planted.key in tolerated
            wrong += noticed == known
            told = f"{time.monotonic() - start:4.0f} s of {len(tests):4} tests  {planted.key}  (line {planted.fault.line})"
            print(f"{VERDICTS[noticed, known]:9} {told}", flush=True)
    print(f"{total} faults, {wrong} not as the list says")
    return int(wrong > 0)


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
