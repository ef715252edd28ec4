"""Hop along an orbit of angles to the point of lowest noisy cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from parasym.core import BadInputError
from parasym.hopping.points import Cost, OrbitPoints
from parasym.hopping.random_elements import RandomElements
from parasym.hopping.selector import AbstractSelector
from parasym.symmetry import Element, Symmetry


@dataclass(frozen=True, eq=False)
class Hop:
    """A hop, or the decision to stay.

    Attributes:
        angles: Where it leads, of shape ``[M]``.
        element: The element that leads there; without effect if it stays.
        signs: What derivatives and momenta of the angles are multiplied with, of shape ``[M]``.
        before: Cost of the start; with shots the mean of the last comparison.
        after: Cost of the point that it leads to, from the same comparison.
        evaluations: How often the cost was evaluated.
        moved: Whether it leads elsewhere.
        costs: All costs that were seen on the orbit, in order.
    """

    angles: Tensor
    element: Element
    signs: Tensor
    before: float
    after: float
    evaluations: int
    moved: bool
    costs: Tensor

    @property
    def gain(self) -> float:
        """By how much the cost fell."""
        return self.before - self.after

    def carry(self, momentum: Tensor) -> Tensor:
        r"""Return a momentum, or anything else that transforms like the gradient, at the new point: :math:`m \\mapsto s m`.

        Squares of gradients, such as Adam's second moment, stay as they are.

        Args:
            momentum: Of shape ``[M]``.
        """
        return momentum * self.signs.to(momentum)


def hop(
    symmetry: Symmetry,
    cost: Cost,
    angles: Tensor | Any,
    *,
    selector: AbstractSelector = RandomElements(),
    cosets: Symmetry | None = None,
    repeats: int = 3,
    stochastic: bool | None = None,
    generator: torch.Generator | None = None,
) -> Hop:
    r"""Return the way to a point of the orbit with a lower cost, or stay.

    Without noise all points :math:`g\theta` have the same cost. Noise that is not a Pauli channel tells them apart, and a
    selector looks for a better one. The result is never worse than the start: with exact costs by comparison, with shots by
    evaluating the start and the best candidates anew, ``repeats`` times each. A candidate that is not better by one standard
    error of the difference is a tie, and a tie stays. Under noise that preserves the symmetry, such as depolarizing, all costs
    are equal and nothing moves.

    Args:
        symmetry: The symmetry of the circuit without noise.
        cost: Returns the noisy cost of a vector of angles, of shape ``[M]``; if its attribute ``batched`` is true, of ``[K, M]``.
        angles: The start, of shape ``[M]``: the parameters, flattened and joined.
        selector: How to look for candidates.
        cosets: Representatives of what the noise tells apart (``symmetry.cosets(find(circuit, noise=...))``); all of the
            symmetry if ``None``.
        repeats: Evaluations of each in the last comparison with shots.
        stochastic: Whether the cost has shots; if ``None`` it is taken from ``cost.shots`` or by evaluating the start twice.
        generator: Source of randomness, on the CPU.

    Raises:
        BadInputError: If the symmetry is not one of angles, the cosets are none of its, or the cost is not finite.
        ShapeError: If there are more or fewer angles.

    Example:
        >>> from parasym.circuits import NoiseModel, amplitude_damping, depolarizing, ising_ring, layered, transfer, with_noise
        >>> from parasym.circuits import find_circuit
        >>> circuit = layered(3, 2, final=True, observables=(ising_ring(3),))
        >>> x = torch.arange(9, dtype=torch.float64)
        >>> for channel in (amplitude_damping(0.05, 0), depolarizing(0.05, 0)):
        ...     noisy = transfer(with_noise(circuit, NoiseModel((), (channel,))))
        ...     found = hop(find_circuit(circuit), noisy.cost, x, generator=torch.Generator().manual_seed(0))
        ...     print(f"{found.before:.4f} {found.after:.4f} {found.moved}")
        1.1620 1.0163 True
        0.9445 0.9445 False

    References:
        Fontana, Cerezo, Arrasmith, Rungger, Coles. Non-trivial symmetries in quantum landscapes and their resilience to
        quantum noise. Quantum 6, 804, 2022, https://arxiv.org/abs/2011.08763
    """
    if repeats < 1:
        raise BadInputError(f"Argument `repeats` must be at least 1, but is {repeats}.")
    points = OrbitPoints(cosets if cosets is not None else symmetry, cost, torch.as_tensor(angles), whole=symmetry)
    start = points.start[None]
    before = float(points.costs(start))
    if points.rank == 0:
        return _stay(points, before)
    if stochastic is None:
        shots = getattr(cost, "shots", False)
        stochastic = shots is not None if shots is not False else float(points.costs(start)) != before
    candidates = selector.propose(points, generator=generator)
    candidates = candidates[candidates.any(1)]
    if not len(candidates):
        return _stay(points, before)
    if stochastic:
        return _compared(points, candidates, repeats)
    known: Mapping[tuple[int, ...], float] = dict(points.seen)
    values = [known[key] if key in known else float(points.costs(c[None])) for c in candidates for key in [tuple(c.tolist())]]
    best = min(range(len(values)), key=values.__getitem__)
    gain = before - values[best]
    # Costs that are equal in exact arithmetic differ by rounding: that is no reason to move.
    if gain <= 1e-10 * max(1.0, abs(before)):
        return _stay(points, before)
    return _move(points, candidates[best], before, values[best])


def _compared(points: OrbitPoints, candidates: Tensor, repeats: int) -> Hop:
    """Return the hop to the best candidate if it is better than the start in an evaluation of its own."""
    distinct = torch.unique(candidates, dim=0)
    if len(distinct) > 1:  # whoever won a noisy race is overrated: the winners run again
        distinct = distinct[points.costs(distinct).argmin()][None]
    values = points.costs(torch.cat([points.start[None], distinct]).repeat_interleave(repeats, dim=0)).reshape(2, repeats)
    means = values.mean(1)
    error = float((values.var(1).mean() * 2 / repeats).sqrt()) if repeats > 1 else 0.0
    if float(means[0] - means[1]) <= error:
        return _stay(points, float(means[0]))
    return _move(points, distinct[0], float(means[0]), float(means[1]))


def _stay(points: OrbitPoints, before: float) -> Hop:
    signs = torch.ones_like(points.angles)
    return _result(points, points.angles.clone(), points.element(points.start), signs, before, before, moved=False)


def _move(points: OrbitPoints, where: Tensor, before: float, after: float) -> Hop:
    angles, signs = points.at(where[None])[0], points.signs(where[None])[0]
    return _result(points, angles, points.element(where), signs, before, after, moved=True)


def _result(
    points: OrbitPoints, angles: Tensor, element: Element, signs: Tensor, before: float, after: float, *, moved: bool
) -> Hop:
    costs = torch.tensor([value for _, value in points.seen], dtype=torch.float64)
    return Hop(angles, element, signs, before, after, len(points.seen), moved, costs)
