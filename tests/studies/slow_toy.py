"""A study whose tasks say which process they run in, and then wait until they are let go."""

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from parasym.studies.row import Record
from tests.studies import toy

LONG = 900.0
"""Seconds after which a task gives up waiting: nobody looks at it any more."""


def run(task: toy.ToyTask, data: object, device: str) -> Sequence[Record]:
    log = Path(task.log)
    with log.open("a") as file:
        file.write(f"{os.getpid()}\n")
    until = time.monotonic() + LONG
    while task.number and not log.with_suffix(".go").exists() and time.monotonic() < until:
        time.sleep(0.05)
    return toy.run(replace(task, log=""), data, device)


STUDY = replace(toy.TOY, run=run)
