"""Squared norms of channels under scalings, without scaling any tensor."""

from fractions import Fraction

import torch
from torch import Tensor

from parasym.core import Params
from parasym.orbit.alignment import is_whole
from parasym.symmetry import Binding, Factor


class Energies:
    r"""Squared entries of every tensor, summed over the axes that no scaling moves, and the logarithms of the scales so far.

    Scales :math:`e^{u_i}` and :math:`e^{v_j}` of two axes change the energy of channel ``i`` to
    :math:`e^{2u_i} \sum_j M_{ij} e^{2v_j}`: a product with a vector, where moving the tensor itself would copy it.

    Example:
        >>> from parasym.groups import PositiveScaling
        >>> from parasym.symmetry import Slot, Wire
        >>> wire = Wire("hidden", 2)
        >>> out = Binding("up", Slot.whole(0, 2))
        >>> back = Binding("down", Slot.whole(1, 2), power=Fraction(-1))
        >>> factor = Factor(PositiveScaling(2), wire, (), (out, back))
        >>> energies = Energies([factor], {"up": torch.eye(2), "down": torch.ones(1, 2)})
        >>> energies.scale(0, torch.tensor([2.0, 1.0]).log())
        >>> {int(p): [round(x, 4) for x in e.tolist()] for p, e in energies.of(0).items()}
        {1: [4.0, 1.0], -1: [0.25, 1.0]}
    """

    def __init__(self, factors: list[Factor], params: Params) -> None:
        """Start without any scale.

        Args:
            factors: Scalings of whole axes: see :func:`is_condensable`.
            params: The tensors that count, by name.
        """
        self._bindings = [[b for b in f.bindings if isinstance(b, Binding) and b.tensor in params and b.power] for f in factors]
        axes: dict[str, set[int]] = {}
        for bindings in self._bindings:
            for b in bindings:
                axes.setdefault(b.tensor, set()).add(_axis(b))
        self._axes = {name: sorted(found) for name, found in axes.items()}
        self._squares: dict[str, Tensor] = {}
        self._logs: dict[tuple[str, int], Tensor] = {}
        for name, found in self._axes.items():
            x = params[name]
            others = [d for d in range(x.ndim) if d not in found]
            norms = torch.linalg.vector_norm(x, dim=others, dtype=torch.float64) if others else x.double()
            self._squares[name] = norms.square()
            for axis in found:
                self._logs[name, axis] = torch.zeros(x.shape[axis], dtype=torch.float64, device=x.device)

    def of(self, k: int) -> dict[Fraction, Tensor]:
        """Return the energies of the channels of a factor by power, each of shape ``[n]``.

        Args:
            k: Its index.
        """
        out: dict[Fraction, Tensor] = {}
        for b in self._bindings[k]:
            energy = self._energy(b.tensor, _axis(b))
            out[b.power] = out[b.power] + energy if b.power in out else energy
        return out

    def _energy(self, name: str, axis: int) -> Tensor:
        m = self._squares[name]
        for at in reversed(range(m.ndim)):  # from the last axis, so that the places of the earlier ones stay
            if self._axes[name][at] != axis:
                m = m.movedim(at, -1) @ (2 * self._logs[name, self._axes[name][at]]).exp()
        return m * (2 * self._logs[name, axis]).exp()

    def scale(self, k: int, log: Tensor) -> None:
        """Scale the channels of a factor.

        Args:
            k: Its index.
            log: Logarithms of the scales, of shape ``[n]``.
        """
        for b in self._bindings[k]:
            self._logs[b.tensor, _axis(b)] += float(b.power) * log


def is_condensable(factor: Factor, params: Params) -> bool:
    """Return whether a factor only scales whole axes of the tensors that count, no axis of one tensor twice.

    Args:
        factor: The factor.
        params: The tensors that count, by name.
    """
    bindings = [b for b in factor.bindings if isinstance(b, Binding) and b.tensor in params and b.power]
    whole = all(is_whole(b, params[b.tensor]) and not b.offset for b in bindings)
    return factor.group.scales and not factor.over and whole


def _axis(binding: Binding) -> int:
    assert binding.axis is not None
    return binding.axis
