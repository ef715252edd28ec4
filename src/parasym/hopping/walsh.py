r"""Choose a point by decoding: the noisy cost on an orbit is nearly linear in the signs that the noise gives to its points.

.. math:: C(g\theta) \approx c_0 + \sum_\ell w_\ell\, \varepsilon_\ell(g), \qquad \varepsilon_\ell(g) = (-1)^{x_\ell \cdot g}.

A few dozen points fit the weights by ridge regression; the strength of the ridge is chosen by generalized cross-validation. Put
at place
:math:`x_\ell`, the weights' Walsh transform is the model at all points at once, and its minima are evaluated.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from parasym.circuits import NoiseCharacters
from parasym.core import BadInputError
from parasym.hopping.points import OrbitPoints
from parasym.hopping.random_elements import draw
from parasym.hopping.selector import AbstractSelector

RIDGES = tuple(10.0 ** (k / 2) for k in range(-12, 7))
"""Strengths of the ridge that are compared, relative to the largest singular value squared."""


@dataclass(frozen=True)
class WalshDecode(AbstractSelector):
    """The minima of a linear model in the characters of the noise, fitted to a few random points.

    It uses the circuit, the places of the noise, and evaluations of the cost; not the noise's strength, and no gradient.

    Attributes:
        characters: What the noise sees of every element (:func:`parasym.circuits.noise_characters`).
        samples: Points that the model is fitted to.
        verify: Minima of the model that are evaluated.
        most: Ranks up to this are searched in full by a Walsh transform, larger ones by flipping one and two bits at a time.

    Raises:
        BadInputError: If there are fewer than two samples, or nothing is evaluated.
    """

    characters: NoiseCharacters
    samples: int = 48
    verify: int = 4
    most: int = 18

    def __post_init__(self) -> None:
        if self.samples < 2 or self.verify < 1:
            raise BadInputError(f"WalshDecode needs 2 samples and 1 verified point, but has {self.samples} and {self.verify}.")

    def propose(self, points: OrbitPoints, *, generator: torch.Generator | None = None) -> Tensor:  # noqa: D102
        columns = character_columns(points, self.characters)
        coordinates = draw(self.samples, points.rank, generator=generator)
        values = points.costs(coordinates)
        start = dict(points.seen).get(tuple(points.start.tolist()))
        if start is not None:
            coordinates = torch.cat([points.start[None], coordinates])
            values = torch.cat([values.new_tensor([start]), values])
        best = coordinates[values.argmin()][None]
        if not columns:
            return best
        weights = fit(characters_of(coordinates, columns), values)
        if points.rank <= self.most:
            found = decoded(weights, columns, points.rank, self.verify)
        else:
            starts = coordinates[values.argsort()[: 4 * self.verify]]
            found = searched(weights, columns, starts, self.verify)
        checked = points.costs(found)
        return torch.cat([found[checked.argsort()], best])


def character_columns(points: OrbitPoints, characters: NoiseCharacters) -> tuple[int, ...]:
    """Return the distinct characters of an orbit but for the trivial one.

    Bit ``k`` of a character says whether generator ``k`` changes its sign.

    Args:
        points: The orbit.
        characters: What the noise sees.

    Raises:
        BadInputError: If the characters are of a circuit with another number of parameters.
    """
    if characters.size != len(points.angles):
        raise BadInputError(
            f"Argument `characters` is for {characters.size} parameters, but there are {len(points.angles)}: is it of "
            "this circuit?"
        )
    rows = [characters.of(action) for action in points.actions()]
    columns = [sum((row >> place & 1) << k for k, row in enumerate(rows)) for place in range(characters.num)]
    return tuple(dict.fromkeys(column for column in columns if column))


def characters_of(coordinates: Tensor, columns: tuple[int, ...]) -> Tensor:
    """Return the signs of points, of shape ``[k, characters]``.

    Args:
        coordinates: Bits of shape ``[k, rank]``.
        columns: The characters.
    """
    bits = torch.tensor([[column >> k & 1 for column in columns] for k in range(coordinates.shape[1])], dtype=torch.float64)
    return 1 - 2 * (coordinates.to(torch.float64) @ bits % 2)


def fit(signs: Tensor, values: Tensor) -> Tensor:
    r"""Return the weights of the linear model, without its constant, of shape ``[characters]``.

    The strength :math:`\lambda` minimizes generalized cross-validation, :math:`|y - \hat y|^2 / (K - \operatorname{tr}
    H_\lambda)^2`.

    Args:
        signs: Of shape ``[k, characters]``.
        values: Costs of shape ``[k]``.

    Example:
        >>> signs = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]], dtype=torch.float64)
        >>> fit(signs, 5 + 2 * signs[:, 0] - signs[:, 1]).round(decimals=3)
        tensor([ 2., -1.], dtype=torch.float64)
    """
    centered, y = signs - signs.mean(0), values - values.mean()
    u, s, vt = torch.linalg.svd(centered, full_matrices=False)
    squares, along = s**2, u.T @ y
    rest = float(y @ y - along @ along)
    scores = []
    for ridge in RIDGES:
        shrunk = squares / (squares + ridge * squares.max())
        freedom = len(y) - 1 - float(shrunk.sum())
        scores.append((max(rest, 0.0) + float((((1 - shrunk) * along) ** 2).sum())) / max(freedom, 1e-9) ** 2)
    ridge = RIDGES[int(torch.tensor(scores).argmin())] * squares.max()
    return vt.T @ (s / (squares + ridge) * along)


def decoded(weights: Tensor, columns: tuple[int, ...], rank: int, count: int) -> Tensor:
    """Return the minima of the model over all points, of shape ``[count, rank]``, by a fast Walsh transform.

    Args:
        weights: Of shape ``[characters]``.
        columns: The characters.
        rank: Number of generators.
        count: How many.

    Example:
        >>> decoded(torch.tensor([1.0, 0.5]), (0b01, 0b11), 2, 1)  # the first character -1, the second too
        tensor([[1, 0]])
    """
    model = torch.zeros(2**rank, dtype=torch.float64)
    model.index_add_(0, torch.tensor(columns), weights.to(torch.float64))
    for k in range(rank):
        pairs = model.reshape(-1, 2, 2**k)
        model = torch.stack([pairs[:, 0] + pairs[:, 1], pairs[:, 0] - pairs[:, 1]], dim=1).reshape(-1)
    lowest = model.topk(min(count, len(model)), largest=False).indices
    return lowest[:, None] >> torch.arange(rank) & 1


def searched(weights: Tensor, columns: tuple[int, ...], starts: Tensor, count: int) -> Tensor:
    """Return low points of the model, of shape ``[at most count, rank]``, by flipping one and two bits from some starts.

    Args:
        weights: Of shape ``[characters]``.
        columns: The characters.
        starts: Bits of shape ``[k, rank]``.
        count: How many.
    """
    rank = starts.shape[1]
    flips = torch.eye(rank, dtype=torch.int64)
    pairs = torch.combinations(torch.arange(rank))
    steps = torch.cat([flips, flips[pairs[:, 0]] + flips[pairs[:, 1]]])
    turns = characters_of(steps, columns)
    found: dict[tuple[int, ...], float] = {}
    for start in starts:
        here = start.clone()
        signs = characters_of(here[None], columns)[0]
        while True:
            change = (turns - 1) @ (signs * weights)
            k = int(change.argmin())
            if change[k] >= -1e-12:
                break
            here, signs = here ^ steps[k], signs * turns[k]
        found[tuple(here.tolist())] = float(signs @ weights)
    return torch.tensor(sorted(found, key=found.__getitem__)[:count], dtype=torch.int64)
