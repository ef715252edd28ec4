r"""The matrices of windows as products of factors with one angle each, and the chain rule through these products.

A factor is :math:`F(a) = F_0 + \cos a\,F_1 + \sin a\,F_2`: a rotation together with the fixed matrices around it. Everything is
numpy in float64, and done for all windows at once: the first factors of all, then the second ones of those that have one, and so
on, where those with most factors come first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
import torch

from parasym.circuits.fuse import Block, widened
from parasym.circuits.pauli import Pauli
from parasym.circuits.plane import planes_of
from parasym.circuits.window import Window


@dataclass(frozen=True, eq=False)
class Products:
    """The matrices of windows as functions of the angles. See :func:`products_of`.

    Attributes:
        side: Of every matrix.
        levels: For every level the place of its factors; a level has those of the first so many windows.
        rotations: The number of the rotation in every factor.
        terms: The three terms of every factor, of shape ``[3, factors, side**2]``.
    """

    side: int
    levels: tuple[slice, ...]
    rotations: np.ndarray
    terms: np.ndarray

    def evaluated(self, angles: np.ndarray) -> "Evaluated":
        """Return factors and products at these angles.

        Args:
            angles: Of every rotation, of shape ``[rotations]``.
        """
        own = angles[self.rotations][:, None]
        cos, sin = np.cos(own), np.sin(own)
        flat = cos * self.terms[1]
        flat += sin * self.terms[2]
        flat += self.terms[0]
        factors = [flat.reshape(-1, self.side, self.side)[level] for level in self.levels]
        partial = factors[:1]
        for factor in factors[1:]:
            partial.append(factor @ partial[-1][: len(factor)])
        matrices = partial[0].copy() if partial else np.empty((0, self.side, self.side))
        for product in partial[1:]:
            matrices[: len(product)] = product
        return Evaluated(matrices, factors, partial, cos[:, 0], sin[:, 0])

    def pull_back(self, slopes: np.ndarray, at: "Evaluated") -> np.ndarray:
        """Return derivatives by the angles of all factors from those by all matrices.

        Args:
            slopes: Derivatives by the matrices, of shape ``[windows, side, side]``; overwritten.
            at: What :meth:`evaluated` returned.
        """
        by_factor = np.empty((len(self.rotations), self.side, self.side))
        for level in reversed(range(len(self.levels))):
            factor = at.factors[level]
            here = slopes[: len(factor)]
            by_factor[self.levels[level]] = here @ _transposed(at.partial[level - 1][: len(factor)]) if level else here
            if level:
                slopes[: len(factor)] = _transposed(factor) @ here
        flat = by_factor.reshape(len(self.rotations), self.side**2)
        by_cos, by_sin = (np.einsum("fk,fk->f", flat, term) for term in self.terms[1:])
        return at.cos * by_sin - at.sin * by_cos


@dataclass(frozen=True, eq=False)
class Evaluated:
    """Factors and their products at one vector of angles.

    Attributes:
        matrices: The products, of shape ``[windows, side, side]``.
        factors: By level.
        partial: The products of the factors of a level and of all before it.
        cos: Of the angle of every factor.
        sin: Likewise.
    """

    matrices: np.ndarray
    factors: list[np.ndarray]
    partial: list[np.ndarray]
    cos: np.ndarray
    sin: np.ndarray


def products_of(windows: Sequence[Window]) -> Products:
    """Return the matrices of windows with rotations as functions of the angles.

    Args:
        windows: All on the same number of qubits, which is one or two, those with most rotations first.
    """
    factors = [_factors(window) for window in windows]
    levels = [[f[level] for f in factors if len(f) > level] for level in range(max(map(len, factors), default=0))]
    ends = np.cumsum([0, *map(len, levels)]).tolist()
    flat = [factor for level in levels for factor in level]
    side = 4 ** max((len(window.qubits) for window in windows), default=0)
    return Products(
        side,
        tuple(slice(a, b) for a, b in pairwise(ends)),
        np.array([number for number, _ in flat], dtype=int),
        np.ascontiguousarray(np.array([terms for _, terms in flat]).reshape(-1, 3, side**2).swapaxes(0, 1)),
    )


def fixed_matrix(window: Window) -> np.ndarray:
    """Return the matrix of a window without rotations.

    Args:
        window: The window.
    """
    out = np.eye(4 ** len(window.qubits))
    for part in window.parts:
        assert isinstance(part, Block)
        out = widened(part, window.qubits).numpy() @ out
    return out


def _transposed(matrices: np.ndarray) -> np.ndarray:
    return matrices.swapaxes(-1, -2)


def _factors(window: Window) -> list[tuple[int, np.ndarray]]:
    """Return the number of every rotation, and the three terms of its factor, of shape ``[3, side, side]``."""
    out: list[tuple[int, np.ndarray]] = []
    first = np.eye(4 ** len(window.qubits))
    for part in window.parts:
        if not isinstance(part, Block):
            number, rotation = part
            out.append((number, _terms(rotation.pauli.restricted(window.qubits), len(window.qubits)) @ first))
            first = np.eye(len(first))
        elif out:
            out[-1] = out[-1][0], widened(part, window.qubits).numpy() @ out[-1][1]
        else:
            first = widened(part, window.qubits).numpy() @ first
    return out


@cache
def _terms(word: Pauli, num_qubits: int) -> np.ndarray:
    """Return the matrix of a rotation as a constant, a multiple of the cosine and one of the sine; shape ``[3, side, side]``."""
    planes, one, zero = planes_of(word, num_qubits), torch.ones(()), torch.zeros(())
    identity = torch.eye(4**num_qubits, dtype=torch.float64)
    constant = planes.turned(identity, zero, zero)
    return torch.stack([constant, identity - constant, planes.turned(identity, zero, one) - constant]).numpy()
