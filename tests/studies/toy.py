"""A study that takes no time: tasks multiply numbers, and say so when they are run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from parasym.studies import AbstractTask, Cell, Claim, Line, Part, Row, Runs, Study, Summary, difference_interval, mean_interval
from parasym.studies.row import Record


@dataclass(frozen=True)
class ToyTask(AbstractTask):
    method: str
    number: int
    log: str = ""
    stop_at: int = -1

    @property
    def seed(self) -> int:
        return self.number

    @property
    def data_key(self) -> tuple[str, int | None, int | None]:
        return "digits", 5, 5


@dataclass(frozen=True)
class ToySettings:
    architecture: str
    numbers: int
    log: str = ""


def tasks(settings: ToySettings) -> tuple[ToyTask, ...]:
    return tuple(ToyTask(m, n, settings.log) for n in range(settings.numbers) for m in ("one", "two"))


def run(task: ToyTask, data: object, device: str) -> Sequence[Record]:
    assert data is not None
    assert device == "cpu"
    if task.number == task.stop_at:
        raise KeyboardInterrupt
    if task.log:
        with Path(task.log).open("a") as file:
            file.write(f"{task.method} {task.number}\n")
    factor = 1 if task.method == "one" else 2
    value = factor * (10.0 + task.number)
    bad = task.number == 13
    return [{"method": task.method, "diverged": bad, "x": float("nan") if bad else value}]


def summarize(rows: Sequence[Row]) -> Summary:
    found: dict[str, list[float]] = {}
    bad: dict[str, int] = {}
    for row in rows:
        for record in row.records:
            found.setdefault(record["method"], [])
            if record["diverged"]:
                bad[record["method"]] = bad.get(record["method"], 0) + 1
            else:
                found[record["method"]].append(record["x"])
    lines = tuple(
        Line(name, len(v), bad.get(name, 0), (Cell(mean_interval(v) if v else None, "11"),)) for name, v in found.items()
    )
    ours = difference_interval(found["one"], found["two"]) if found.get("one") and found.get("two") else None
    claims = (Claim("x", "one", "<", "two", ours, scale=22.0, said="10 < 20", theirs=-0.5),)
    curves = tuple(Runs(name, (0.0, 0.5, 1.0), tuple((x, x / 2, x) for x in v)) for name, v in found.items() if v)
    return Summary("toy", "Toy study", "x", (Part("Toy", ("x",), lines, claims, curves, "A note."),), ("A caveat.",))


TOY = Study("toy", "Toy study", 1, "", {"tiny": (ToySettings("net", 3),)}, tasks, run, summarize)
