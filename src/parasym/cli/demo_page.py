"""The page of the demo."""

import platform
from collections.abc import Sequence

import numpy as np
import torch

from parasym.cli.demo_tables import network_table, pair_table, spread, summary_table
from parasym.core import Params
from parasym.report import (
    MATCHED,
    NAIVE,
    Card,
    Curve,
    Figure,
    Page,
    Section,
    big_integer,
    coarse_table,
    completeness_table,
    correlation_figure,
    factor_table,
    fields_figure,
    interpolation_figure,
    soundness_table,
    uncovered_table,
)
from parasym.studies import Merging

UNITS = 12


def demo_page(found: Sequence[Merging], *, command: str, seconds: float) -> Page:
    """Return the page about the demo.

    Args:
        found: What was measured, one entry per kind of network.
        command: The command that made it.
        seconds: How long it took.
    """
    count = len(found[0].networks)
    lead = (
        f"Here are {count} networks of each of {len(found)} kinds, trained on handwritten digits from different seeds. Averaging "
        "their weights as they are ruins them: each keeps its hidden units in an order, and at scales or signs, of its own. "
        "parasym finds the group of all changes that leave the function alone, proves it, moves every network along it to where "
        "they agree, and averages there."
    )
    sections = (_summary(found), _weights(found[0]), *(_network(merging) for merging in found))
    footer = (
        f"Made by `{command}` in {seconds:.0f} seconds with PyTorch {torch.__version__} on {platform.machine()}. Data: the UCI "
        "handwritten digits that ship with scikit-learn, 1,797 images of 8 by 8 pixels, a fifth of them held out for testing.",
        "Seconds by step: "
        + "; ".join(
            f"{m.task.architecture.title}: " + ", ".join(f"{step} {value:.1f}" for step, value in m.seconds.items())
            for m in found
        )
        + ".",
    )
    return Page("Merging networks that were trained apart", lead, tuple(_card(m) for m in found), sections, footer)


def _card(found: Merging) -> Card:
    naive = spread([p.naive_midpoint.accuracy for p in found.pairs], as_percent=True)
    matched = spread([p.matched_midpoint.accuracy for p in found.pairs], as_percent=True)
    return Card(f"{found.task.architecture.title}: accuracy at the midpoint", matched, f"naive: {naive}", found.holds)


def _summary(found: Sequence[Merging]) -> Section:
    verdict = (
        "Every symmetry was verified, and matching beats plain averaging for every kind of network."
        if all(m.holds for m in found)
        else "Not everything came out as it should: a symmetry was not verified, or matching was no better than plain averaging."
    )
    return Section("Results", "results", (verdict,), (summary_table(found),))


def _weights(found: Merging) -> Section:
    a, b, moved = (_first_layer(params) for params in (found.first, found.second, found.second_matched))
    order = a.square().sum(dim=1).argsort(descending=True)[:UNITS]
    rows = [(label, w[order].reshape(-1, 8, 8).numpy()) for label, w in (("A", a), ("B", b), ("B matched", moved))]
    before, after = _correlation(a, b), _correlation(a, moved)
    diagonal = float(np.diag(before).mean()), float(np.diag(after).mean())
    fields = fields_figure(
        rows,
        alt=f"Incoming weights of {UNITS} hidden units as images: network A, network B, and network B after matching, "
        "whose images look like those of A.",
        caption=f"What {UNITS} hidden units of the first layer look at, as images of 8 by 8 weights: those of A with the "
        "largest weights. Unit k of B has nothing to do with "
        "unit k of A. After matching it does, and B still computes the same function.",
    )
    matrices = correlation_figure(
        [("before matching", before), ("after matching", after)],
        alt=f"Correlations of the first-layer weights of A and B. Mean on the diagonal {diagonal[0]:.2f} before and "
        f"{diagonal[1]:.2f} after matching.",
        caption="Correlation of the incoming weights of every unit of A with every unit of B. The mean on the diagonal goes from "
        f"{diagonal[0]:.2f} to {diagonal[1]:.2f}.",
    )
    return Section(
        "Weights before and after matching",
        "weights",
        (f"{found.task.architecture.title}, the first two seeds.",),
        (fields, matrices),
    )


def _network(found: Merging) -> Section:
    symmetry, architecture = found.symmetry, found.task.architecture
    text = (
        f"The group has a discrete part of order {big_integer(symmetry.order)} and a continuous part of "
        f"dimension {symmetry.dimension}. Operations without a rule: {len(symmetry.uncovered)}; pins that a finer rule might do "
        f"without: {len(symmetry.coarse)}.",
        "Soundness was tested at a trained network. Completeness counts directions in a Jacobian, so it was tested on a "
        f"copy with {architecture.narrow} units in place of {found.task.width or architecture.width}.",
    )
    proofs = [soundness_table(found.report)]
    if found.narrow_report.completeness is not None:
        proofs.append(completeness_table(found.narrow_report.completeness))
    pins = [table for table in (uncovered_table(symmetry), coarse_table(symmetry)) if table.rows]
    items = (_curves(found), pair_table(found), network_table(found), factor_table(symmetry), *pins, *proofs)
    return Section(architecture.title, architecture.name, text, items)


def _curves(found: Merging) -> Figure:
    points = [float(t) for t in found.pairs[0].naive.t]
    curves = [
        Curve(
            name,
            color,
            points,
            [[float(v) for v in end.loss] for end in ends],
            [[float(v) for v in end.accuracy] for end in ends],
        )
        for name, color, ends in (
            ("naive", NAIVE, [p.naive for p in found.pairs]),
            ("matched", MATCHED, [p.matched for p in found.pairs]),
        )
    ]
    caption = f"Test loss and accuracy on the way from A to B: mean over {len(found.pairs)} pairs; bands reach "
    caption += "from the lowest to the highest pair."
    if any(name.endswith("running_var") for name in found.first):
        caption += (
            " BatchNorm statistics are measured anew at every point, for both. Weights before BatchNorm have no scale of their "
            "own, so the matched B lies closer to zero than A: the matched curve need not be symmetric."
        )
    return interpolation_figure(curves, title=found.task.architecture.title, caption=caption)


def _first_layer(params: Params) -> torch.Tensor:
    return next(value for name, value in params.items() if name.endswith("weight")).flatten(1).double()


def _correlation(a: torch.Tensor, b: torch.Tensor) -> np.ndarray:
    return torch.corrcoef(torch.cat([a, b]))[: len(a), len(a) :].numpy()
