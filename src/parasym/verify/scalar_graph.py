"""Expressions in single numbers, with equal ones shared: the nodes of a network's scalar graph."""

from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from itertools import starmap

import torch
from torch import Tensor


@dataclass
class ScalarGraph:
    """A directed graph whose nodes are scalars and whose edges lead to what they are computed from.

    The children of a node are unordered; where the order matters they are wrapped in argument nodes. Sums and
    products are flattened, zeros and ones dropped, and equal expressions are one node, so that an automorphism
    that fixes the leaves fixes everything.

    Attributes:
        colors: What each node computes; an automorphism keeps it.
        children: The nodes that each node reads.
    """

    colors: list[Hashable] = field(default_factory=list)
    children: list[tuple[int, ...]] = field(default_factory=list)
    _known: dict[tuple[Hashable, tuple[int, ...]], int] = field(default_factory=dict)

    def leaf(self, color: Hashable) -> int:
        """Return a new node without children.

        Args:
            color: Its color; leaves of one color may be exchanged.
        """
        self.colors.append(color)
        self.children.append(())
        return len(self.colors) - 1

    def leaves(self, shape: torch.Size, color: Callable[[int], Hashable]) -> Tensor:
        """Return an integer tensor of new leaves.

        Args:
            shape: Its shape.
            color: Color by position in the flattened tensor.
        """
        return torch.tensor([self.leaf(color(k)) for k in range(shape.numel())], dtype=torch.int64).reshape(shape)

    def constant(self, value: float) -> int:
        """Return the node of a number.

        Args:
            value: The number.
        """
        return self.node(("constant", float(value)), ())

    def constants(self, values: Tensor) -> Tensor:
        """Return the nodes of a tensor of numbers.

        Args:
            values: Numbers of any shape.
        """
        flat = [self.constant(v) for v in values.reshape(-1).tolist()]
        return torch.tensor(flat, dtype=torch.int64).reshape(values.shape)

    def node(self, color: Hashable, children: tuple[int, ...]) -> int:
        """Return the node of an operation on an unordered collection of nodes.

        Args:
            color: The operation.
            children: What it reads; repeated nodes count.
        """
        counts = Counter(children)
        key = (color, tuple(sorted(starmap(self._repeated, counts.items()))))
        if key not in self._known:
            self._known[key] = self.leaf(color)
            self.children[-1] = key[1]
        return self._known[key]

    def ordered(self, color: Hashable, children: tuple[int, ...]) -> int:
        """Return the node of an operation on a sequence of nodes.

        Args:
            color: The operation.
            children: What it reads, in order.
        """
        if len(children) == 1:
            return self.node(color, children)
        return self.node(color, tuple(self.node(("argument", k), (child,)) for k, child in enumerate(children)))

    def total(self, terms: list[int]) -> int:
        """Return the sum of nodes, flattened and without zeros.

        Args:
            terms: The nodes.
        """
        return self._flat("add", terms, neutral=self.constant(0.0))

    def product(self, factors: list[int]) -> int:
        """Return the product of nodes, flattened and without ones; zero if a factor is zero.

        Args:
            factors: The nodes.
        """
        zero = self.constant(0.0)
        return zero if zero in factors else self._flat("multiply", factors, neutral=self.constant(1.0))

    def _flat(self, color: str, terms: list[int], *, neutral: int) -> int:
        flat: list[int] = []
        for term in terms:
            flat.extend(self._expanded(term) if self.colors[term] == color else [term])
        flat = [term for term in flat if term != neutral]
        if len(flat) < 2:
            return flat[0] if flat else neutral
        return self.node(color, tuple(flat))

    def _repeated(self, child: int, count: int) -> int:
        return child if count == 1 else self.node(("times", count), (child,))

    def _expanded(self, node: int) -> list[int]:
        """Return the terms of a sum or factors of a product, repeated ones as often as they occur."""
        out: list[int] = []
        for child in self.children[node]:
            color = self.colors[child]
            repeated = isinstance(color, tuple) and color[0] == "times"
            out.extend([self.children[child][0]] * color[1] if repeated else [child])  # pyright: ignore
        return out
