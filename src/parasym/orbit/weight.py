"""Weight matching: coordinate descent over wires on the distance of the parameters."""

from dataclasses import dataclass

import torch

from parasym.core import BadInputError, Params
from parasym.orbit.alignment import Alignment
from parasym.orbit.block import blocks_of
from parasym.orbit.descent import descend, propagate
from parasym.orbit.method import AbstractMethod
from parasym.orbit.objective import STATISTICS
from parasym.symmetry import Element, Symmetry


@dataclass(frozen=True)
class WeightMatching(AbstractMethod):
    r"""Coordinate descent over wires: each wire is aligned exactly while the others are held.

    For a wire with inner products :math:`C_{ij} = \sum_T \langle a_T[i], b_T[j] \rangle` the best permutation solves a linear
    assignment, the best signed permutation one on :math:`C^{even} + |C^{odd}|`, the best rotation is Procrustes',
    the best phases are arguments. Outer wires (heads) come before inner ones. The first pass takes every wire as
    soon as it touches settled wires only; if the result is no better than the start, plain descent from the start
    replaces it. A local optimum in general: assignment over several wires is NP-hard.

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

    max_sweeps: int = 100
    restarts: int = 0
    noise: tuple[float, ...] = (0.3, 0.2, 0.1)
    ignore: tuple[str, ...] = STATISTICS

    def align(self, symmetry: Symmetry, a: Params, b: Params, *, generator: torch.Generator | None = None) -> Element:  # noqa: D102
        if self.restarts and generator is None:
            raise BadInputError(f"WeightMatching(restarts={self.restarts}) starts from random permutations: pass `generator`.")
        blocks = blocks_of(symmetry, self.ignore)
        best = Alignment(symmetry, blocks, a, b)
        start = best.value()
        propagate(best)
        descend(best, max_sweeps=self.max_sweeps, noise=self.noise)
        value, element = best.value(), best.element()
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
        return element


def _random_start(symmetry: Symmetry, generator: torch.Generator | None) -> Element:
    chosen = tuple(k for k, f in enumerate(symmetry.factors) if not f.group.continuous)
    return symmetry.sample(generator=generator, only=chosen)
