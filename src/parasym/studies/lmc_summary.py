"""From rows to the numbers, claims and curves of the study of linear mode connectivity."""

from collections.abc import Sequence
from typing import Any

from parasym.studies.claim import Claim
from parasym.studies.interval import difference_interval, mean_interval, paired_interval
from parasym.studies.paper_network import network_named
from parasym.studies.row import Record, Row
from parasym.studies.summary import Cell, Line, Part, Runs, Summary
from parasym.studies.variant import VARIANTS

PAPER: dict[tuple[str, float], dict[str, str]] = {
    ("mlp", 1): {"standard": "0.188 ± 0.12", "weight-matching": "-0.006 ± 0.00", "sigma": "0.117 ± 0.01", "w": "-0.012 ± 0.00"},
    ("resnet20", 1): {
        "standard": "3.287 ± 0.32",
        "weight-matching": "2.041 ± 0.21",
        "sigma": "2.521 ± 0.46",
        "w": "0.934 ± 0.72",
    },
    ("resnet20", 8): {
        "standard": "2.640 ± 0.24",
        "weight-matching": "0.509 ± 0.45",
        "sigma": "1.492 ± 0.15",
        "w": "0.031 ± 0.05",
    },
    ("graph", 1): {
        "standard": "1.475 ± 0.24",
        "activation-matching": "0.269 ± 0.02",
        "sigma": "0.901 ± 0.11",
        "w": "0.095 ± 0.03",
    },
}
"""Midpoint test-loss barriers of the paper: mean and standard deviation over at least 5 pairs. It matched its MLP and ResNets by
weights and its graph network by activations."""

TITLES = {variant.name: variant.title for variant in VARIANTS} | {
    "weight-matching": "standard, matched by weights",
    "activation-matching": "standard, matched by activations",
}
ORDER = ("standard", "weight-matching", "activation-matching", *(v.name for v in VARIANTS[1:]))
CONTROLS = {variant.name for variant in VARIANTS if variant.control}

COLUMNS: tuple[tuple[str, str], ...] = (
    ("midpoint barrier", "barrier"),
    ("accuracy barrier", "accuracy_barrier"),
    ("maximum barrier", "maximum"),
    ("loss of one", "end_loss"),
    ("accuracy of one", "end_accuracy"),
    ("exchange cost", "exchange_cost"),
)

NOTES = (
    "The paper's numbers stand beside ours for their order and sign: unless the title says otherwise they are of other data "
    "(MNIST, CIFAR-10, ogbn-arxiv), in full, and of longer training.",
    "The graph network is W-asymmetric with GELU, as the paper defines it; the code released with it puts FiGLU in its place.",
    "All networks start from the same distribution of trainable weights, that of torch's layers. The paper's plain ResNets start "
    "from He's normal one, which is here the control `standard, initialized by He's normal`.",
    "What is frozen is drawn anew for every pair, so the intervals cover that draw too.",
    "The exchange cost is the increase of the train loss when two neurons of the second hidden layer take each other's part and "
    "the rest is re-fitted linearly: 0 where they can be exchanged by a symmetry. It is measured for MLPs only.",
)


def summarize_lmc(rows: Sequence[Row]) -> Summary:
    """Return what rows of the study say: one part per architecture, width and data.

    Args:
        rows: Finished rows.
    """
    groups: dict[tuple[str, float, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.task["architecture"], row.task["width"], row.task["data"]), []).append(row)
    parts = tuple(_part(key, group) for key, group in groups.items())
    return Summary("lmc", "Linear mode connectivity", "test loss", parts, NOTES)


def _part(key: tuple[str, float, str], rows: list[Row]) -> Part:
    architecture, width, data = key
    found: dict[str, list[tuple[int, Record]]] = {}
    for row in rows:
        for record in row.records:
            found.setdefault(record["method"], []).append((row.task["pair"], record))
    paper = PAPER.get((architecture, width), {})
    lines = tuple(_line(method, found[method], paper) for method in ORDER if method in found)
    title = f"{network_named(architecture).title}, width {width:g}, on {data}"
    curves = tuple(_runs(method, found[method]) for method in ORDER if method in found and _alive(found[method]))
    return Part(title, tuple(name for name, _ in COLUMNS), lines, _claims(found, paper), curves, _note(rows[0].task, found))


def _alive(records: list[tuple[int, Record]]) -> dict[int, Record]:
    return {pair: record for pair, record in records if not record["diverged"]}


def _line(method: str, records: list[tuple[int, Record]], paper: dict[str, str]) -> Line:
    alive = list(_alive(records).values())
    cells = []
    for _, field in COLUMNS:
        values = [record[field] for record in alive if field in record]
        cells.append(Cell(mean_interval(values) if values else None, paper.get(method, "") if field == "barrier" else ""))
    return Line(TITLES[method], len(alive), len(records) - len(alive), tuple(cells), control=method in CONTROLS)


def _claims(found: dict[str, list[tuple[int, Record]]], paper: dict[str, str]) -> tuple[Claim, ...]:
    """Return the orderings of the paper's table, and the controls: each a difference of mean barriers that must be below zero."""
    matching = "activation-matching" if "activation-matching" in paper else "weight-matching"
    orderings = [
        (matching, "standard"),
        ("sigma", "standard"),
        ("w", "standard"),
        ("w", "sigma"),
        ("w", matching),
        ("w", "as-many"),
        ("w", "double"),
        ("w", "kaiming"),
    ]
    claims = []
    for low, high in orderings:
        if low in found and high in found:
            text = f"barrier: {TITLES[low]} < {TITLES[high]}"
            both = f"{paper[low]} < {paper[high]}" if low in paper and high in paper else ""
            text = f"control, {text}" if high in CONTROLS else text
            claims.append(Claim(text, _difference(found, low, high), paper=both))
    claims += _about_exchange(found)
    return tuple(claims)


def _difference(found: dict[str, list[tuple[int, Record]]], low: str, high: str) -> Any:
    a, b = _alive(found[low]), _alive(found[high])
    if high == "standard" and low.endswith("matching"):
        both = sorted(a.keys() & b.keys())  # the same networks: their differences are what varies
        return paired_interval([a[p]["barrier"] for p in both], [b[p]["barrier"] for p in both]) if both else None
    x, y = ([record["barrier"] for record in side.values()] for side in (a, b))
    return difference_interval(x, y) if x and y else None


def _about_exchange(found: dict[str, list[tuple[int, Record]]]) -> list[Claim]:
    costs = {m: [r["exchange_cost"] for r in _alive(records).values() if "exchange_cost" in r] for m, records in found.items()}
    if not costs.get("standard"):
        return []
    return [
        Claim(
            f"control, exchange cost: {TITLES[method]} > standard",
            difference_interval(costs[method], costs["standard"]),
            below=False,
        )
        for method in ("sigma", "w")
        if costs.get(method)
    ]


def _runs(method: str, records: list[tuple[int, Record]]) -> Runs:
    alive = list(_alive(records).values())
    return Runs(TITLES[method], tuple(alive[0]["t"]), tuple(tuple(record["loss"]) for record in alive))


def _note(task: dict[str, Any], found: dict[str, list[tuple[int, Record]]]) -> str:
    plan = task["plan"]
    counts = ", ".join(
        f"{TITLES[method]} {found[method][0][1]['trainable']:,}"
        for method in ORDER
        if method in found and "matching" not in method
    )
    size = "all" if task["train"] is None else f"{task['train']:,}"
    return (
        f"{plan['epochs']} epochs over {size} train examples, batch {plan['batch']}, {plan['optimizer']}, rate {plan['rate']:g},"
        f" decay {plan['decay']:g}, schedule {plan['schedule']}. Trainable parameters: {counts}. Means over pairs that share"
        " nothing, with 95 % intervals of Student's t; differences with Welch's, or paired where the networks are the same."
    )
