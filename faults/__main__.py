"""``python -m faults [ROOM ...] [--n 20] [--seed 0]``: plant faults drawn at random, and list those that no test notices.

A fault is one comparison, sign, constant or statement changed in one file. It is noticed if a test of the room fails, or takes
longer than it may. Those that survive are compared with the list of tolerated ones, ``faults/tolerated.json``, each with its
reason: it may only shrink. The exit code is 1 if another one survives, or if a tolerated one was drawn and is noticed now.
"""

import argparse
import json
import sys
import time
from pathlib import Path

from faults.planting import drawn, notices, passes
from faults.rooms import rooms

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
    parser.add_argument("--list", action="store_true", help="say which would be planted, and run nothing")
    chosen = parser.parse_args()
    unknown = set(chosen.rooms) - set(rooms())
    if unknown:
        parser.error(f"unknown room {', '.join(sorted(unknown))}; there are {', '.join(rooms())}")
    tolerated, wrong, total = json.loads(TOLERATED.read_text()), 0, 0
    for room in chosen.rooms or rooms():
        if not chosen.list and not passes(room):
            print(f"the tests of {room} fail without a fault: nothing can be said about it")
            wrong += 1
            continue
        for planted in drawn(room, chosen.n, chosen.seed):
            total += 1
            if chosen.list:
                print(f"{planted.key}  (line {planted.fault.line})")
                continue
            start = time.monotonic()
            noticed = notices(planted)
            known = planted.key in tolerated
            verdict = VERDICTS[noticed, known]
            wrong += noticed == known
            print(f"{verdict:9} {time.monotonic() - start:5.0f} s  {planted.key}  (line {planted.fault.line})", flush=True)
    print(f"{total} faults, {wrong} not as the list says")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
