"""A study: presets of settings, the tasks they give, how one is run, and what rows say."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from parasym.studies.row import Record, Row
from parasym.studies.summary import Summary

Run = Callable[[Any, Any, str], Sequence[Record]]
"""From a task, its data (images, labels of nodes, or ``None``) and a device to records."""


@dataclass(frozen=True)
class Study:
    """A study of the table. Everything it calls is a function of its file, so that other processes can be told of it.

    Attributes:
        name: Short name, as on the command line.
        title: Name for people.
        version: Of the procedure; it goes up when the same task would give other numbers.
        paper: Reference.
        presets: Settings by the name of the preset; one entry per architecture.
        tasks: All tasks of one entry.
        run: Measures one task on its data and a device.
        summarize: What rows say; the only way from rows to tables and figures.
        controls: Variants that are asked of a network of the user's beside those of the preset.
        no_model: Why it takes no network of the user's; empty if it does.
    """

    name: str
    title: str
    version: int
    paper: str
    presets: Mapping[str, tuple[Any, ...]]
    tasks: Callable[[Any], tuple[Any, ...]]
    run: Run
    summarize: Callable[[Sequence[Row]], Summary]
    controls: tuple[str, ...] = ()
    no_model: str = ""
