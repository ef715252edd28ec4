"""Discrete completeness of small networks, against the automorphisms of their scalar graph."""

from collections.abc import Hashable
from dataclasses import dataclass
from math import prod
from typing import Any

from torch import Tensor, nn

from parasym.core import BadInputError, Verdict
from parasym.symmetry import Symmetry
from parasym.verify.scalar_graph import ScalarGraph
from parasym.verify.scalar_trace import trace

MOST_VERTICES = 20000
_EXACT = 10**10


@dataclass(frozen=True)
class DiscreteCompleteness:
    """How many permutations of parameter entries a network has, and how many of them were claimed.

    Attributes:
        order: Order of the automorphism group of the scalar graph.
        claimed: Order of the permutations of the symmetry.
        vertices: Size of the graph.
    """

    order: int
    claimed: int
    vertices: int

    @property
    def complete(self) -> Verdict:
        """Whether all were claimed; "unsure" if more were claimed than the graph shows."""
        return "yes" if self.order == self.claimed else "no" if self.order > self.claimed else "unsure"


def discrete_completeness(
    model: nn.Module, symmetry: Symmetry, args: tuple[Any, ...] | Tensor = (), kwargs: dict[str, Any] | None = None
) -> DiscreteCompleteness:
    """Return the number of permutations of parameters that a small network has, and the number claimed.

    Every number that the network computes becomes a vertex, colored by the operation; every entry of an input or
    output and every constant has a color of its own, all free parameters share one. The automorphisms of this graph
    are the permutations of parameter entries that leave the computation the same, counted by nauty and not by any
    rule of this package.

    Free are the parameters that require a gradient and whatever the symmetry moves. Only permutations
    are counted: signs, and identities that are not visible in the graph, are not.

    Args:
        model: A small module.
        symmetry: The claim.
        args: Positional inputs; a lone tensor counts as one input. Batches of one suffice.
        kwargs: Keyword inputs.

    Raises:
        BadInputError: If pynauty is not installed, an operation has no scalar form, or the graph is too large.

    Example:
        >>> import torch
        >>> model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2))
        >>> found = discrete_completeness(model, Symmetry((), ()), (torch.randn(1, 2),))
        >>> found.order, found.claimed, found.complete
        (6, 1, 'no')

    References:
        McKay, Piperno. Practical graph isomorphism, II. 2014.
    """
    free = {name for name, p in model.named_parameters() if p.requires_grad}
    free |= {name for factor in symmetry.factors for name in factor.tensors}
    args = (args,) if isinstance(args, Tensor) else tuple(args)
    graph, _, outputs = trace(model, args, dict(kwargs or {}), free)
    order, vertices = _automorphisms(graph, outputs)
    claimed = prod(f.order for f in symmetry.factors if f.group.permutes)
    return DiscreteCompleteness(order, claimed, vertices)


def _automorphisms(graph: ScalarGraph, outputs: list[int]) -> tuple[int, int]:
    """Return the order of the group and the number of vertices that the outputs depend on."""
    try:
        import pynauty
    except ImportError as error:
        raise BadInputError("Counting automorphisms needs pynauty: `pip install pynauty` (the `test` extra has it).") from error
    edges, colors = _reachable(graph, outputs)
    if len(edges) > MOST_VERTICES:
        raise BadInputError(f"The scalar graph has {len(edges)} vertices, more than {MOST_VERTICES}. Compare a smaller model.")
    if not edges:
        return 1, 0
    cells: dict[Hashable, set[int]] = {}
    for vertex, level in enumerate(_levels(edges)):
        cells.setdefault((level, colors[vertex]), set()).add(vertex)
    ordered = [cells[color] for color in sorted(cells, key=repr)]
    # Levels tell which end of an edge reads the other, and nauty refines undirected graphs far better.
    found = pynauty.Graph(len(edges), adjacency_dict=edges, vertex_coloring=ordered)
    generators, mantissa, exponent, _, _ = pynauty.autgrp(found)
    order = round(mantissa * 10.0**exponent) if exponent <= 10 else _EXACT
    return (order if order < _EXACT else _exact(generators)), len(edges)


def _exact(generators: list[list[int]]) -> int:
    # nauty counts in floating point; torch itself depends on sympy, which counts exactly.
    from sympy.combinatorics import Permutation as Cycle
    from sympy.combinatorics import PermutationGroup

    moved = sorted({k for g in generators for k, image in enumerate(g) if k != image})
    place = {k: n for n, k in enumerate(moved)}
    return int(PermutationGroup([Cycle([place[g[k]] for k in moved]) for g in generators]).order())


def _reachable(graph: ScalarGraph, outputs: list[int]) -> tuple[dict[int, list[int]], dict[int, Hashable]]:
    """Return children and colors of the vertices that the outputs depend on, renumbered, with a marker on every output."""
    number: dict[int, int] = {}
    stack = list(outputs)
    while stack:
        node = stack.pop()
        if node not in number:
            number[node] = len(number)
            stack.extend(graph.children[node])
    edges = {k: [number[child] for child in graph.children[node]] for node, k in number.items()}
    colors = {k: graph.colors[node] for node, k in number.items()}
    for place, node in enumerate(outputs):
        edges[len(edges)] = [number[node]]
        colors[len(colors)] = ("output", place)
    return edges, colors


def _levels(edges: dict[int, list[int]]) -> list[int]:
    """Return the length of the longest path down from every vertex."""
    levels = [-1] * len(edges)
    for root in edges:
        stack = [root]
        while stack:
            vertex = stack[-1]
            waiting = [child for child in edges[vertex] if levels[child] < 0]
            if waiting:
                stack.extend(waiting)
            else:
                levels[stack.pop()] = 1 + max((levels[child] for child in edges[vertex]), default=-1)
    return levels
