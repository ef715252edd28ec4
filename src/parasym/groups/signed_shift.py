"""Sign flips and half turns of angles: the symmetries of Pauli rotations."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import pi

import numpy as np
import torch
from torch import Tensor

from parasym.core import BadInputError
from parasym.groups.abstract import AbstractGroup, along


@dataclass(frozen=True)
class SignedShift(AbstractGroup):
    r"""A group of sign flips and half turns of angles.

    .. math:: \theta_j \mapsto c_j + s_j(\theta_j - c_j) + b_j u_j, \qquad s_j = \pm 1,\; b_j \in \{0, 1\}.

    Angle :math:`j` has the period :math:`2u_j`, so every element is its own inverse and the group is elementary abelian
    of order :math:`2^d`. A Pauli rotation :math:`R_P(t) = e^{-itP/2}` obeys

    .. math:: Q\,R_P(t)\,Q = R_P(\pm t), \qquad R_P(t + \pi) = -iP\,R_P(t),

    so Pauli words pushed through a circuit flip and shift its angles. Which combinations leave the cost unchanged is
    said by the generators; ``parasym.verify`` checks it.

    Elements are integer tensors of shape ``[2, n]``: the bits of the signs, then those of the shifts. The dual is the inverse.

    Attributes:
        size: Number of angles ``n``.
        generators: Independent generators, each a hexadecimal number whose bit ``j`` flips angle ``j`` and whose bit
            ``n + j`` shifts it; all flips and shifts if ``None``.
        units: The shifts :math:`u_j`; pi if empty. An angle with unit 0 has no period.
        centers: The fixed points :math:`c_j` of the flips; 0 if empty.

    Example:
        >>> group = SignedShift(2, ("0xe",))  # flip angle 1, shift both
        >>> group.order, group.act(group.element(1), torch.tensor([0.1, 0.2]), 0)
        (2, tensor([3.2416, 2.9416]))
        >>> a, b = torch.tensor([0.1, 0.2]), group.act(group.element(1), torch.tensor([0.1, 0.2]), 0)
        >>> (a.cos().prod(), b.cos().prod()), (a.sin().prod(), b.sin().prod())  # invariant: equal; any other: different
        ((tensor(0.9752), tensor(0.9752)), (tensor(0.0198), tensor(-0.0198)))

    References:
        Fontana, Cerezo, Arrasmith, Rungger, Coles. Non-trivial symmetries in quantum landscapes and their resilience to
        quantum noise. Quantum 6, 804, 2022, https://arxiv.org/abs/2011.08763
    """

    generators: tuple[str, ...] | None = None
    units: tuple[float, ...] = ()
    centers: tuple[float, ...] = ()

    symbol = "Z2"
    continuous = False
    element_ndim = 2

    def __post_init__(self) -> None:
        for name, values in (("units", self.units), ("centers", self.centers)):
            if values and len(values) != self.size:
                raise BadInputError(f"Argument `{name}` must have {self.size} entries or none, but has {len(values)}.")
        if any(int(g, 16) >> 2 * self.size for g in self.generators or ()):
            raise BadInputError(
                f"Argument `generators` must have numbers of at most {2 * self.size} bits for {self.size} angles."
            )

    @property
    def label(self) -> str:  # noqa: D102
        return f"{self.symbol}^{self.rank}"

    @property
    def isometric(self) -> bool:  # noqa: D102
        return False

    @property
    def rank(self) -> int:
        """Number of independent generators ``d``."""
        return len(self.rows)

    @property
    def order(self) -> int:  # noqa: D102
        return 2**self.rank

    @cached_property
    def rows(self) -> tuple[int, ...]:
        """The generators as numbers."""
        if self.generators is None:
            return tuple(1 << k for k in range(2 * self.size))
        return tuple(int(g, 16) for g in self.generators)

    @cached_property
    def packed(self) -> np.ndarray:
        """The generators as packed bits, of shape ``[d, bytes]``, the lowest bit first."""
        width = (2 * self.size + 7) // 8
        data = b"".join(row.to_bytes(width, "little") for row in self.rows)
        return np.frombuffer(data, dtype=np.uint8).reshape(self.rank, width)

    def element(self, coordinates: int | Sequence[int]) -> Tensor:
        """Return the product of some generators.

        Args:
            coordinates: A number whose bit ``k`` says whether generator ``k`` takes part, or a sequence of bits.
        """
        chosen = coordinates if isinstance(coordinates, int) else sum(int(bit) << k for k, bit in enumerate(coordinates))
        bits = 0
        while chosen:
            low = (chosen & -chosen).bit_length() - 1
            bits ^= self.rows[low]
            chosen &= chosen - 1
        return self._unpacked(np.frombuffer(bits.to_bytes((2 * self.size + 7) // 8, "little"), dtype=np.uint8))

    def elements(self) -> Iterator[Tensor]:  # noqa: D102
        for k in range(self.order):
            yield self.element(k)

    def contains(self, g: Tensor) -> bool:
        """Return whether an element, of shape ``[2, n]``, is a product of generators.

        Args:
            g: The element.
        """
        data = np.packbits(g.detach().cpu().numpy().astype(np.uint8).reshape(-1), bitorder="little")
        return _reduce(int.from_bytes(data.tobytes(), "little"), self._echelon) == 0

    def cosets(self, subgroup: "SignedShift") -> "SignedShift":
        """Return a complement of a subgroup: each of its elements represents one coset, and every coset has one.

        Args:
            subgroup: A group on the same angles, every element of which is in this one.

        Raises:
            BadInputError: If it is not a subgroup.
        """
        if (self.size, self._units, self._centers) != (subgroup.size, subgroup._units, subgroup._centers):
            raise BadInputError("Argument `subgroup` must act on the same angles by the same shifts.")
        if any(_reduce(row, self._echelon) for row in subgroup.rows):
            raise BadInputError("Argument `subgroup` has elements that the group does not have: exchange the two.")
        echelon, kept = dict(subgroup._echelon), []
        for row in self.rows:
            rest = _reduce(row, echelon)
            if rest:
                echelon[rest.bit_length()] = rest
                kept.append(hex(row))
        return SignedShift(self.size, tuple(kept), self.units, self.centers)

    def identity(self, batch: tuple[int, ...] = (), *, dtype: torch.dtype, device: torch.device | str = "cpu") -> Tensor:  # noqa: D102
        return torch.zeros(*batch, 2, self.size, dtype=torch.int64, device=device)

    def sample(  # noqa: D102
        self,
        batch: tuple[int, ...] = (),
        *,
        generator: torch.Generator | None = None,
        dtype: torch.dtype,
        device: torch.device | str = "cpu",
    ) -> Tensor:
        if not self.rank:
            return self.identity(batch, dtype=dtype, device=device)
        chosen = torch.randint(0, 2, (*batch, self.rank), generator=generator).bool().numpy().reshape(-1, self.rank)
        out = [self._unpacked(np.bitwise_xor.reduce(self.packed[row], axis=0)) for row in chosen]
        return torch.stack(out).reshape(*batch, 2, self.size).to(device)

    def compose(self, g: Tensor, h: Tensor) -> Tensor:  # noqa: D102
        return (g + h) % 2

    def inverse(self, g: Tensor) -> Tensor:  # noqa: D102
        return g.clone()

    def act(self, g: Tensor, x: Tensor, axis: int, *, dual: bool = False) -> Tensor:  # noqa: D102
        self.check(x, axis)
        batch, unit, center = g.ndim - 2, *self._scales(x)
        sign = 1 - 2 * along(g[..., 0, :], batch, x, axis).to(x)
        shift = along(g[..., 1, :].to(x) * unit, batch, x, axis)
        center = along(center, 0, x, axis)
        # The inverse undoes the shift before the flip; modulo the period the two are the same.
        return center + sign * (x - center - shift) if dual else center + sign * (x - center) + shift

    def wrap(self, x: Tensor, axis: int) -> Tensor:
        """Return angles, or differences of angles, moved by whole periods into ``[-u, u]``.

        Args:
            x: A tensor with the angles along ``axis``.
            axis: The axis.
        """
        unit = along(self._scales(x)[0], 0, x, axis)
        period = torch.where(unit > 0, 2 * unit, torch.inf)
        turns = (x / period).round()
        return torch.where(torch.isinf(period), x, x - turns * torch.where(torch.isinf(period), 0.0, period))

    @property
    def _units(self) -> tuple[float, ...]:
        return self.units or (pi,) * self.size

    @property
    def _centers(self) -> tuple[float, ...]:
        return self.centers or (0.0,) * self.size

    def _scales(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return tuple(torch.tensor(v, dtype=torch.float64).to(x) for v in (self._units, self._centers))  # pyright: ignore[reportReturnType]

    def _unpacked(self, packed: np.ndarray) -> Tensor:
        bits = np.unpackbits(packed, bitorder="little")[: 2 * self.size]
        return torch.from_numpy(bits.astype(np.int64)).reshape(2, self.size)

    @cached_property
    def _echelon(self) -> dict[int, int]:
        echelon: dict[int, int] = {}
        for row in self.rows:
            rest = _reduce(row, echelon)
            if rest:
                echelon[rest.bit_length()] = rest
        return echelon


def _reduce(row: int, echelon: dict[int, int]) -> int:
    """Return what is left of a row of bits when rows with other leading bits are added, so that none of theirs leads it."""
    while row and row.bit_length() in echelon:
        row ^= echelon[row.bit_length()]
    return row
