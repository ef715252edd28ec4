"""A hop on a page: the costs on the orbit, and optimization with and without hops."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np

from parasym.hopping import Hop, NoisyOrbit
from parasym.report.figure import Figure, drawing
from parasym.report.number import big_integer
from parasym.report.page import Card, Page, Section
from parasym.report.table import Table

START, THERE = "#c2542d", "#1f5fa8"


@dataclass(frozen=True, eq=False)
class HopResult:
    """What `parasym hop` found.

    Attributes:
        name: What the circuit is called.
        orbit: Its orbit.
        made: The hop.
        costs: Exact costs at many points of the orbit, of shape ``[points]``.
        runs: For every method the costs at even shares of the budget, of shape ``[starts, points]``.
        circuits: Mean number of circuits of every method.
        note: How the runs were made.
    """

    name: str
    orbit: NoisyOrbit
    made: Hop
    costs: np.ndarray
    runs: dict[str, np.ndarray]
    circuits: dict[str, float]
    note: str = ""


def orbit_figure(costs: np.ndarray, made: Hop) -> Figure:
    """Return the histogram of the costs on an orbit, with the start and where the hop leads.

    Args:
        costs: Of shape ``[points]``.
        made: The hop.
    """
    with drawing(2.7) as (canvas, drawn):
        axes = canvas.subplots()
        axes.hist(costs, bins=min(60, max(5, len(costs) // 8)), color="#9aa5b1")
        axes.axvline(made.before, color=START, label=f"start {made.before:.4g}")
        if made.moved:
            axes.axvline(made.after, color=THERE, label=f"after the hop {made.after:.4g}")
        axes.set_xlabel("noisy cost")
        axes.set_ylabel("points")
        axes.legend(loc="upper right")
    alt = (
        f"Histogram of the noisy cost at {len(costs)} equivalent points, from {costs.min():.4g} to {costs.max():.4g}; "
        f"the start has {made.before:.4g}, the hop leads to {made.after:.4g}."
    )
    return Figure(drawn[0], alt, f"n = {len(costs):,} points that are equivalent without noise.")


def runs_figure(runs: dict[str, np.ndarray]) -> Figure:
    """Return the costs of several methods along the budget: means, and bands from the lowest to the highest start.

    Args:
        runs: For every method, of shape ``[starts, points]``.
    """
    with drawing(2.9) as (canvas, drawn):
        axes = canvas.subplots()
        for k, (name, values) in enumerate(runs.items()):
            color, share = mpl.colormaps["tab10"](k), np.linspace(0, 1, values.shape[1])
            axes.plot(share, values.mean(0), color=color, label=name)
            axes.fill_between(share, values.min(0), values.max(0), color=color, alpha=0.13, linewidth=0)
        axes.set_xlabel("share of the budget of circuits")
        axes.set_ylabel("exact noisy cost")
        axes.legend(loc="upper right")
    ends = "; ".join(f"{name} {values[:, -1].mean():.4g}" for name, values in runs.items())
    count = len(next(iter(runs.values())))
    return Figure(drawn[0], f"Noisy cost along the budget, mean over {count} starts; at the end: {ends}.", f"n = {count} starts.")


def hop_table(found: HopResult) -> Table:
    """Return the numbers of a hop.

    Args:
        found: What was found.
    """
    made, orbit = found.made, found.orbit
    rows = (
        ("equivalent points without noise", big_integer(orbit.symmetry.order)),
        ("of which the noise leaves equal", big_integer(orbit.surviving.order)),
        ("levels to hop between, at most", big_integer(orbit.cosets.order)),
        ("cost before", f"{made.before:.6g}"),
        ("cost after", f"{made.after:.6g}" if made.moved else "stays: nothing better was found"),
        ("circuits for the hop", str(made.evaluations)),
    )
    return Table(f"Hop of {found.name}", (("quantity", "left"), ("value", "right")), rows)


def runs_table(found: HopResult) -> Table:
    """Return where every method ended.

    Args:
        found: What was found.
    """
    rows = tuple(
        (
            name,
            str(len(v)),
            f"{v[:, -1].mean():.5g}",
            f"{v[:, -1].min():.5g}",
            f"{v[:, -1].max():.5g}",
            f"{found.circuits[name]:.0f}",
        )
        for name, v in found.runs.items()
    )
    columns = (("method", "left"), *((name, "right") for name in ("n", "mean", "lowest", "highest", "circuits")))
    return Table("Noisy cost at the end", columns, rows, found.note)  # pyright: ignore[reportArgumentType]


def hop_page(found: HopResult, *, command: str) -> Page:
    """Return the page about a hop.

    Args:
        found: What was found.
        command: The command that made it.
    """
    made = found.made
    spread = float(found.costs.max() - found.costs.min())
    cards: Sequence[Card] = (
        Card("equivalent points", big_integer(found.orbit.symmetry.order), "without noise"),
        Card("spread of the noisy cost", f"{spread:.3g}", f"over {len(found.costs):,} of them"),
        Card("gain of the hop", f"{made.gain:.4g}", f"with {made.evaluations} circuits", made.moved),
    )
    lead = (
        "Without noise all points of an orbit have the same cost. Noise that is not a Pauli channel tells them apart. "
        "This page shows how far, "
        "and what hopping to a better point is worth."
    )
    sections = [
        Section("The orbit", "orbit", (), (hop_table(found), orbit_figure(found.costs, made))),
    ]
    if found.runs:
        sections.append(Section("Optimization", "optimization", (), (runs_table(found), runs_figure(found.runs))))
    return Page(f"Hopping with {found.name}", lead, tuple(cards), tuple(sections), (f"Made by `{command}`.",))
