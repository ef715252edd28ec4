"""The record of what was planted in every room and how it ended, ``faults/record.json``, and its table."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from faults.rooms import ROOT, rooms

RECORD = Path(__file__).parent / "record.json"
LEAST = 20
"""Faults that a room must have been tried with."""


@dataclass(frozen=True)
class Entry:
    """How the faults of one room ended; none survived that is not tolerated.

    Attributes:
        seed: With which they were drawn.
        drawn: How many were drawn.
        listed: How many more were planted because they are on the list of tolerated ones.
        tolerated: Those that no test noticed, as the list calls them.
        commit: Of the checkout in which the last of them ended.
    """

    seed: int
    drawn: int
    listed: int
    tolerated: tuple[str, ...]
    commit: str

    @property
    def planted(self) -> int:
        """How many were planted."""
        return self.drawn + self.listed

    @property
    def noticed(self) -> int:
        """How many a test noticed."""
        return self.planted - len(self.tolerated)


def recorded() -> dict[str, Entry | None]:
    """Return the entry of every room, or None if it was not run since there is a record."""
    told = json.loads(RECORD.read_text())
    return {room: x and Entry(**(x | {"tolerated": tuple(x["tolerated"])})) for room, x in told.items()}


def write(entries: Mapping[str, Entry]) -> None:
    """Write entries into the record, in place of those of the same rooms.

    Args:
        entries: By room.
    """
    kept = {**(recorded() if RECORD.exists() else {}), **entries}
    told = {room: (entry := kept.get(room)) and asdict(entry) for room in rooms()}
    RECORD.write_text(json.dumps(told, indent=2) + "\n")


def summary() -> str:
    """Return the record as a table of one line per room."""
    lines = [f"{'room':12} {'seed':>4} {'planted':>7} {'noticed':>7} {'tolerated':>9}  commit"]
    entries = recorded()
    for room, x in entries.items():
        told = f"{x.seed:4} {x.planted:7} {x.noticed:7} {len(x.tolerated):9}  {x.commit}" if x else "not run"
        lines.append(f"{room:12} {told}")
    run = [x for x in entries.values() if x]
    planted, noticed = sum(x.planted for x in run), sum(x.noticed for x in run)
    lines.append(f"{len(run)} of {len(entries)} rooms: {planted} faults, {noticed} noticed, {planted - noticed} tolerated")
    return "\n".join(lines)


def commit() -> str | None:
    """Return the commit of the checkout, or None if code or tests are not as they were committed."""
    git = ("git", "-C", str(ROOT))
    changed = subprocess.run([*git, "status", "--porcelain", "src", "tests"], capture_output=True, text=True, check=True)
    if changed.stdout:
        return None
    head = subprocess.run([*git, "rev-parse", "--short=10", "HEAD"], capture_output=True, text=True, check=True)
    return head.stdout.strip()
