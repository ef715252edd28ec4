"""A study whose tasks say which process they run in, and then take as long as they are told."""

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from parasym.studies.row import Record
from tests.studies import toy

SECONDS = 60.0


def run(task: toy.ToyTask, data: object, device: str) -> Sequence[Record]:
    with Path(task.log).open("a") as file:
        file.write(f"{os.getpid()}\n")
    if task.number:
        time.sleep(SECONDS)
    return toy.run(replace(task, log=""), data, device)


STUDY = replace(toy.TOY, run=run)
