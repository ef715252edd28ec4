"""`parasym demo`: the main job on real data, and a page about it."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from parasym.checkpoint import atomic_write
from parasym.cli.demo_page import demo_page
from parasym.cli.demo_tables import network_table, summary_table
from parasym.cli.options import JsonOption
from parasym.cli.outcome import Outcome, execute
from parasym.cli.progress import steps_bar
from parasym.core import BadInputError
from parasym.report import render_page, rich_table
from parasym.studies import ARCHITECTURES, Merging, MergingTask, run_merging

PAGE = "index.html"


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the page; made if it does not exist.")] = Path(
        "parasym-demo"
    ),
    seeds: Annotated[int, typer.Option("--seeds", "-n", min=2, max=40, help="How many networks of each kind.")] = 6,
    fast: Annotated[bool, typer.Option("--fast", help="Smaller networks and less training: a look in seconds.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Train networks from different seeds, find and verify their symmetry, merge them, and write a page about it.

    Example:
        parasym demo --fast --out page
    """
    execute(lambda: _demo(out, seeds, fast), as_json=as_json)


def _demo(out: Path, seeds: int, fast: bool) -> Outcome:
    start = time.perf_counter()
    # The products here are small: with more threads they wait for each other, and on a busy machine for a long time.
    torch.set_num_threads(1)
    _make_folder(out)
    found = [_run(_task(architecture, seeds, fast)) for architecture in ARCHITECTURES]
    seconds = time.perf_counter() - start
    page = render_page(demo_page(found, command=_command(seeds, fast), seconds=seconds))
    # The page is made by this command alone, so a later run may replace it.
    target = atomic_write(out / PAGE, lambda file: file.write_text(page, encoding="utf-8"), force=True)
    holds = all(merging.holds for merging in found)
    shown = [rich_table(summary_table(found)), *(rich_table(network_table(m)) for m in found)]
    verdict = "The symmetries hold, and matched is better than naive everywhere." if holds else "NOT as expected: see the page."
    data = {"page": str(target), "seconds": seconds, "studies": [_plain(merging) for merging in found]}
    return Outcome("yes" if holds else "no", data, (*shown, verdict, f"Page: {target} ({seconds:.0f} s)"))


def _task(architecture: Any, seeds: int, fast: bool) -> MergingTask:
    numbers = tuple(range(seeds))
    if not fast:
        return MergingTask(architecture, numbers)
    return MergingTask(
        architecture, numbers, points=11, width=architecture.width // 2, epochs=max(8, architecture.plan.epochs // 2)
    )


def _run(task: MergingTask) -> Merging:
    with steps_bar() as bar:
        lines: dict[str, Any] = {}

        def tell(step: str, done: int, every: int) -> None:
            if step not in lines:
                lines[step] = bar.add_task(f"{task.architecture.title}: {step}", total=every)
            bar.update(lines[step], completed=done)

        return run_merging(task, tell=tell)


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInputError(f"Folder `{out}` cannot be made: {error.strerror}. Choose another with --out.") from error


def _command(seeds: int, fast: bool) -> str:
    return f"parasym demo --seeds {seeds}" + (" --fast" if fast else "")


def _plain(merging: Merging) -> dict[str, Any]:
    return {
        "architecture": merging.task.architecture.name,
        "seeds": list(merging.task.seeds),
        "order": hex(merging.symmetry.order),
        "dimension": merging.symmetry.dimension,
        "verified": merging.report.holds,
        "networks": [asdict(network) for network in merging.networks],
        "pairs": [
            {
                "seeds": pair.seeds,
                "distance": pair.distance,
                "matched_distance": pair.matched_distance,
                "naive_midpoint": asdict(pair.naive_midpoint),
                "matched_midpoint": asdict(pair.matched_midpoint),
            }
            for pair in merging.pairs
        ],
        "merge_of_all": {
            "naive": asdict(merging.naive_all),
            "matched": asdict(merging.matched_all),
            "ensemble": asdict(merging.ensemble),
        },
        "holds": merging.holds,
        "seconds": merging.seconds,
    }
