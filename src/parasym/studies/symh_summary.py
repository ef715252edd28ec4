"""From rows to the numbers, claims and curves of the study of minima hopping."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from parasym.studies.claim import Claim
from parasym.studies.interval import Estimate, larger, mean_interval, paired_interval
from parasym.studies.row import Record, Row
from parasym.studies.summary import Cell, Line, Part, Runs, Summary

TITLES = {
    "none": "no hops",
    "decode": "Walsh decode",
    "random": "best of 32 random points",
    "greedy": "greedy sweep",
    "decode-late": "Walsh decode, after convergence",
    "random-late": "best of 32 random points, after convergence",
    "greedy-late": "greedy sweep, after convergence",
    "scatter": "random hops without selection",
    "restarts": "random restarts",
}
CONTROLS = {"scatter"}
COLUMNS = (("excess energy", "excess"), ("circuits", "circuits"), ("hops made", "hops"))
LEVELS = (("spread", "spread"), ("lowest", "lowest"), ("median", "median"), ("highest", "highest"), ("levels", "levels"))
ONE_LEVEL, MANY_LEVELS = 1e-10, 1e-3
BOUNDS: tuple[tuple[str, Literal["<", ">"], float, str], ...] = (
    ("dephasing", "<", ONE_LEVEL, "symmetries survive unital noise"),
    ("depolarizing", "<", ONE_LEVEL, "symmetries survive unital noise"),
    ("amplitude damping", ">", MANY_LEVELS, "can lift the degeneracy"),
)
"""Of the spread of the fidelity over equivalent points, a mean over targets; none is negative, so a small mean bounds all."""

NOTES = (
    "The excess energy is the exact noisy energy of the final angles above the exact ground energy of the ring, also where the "
    "optimizers see sampled values only. An evaluation counts as one circuit, a gradient as two per rotation, whatever the "
    "simulator does.",
    "All methods of a part start from the same angles. The change is the mean over starts of the relative change of the excess "
    "against no hops. Budgets are equal for Adam, whose restarts are as many shorter runs as there are blocks; L-BFGS stops when "
    "it has converged, and only restarts always use all of the budget. After an early hop the Walsh decode goes on hopping after "
    "convergence as long as that pays.",
    "The noise is amplitude damping on both qubits after every two-qubit gate. Hops are taken from the cosets of what survives.",
    "The paper's figures were not at hand: its claims are those of its abstract, and all numbers here are this project's own.",
)


def summarize_symh(rows: Sequence[Row]) -> Summary:
    """Return what rows of the study say: one part per circuit, noise, shots and optimizer.

    Args:
        rows: Finished rows.
    """
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in sorted(rows, key=lambda r: (r.task["ring"] != "degeneracy", r.task["optimizer"], r.task["qubits"], r.seed)):
        t = row.task
        key = (t["ring"], t["qubits"], t["ansatz"], t["gamma"], t["shots"], t["optimizer"])
        groups.setdefault(key, []).append(row)
    parts = tuple(_degeneracy(group) if key[0] == "degeneracy" else _part(key, group) for key, group in groups.items())
    return Summary("symh", "Minima hopping under noise", "excess energy", parts, NOTES)


def _found(rows: list[Row]) -> dict[str, dict[int, Record]]:
    found: dict[str, dict[int, Record]] = {}
    for row in rows:
        for record in row.records:
            if not record["diverged"]:
                found.setdefault(record["method"], {})[record["seed"]] = record
    return found


def _diverged(rows: list[Row], method: str) -> int:
    return sum(row.counts.get(method, {}).get("diverged", 0) for row in rows)


def _part(key: tuple[Any, ...], rows: list[Row]) -> Part:
    ring, qubits, ansatz, gamma, shots, optimizer = key
    found = _found(rows)
    order = [name for name in TITLES if name in found]
    words = "exact values" if shots is None else f"{shots:,} shots per word"
    title = f"{ring} ring, {qubits} qubits, {ansatz}, γ = {gamma:g}, {'Adam' if optimizer == 'adam' else 'L-BFGS'}, {words}"
    measures = ("excess energy", "change in %", *(name for name, _ in COLUMNS[1:]))
    lines = tuple(_line(name, found, _diverged(rows, name)) for name in order)
    curves = tuple(_runs(name, found[name]) for name in order)
    t = rows[0].task
    note = (
        f"{t['layers']} layers and a last one of rotations; the budget is {t['steps']} gradients"
        + (f", rate {t['rate']:g}, hops between {t['blocks']} blocks." if optimizer == "adam" else ".")
        + " Means over starts with 95 % intervals of Student's t; claims are paired by start and are of this circuit alone."
    )
    return Part(title, measures, lines, _claims(found), curves, note, "excess energy", "share of the budget")


def _line(name: str, found: dict[str, dict[int, Record]], diverged: int) -> Line:
    records = found[name]
    change = _change(found, name)
    cells = [Cell(mean_interval([r["excess"] for r in records.values()])), Cell(change)]
    for _, field in COLUMNS[1:]:
        values = [float(r[field]) for r in records.values() if r.get(field) is not None]
        cells.append(Cell(mean_interval(values) if values else None))
    return Line(TITLES[name], len(records), diverged, tuple(cells), control=name in CONTROLS)


def _change(found: dict[str, dict[int, Record]], name: str) -> Estimate | None:
    if name == "none" or "none" not in found:
        return None
    both = sorted(found[name].keys() & found["none"].keys())
    values = [100 * (found[name][s]["excess"] / found["none"][s]["excess"] - 1) for s in both]
    return mean_interval(values) if values else None


def _claims(found: dict[str, dict[int, Record]]) -> tuple[Claim, ...]:
    """Return what the paper's abstract says (hopping improves the optimizer), our decoder's part in it, and controls."""
    said = "SYMH improves the optimizer"
    orderings = [
        ("random", "none", said),
        ("greedy", "none", said),
        ("decode", "none", said),
        ("random-late", "none", said),
        ("greedy-late", "none", said),
        ("decode-late", "none", said),
        ("decode", "random", ""),
        ("decode", "decode-late", ""),
        ("decode", "restarts", ""),
        ("none", "scatter", ""),
    ]
    return tuple(
        Claim(
            "excess energy",
            TITLES[low],
            "<",
            TITLES[high],
            _paired(found, low, high),
            scale=larger(*(mean_interval([r["excess"] for r in found[name].values()]) for name in (low, high))),
            said=said,
            control=high in CONTROLS,
        )
        for low, high, said in orderings
        if low in found and high in found
    )


def _paired(found: dict[str, dict[int, Record]], low: str, high: str) -> Estimate | None:
    both = sorted(found[low].keys() & found[high].keys())
    if not both:
        return None
    return paired_interval([found[low][s]["excess"] for s in both], [found[high][s]["excess"] for s in both])


def _runs(name: str, records: dict[int, Record]) -> Runs:
    curves = [tuple(r["curve"]) for r in records.values()]
    return Runs(TITLES.get(name, name), tuple(np.linspace(0, 1, len(curves[0])).tolist()), tuple(curves))


def _degeneracy(rows: list[Row]) -> Part:
    found = _found(rows)

    def measured(name: str, field: str) -> list[float]:
        return [float(r[field]) for r in found[name].values()]

    lines = tuple(
        Line(name, len(found[name]), 0, tuple(Cell(mean_interval(measured(name, field))) for _, field in LEVELS))
        for name in found
    )
    claims = tuple(
        Claim("spread", name, sense, bound, mean_interval(measured(name, "spread")).minus(bound), scale=bound, said=said)
        for name, sense, bound, said in BOUNDS
        if name in found
    )
    t, some = rows[0].task, next(iter(found["amplitude damping"].values()))
    note = (
        f"{some['points']:,} of {some['order']:,} degenerate points per target: {t['qubits']} qubits, {t['layers']} "
        f"layers, fidelity with random real states, trained without noise; then noise of strength {t['gamma']:g} on every qubit "
        "after each of the two steps of controlled NOTs per layer. Levels are counted as distinct where they are 1e-12 apart."
    )
    curves = tuple(_runs(name, found[name]) for name in found)
    title = f"Degenerate points, {t['qubits']} qubits, {t['layers']} layers, strength {t['gamma']:g}"
    return Part(title, tuple(n for n, _ in LEVELS), lines, claims, curves, note, "fidelity", "points in order of fidelity")
