"""Plain coordinate descent with scipy: every wire in turn, all inner products anew, an assignment each time.

The textbook method of Ainsworth, Hayase, Srinivasa, Git Re-Basin, ICLR 2023, https://arxiv.org/abs/2209.04836.
"""

from collections import defaultdict

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from parasym.core import Params
from parasym.groups import Permutation
from parasym.orbit.objective import counted
from parasym.symmetry import Binding, Element, Move, Symmetry


def permutations_only(symmetry: Symmetry) -> Symmetry:
    """Return the symmetry with its permutations alone, which is all that the peers know."""
    return symmetry.only(Permutation)


def descend_plainly(symmetry: Symmetry, a: Params, b: Params, *, generator: torch.Generator, max_sweeps: int = 100) -> Element:
    """Return permutations that bring ``b`` close to ``a``; the symmetry must have whole axes and permutations only."""
    names = set(counted(a, ("*running_mean", "*running_var")))
    places = [[_place(b) for b in f.bindings if b.tensor in names] for f in symmetry.factors]
    bearers: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for k, bindings in enumerate(places):
        for name, axis in bindings:
            bearers[name].append((axis, k))
    found = [torch.arange(f.wire.size) for f in symmetry.factors]
    for _ in range(max_sweeps):
        gained = False
        for k in torch.randperm(len(found), generator=generator).tolist():
            profit = torch.zeros(len(found[k]), len(found[k]))
            for name, axis in places[k]:
                moved = b[name]
                for other, wire in bearers[name]:
                    if other != axis:
                        moved = moved.index_select(other, found[wire])
                profit += _rows(a[name], axis) @ _rows(moved, axis).T
            rows = torch.arange(len(found[k]))
            best = torch.from_numpy(linear_sum_assignment(profit.numpy(), maximize=True)[1])
            gained |= bool(profit[rows, best].sum() > profit[rows, found[k]].sum() + 1e-12)
            found[k] = best
        if not gained:
            break
    return Element(symmetry, tuple(Move(f.id, p) for f, p in zip(symmetry.factors, found, strict=True)))


def _place(binding: object) -> tuple[str, int]:
    assert isinstance(binding, Binding)
    assert binding.slot is not None
    assert not binding.over
    return binding.tensor, binding.slot.axis


def _rows(x: Tensor, axis: int) -> Tensor:
    return x.movedim(axis, 0).reshape(x.shape[axis], -1)
