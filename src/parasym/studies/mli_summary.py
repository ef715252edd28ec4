"""From rows to the numbers, claims and curves of the study of monotonic linear interpolation."""

from collections.abc import Callable, Sequence

from parasym.studies.claim import Claim
from parasym.studies.interval import Estimate, larger, mean_interval, paired_interval
from parasym.studies.paper_network import network_named
from parasym.studies.row import Record, Row
from parasym.studies.share import cautious_share, mean_share, paired_share
from parasym.studies.summary import Cell, Line, Part, Runs, Summary
from parasym.studies.variant import VARIANTS

TITLES = {variant.name: variant.title for variant in VARIANTS}
CONTROLS = {variant.name for variant in VARIANTS if variant.control}

PAPER: dict[str, tuple[str, ...]] = {
    "standard": ("0.079 ± 0.109", "0.263", "0.548 ± 0.139", "0.823 ± 0.229"),
    "sigma": ("0.004 ± 0.047", "0.873", "0.675 ± 0.143", "0.976 ± 0.098"),
    "w": ("-0.027 ± 0.026", "1.000", "0.769 ± 0.165", "1.00 ± 0.000 (*)"),
}
"""Of ResNet8 on CIFAR-10: mean and standard deviation over 300 networks."""

COLUMNS = (
    ("largest rise", "largest_rise"),
    ("share monotonic", "monotonic"),
    ("local convexity", "local_convexity"),
    ("global convexity", "global_convexity"),
    ("last train loss", "last_loss"),
    ("test accuracy", "test_accuracy"),
)

SHARE = "monotonic"
EVERY = 0.99
"""Of every network it is claimed that more than this share have the property: of all no sample could tell."""

ORDERINGS = (("sigma", "standard"), ("w", "standard"), ("w", "sigma"), ("w-zero", "standard"), ("w", "w-zero"), ("w", "anchor"))
"""Of the paper, then controls."""

NOTES = (
    "The paper's numbers are of ResNet8 on CIFAR-10 and stand beside ours for their order and sign.",
    "(*) The code released with the paper compares with the line to the second point of the grid instead of the last, which "
    "scores 1 for every decreasing curve; here global convexity is as the paper defines it, so other numbers are to be expected.",
    "Losses are of the whole train set without augmentation, with each network's own label smoothing. The paper's are of "
    "its augmented, shuffled loader.",
    "That W-asymmetric networks fall at every step is judged by the share that do: claimed is more than 0.99 of networks of any "
    "draw. Draws that are rare and different would be missing from most samples, so that a few draws cannot show it.",
    "Networks of the same seed have the same plan in all variants. Rates go up to 0.5 as in the paper, so some networks diverge "
    "or learn nothing; those whose loss is not finite are counted as diverged and are in no mean.",
)


def summarize_mli(rows: Sequence[Row]) -> Summary:
    """Return what rows of the study say: one part per architecture, width and data.

    Args:
        rows: Finished rows.
    """
    groups: dict[tuple[str, float, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.task["architecture"], row.task["width"], row.task["data"]), []).append(row)
    parts = tuple(_part(key, group) for key, group in groups.items())
    return Summary("mli", "Monotonic linear interpolation", "train loss", parts, NOTES)


def _part(key: tuple[str, float, str], rows: list[Row]) -> Part:
    architecture, width, data = key
    found: dict[str, list[Record]] = {}
    for row in rows:
        for record in row.records:
            # Rows of before share one draw of what is frozen; there a task is what networks have in common.
            drawn = record.get("draw", row.task["first"])
            found.setdefault(record["method"], []).append(record | {"draw": drawn})
    order = [name for name in TITLES if name in found]
    title = f"{network_named(architecture).title}, width {width:g}, on {data}"
    curves = tuple(_runs(name, found[name]) for name in order if _alive(found[name]))
    measures = tuple(name for name, _ in COLUMNS)
    return Part(title, measures, tuple(_line(name, found[name]) for name in order), _claims(found), curves, _note(rows, found))


def _alive(records: list[Record]) -> list[Record]:
    return [record for record in records if not record["diverged"]]


def _line(name: str, records: list[Record]) -> Line:
    alive = _alive(records)
    cells = []
    for k, (_, field) in enumerate(COLUMNS):
        paper = PAPER[name][k] if name in PAPER and k < len(PAPER[name]) else ""
        cells.append(Cell(_over_draws(alive, field), paper))
    return Line(TITLES[name], len(alive), len(records) - len(alive), tuple(cells), control=name in CONTROLS)


def _over_draws(alive: list[Record], field: str) -> Estimate | None:
    means = list(_by_draw(alive, field).values())
    if not means:
        return None
    return mean_share(means) if field == SHARE else mean_interval(means)


def _by_draw(alive: list[Record], field: str) -> dict[int, float]:
    drawn: dict[int, list[float]] = {}
    for record in alive:
        drawn.setdefault(record["draw"], []).append(float(record[field]))
    return {draw: sum(values) / len(values) for draw, values in drawn.items()}


def _claims(found: dict[str, list[Record]]) -> tuple[Claim, ...]:
    """Return the orderings of the paper's table and its statement that W-asymmetric networks fall all the way, and controls."""
    alive = {name: _alive(records) for name, records in found.items()}
    claims = [_ordering(alive, *pair, k) for pair in ORDERINGS if set(pair) <= alive.keys() for k in range(4)]
    shares = list(_by_draw(alive.get("w", []), SHARE).values())
    if "w" in found:
        ours = cautious_share(shares) if shares else None
        paper = PAPER["w"][1]
        claim = Claim(
            COLUMNS[1][0], TITLES["w"], ">", EVERY, ours and ours.minus(EVERY), scale=1 - EVERY, said=f"{paper} > {EVERY:g}"
        )
        claims.append(claim)
    return tuple(claims)


def _ordering(alive: dict[str, list[Record]], a: str, b: str, k: int) -> Claim:
    name, field = COLUMNS[k]
    sense = "<" if k == 0 else ">"
    stated = a in PAPER and b in PAPER
    numbers = [float(PAPER[one][k].split(maxsplit=1)[0]) for one in (a, b)] if stated else []
    return Claim(
        name,
        TITLES[a],
        sense,
        TITLES[b],
        _paired(alive[a], alive[b], field),
        unit="nats" if k == 0 else "",
        scale=larger(*(_over_draws(alive[one], field) for one in (a, b))),
        said=f"{PAPER[a][k]} {sense} {PAPER[b][k]}" if stated else "",
        theirs=(numbers[0] - numbers[1]) / max(map(abs, numbers)) if stated else None,
        control={a, b} & CONTROLS != set(),
    )


def _paired(a: list[Record], b: list[Record], field: str) -> Estimate | None:
    """Return the mean difference over draws, each of networks of the same seeds."""
    sides = [{(record["draw"], record["seed"]): record for record in side} for side in (a, b)]
    both = sides[0].keys() & sides[1].keys()
    means = [_by_draw([side[key] for key in sorted(both)], field) for side in sides]
    if not both:
        return None
    interval: Callable[[list[float], list[float]], Estimate] = paired_share if field == SHARE else paired_interval
    return interval(*([by_draw[draw] for draw in sorted(by_draw)] for by_draw in means))


def _runs(name: str, records: list[Record]) -> Runs:
    alive = _alive(records)
    return Runs(TITLES[name], tuple(alive[0]["t"]), tuple(tuple(record["loss"]) for record in alive))


def _note(rows: list[Row], found: dict[str, list[Record]]) -> str:
    drawn = {record["draw"] for records in found.values() for record in records}
    s = rows[0].task["sampling"]
    return (
        f"Rates {s['top_rate']:g} · 10^-U(0, {s['decades']:g}), decays 10^-U({s['least_decay']:g}, {s['most_decay']:g}), label"
        f" smoothing U(0, {s['smoothing']:g}), {s['first_epochs']} to {s['last_epochs']} epochs, {s['optimizer']}, batch"
        f" {s['batch']}. Intervals (95 %) are Student's over the means of {len(drawn)} draws of what the networks of one variant"
        " have in common; differences are those of networks of the same draw and seed. Shares that are the same in all draws have"
        " Wilson's interval, or Newcombe's, with one vote per draw."
    )
