"""Weight matching: coordinate descent over wires on the distance of the parameters."""

from dataclasses import dataclass
from operator import itemgetter
from typing import ClassVar

import torch

from parasym.core import BadInputError, Params
from parasym.orbit.alignment import Alignment
from parasym.orbit.block import Block, blocks_of
from parasym.orbit.canonical import standard_element
from parasym.orbit.descent import descend, propagate
from parasym.orbit.exact import best_of_all, may_try_all, plan_of
from parasym.orbit.method import AbstractMethod, Aligned
from parasym.orbit.objective import STATISTICS, norm
from parasym.symmetry import Element, Symmetry

SAME = 1e-11
"""Part of the largest inner product below which nothing is left to gain: the two are one up to rounding."""


@dataclass(frozen=True)
class WeightMatching(AbstractMethod):
    r"""Coordinate descent over wires: each wire is aligned exactly while the others are held.

    For a wire with inner products :math:`C_{ij} = \sum_T \langle a_T[i], b_T[j] \rangle` the best permutation solves a linear
    assignment, the best signed permutation one on :math:`C^{even} + |C^{odd}|`, the best rotation is Procrustes',
    the best phases are arguments. Outer wires (heads) come before inner ones. The first pass takes every wire as
    soon as it is anchored to settled axes. Where some wire is not, or the models are small, descent from the standard position of
    both models competes; if no result is better than the start, plain descent from the start replaces it. Where all wires but a
    few small ones can be solved exactly, every element of these is tried, and the result is the best there is
    (:meth:`is_exact`). Elsewhere it is a local optimum: assignment over several wires is NP-hard.

    Attributes:
        max_sweeps: Bound on the passes over all wires after the first, which 0 leaves alone: faster, and seldom much worse on
            networks with residual connections.
        restarts: Further descents from random permutations and signs, which need a ``generator``; the best is kept.
        noise: Standard deviations, in those of the inner products, of noise on the passes after the second, for
            wide wires: long descents end in better optima. It is the same on every call; empty for none.
        ignore: Shell patterns of names that do not count.

    References:
        Ainsworth, Hayase, Srinivasa. Git Re-Basin. ICLR 2023, https://arxiv.org/abs/2209.04836
        Theus et al. Generalized linear mode connectivity for transformers. NeurIPS 2025, https://arxiv.org/abs/2506.22712
    """

    blind_spots: ClassVar[tuple[str, ...]] = (
        "Units whose weights are equal or zero, and rotations among equal singular values: any order of them is as close.",
        "Maps of a linear wire that is wider than what passes through it: fitted by least squares, not determined.",
    )

    max_sweeps: int = 100
    restarts: int = 0
    noise: tuple[float, ...] = (0.3, 0.2, 0.1)
    ignore: tuple[str, ...] = STATISTICS

    def align(self, symmetry: Symmetry, a: Params, b: Params, *, generator: torch.Generator | None = None) -> Aligned:  # noqa: D102
        if self.restarts and generator is None:
            raise BadInputError(f"WeightMatching(restarts={self.restarts}) starts from random permutations: pass `generator`.")
        blocks = blocks_of(symmetry, self.ignore)
        state = Alignment(symmetry, blocks, a, b)
        start = state.value()
        anchored = propagate(state)
        descend(state, max_sweeps=self.max_sweeps, noise=self.noise)
        value, element = state.value(), state.element()
        if self.max_sweeps and (may_try_all(state) or not anchored) and value < (1 - SAME) * _most(state, b):
            plan = plan_of(state) if may_try_all(state) else None
            other = best_of_all(symmetry, blocks, plan, a, b) if plan else self._from_standard(symmetry, blocks, a, b)
            value, element = max((value, element), other, key=itemgetter(0))
        if value <= start:
            plain = Alignment(symmetry, blocks, a, b)
            descend(plain, max_sweeps=self.max_sweeps)
            value, element = plain.value(), plain.element()
        for _ in range(self.restarts):
            first = _random_start(symmetry, generator)
            trial = Alignment(symmetry, blocks, a, first(b))
            descend(trial, max_sweeps=self.max_sweeps)
            if trial.value() > value:
                value, element = trial.value(), trial.element() @ first
        return Aligned(element)

    def is_exact(self, symmetry: Symmetry, params: Params) -> bool:  # noqa: D102
        blocks = blocks_of(symmetry, self.ignore)
        state = Alignment(symmetry, blocks, params, params)
        return self.ignore == STATISTICS and self.max_sweeps > 0 and may_try_all(state) and plan_of(state) is not None

    def _from_standard(self, symmetry: Symmetry, blocks: tuple[Block, ...], a: Params, b: Params) -> tuple[float, Element]:
        """Return where descent ends if both models start in their standard position."""
        g, h = standard_element(symmetry, a), standard_element(symmetry, b)
        state = Alignment(symmetry, blocks, g(a), h(b))
        descend(state, max_sweeps=self.max_sweeps)
        return state.value(), ~g @ state.element() @ h


def _most(state: Alignment, b: Params) -> float:
    """Return the largest inner product that there can be: half the sum of the squared norms."""
    return (norm(state.a, ignore=()) ** 2 + norm({n: b[n] for n in state.a}, ignore=()) ** 2) / 2


def _random_start(symmetry: Symmetry, generator: torch.Generator | None) -> Element:
    chosen = tuple(k for k, f in enumerate(symmetry.factors) if not f.group.continuous)
    return symmetry.sample(generator=generator, only=chosen)
