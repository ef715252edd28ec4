"""One element of a symmetry: the moves it makes, and how it makes them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, overload

import numpy as np
import torch
from torch import Tensor, nn

from parasym.core import Params, ShapeError, SymmetryError
from parasym.core.arguments import as_params

if TYPE_CHECKING:
    from parasym.symmetry.symmetry import Symmetry


@dataclass(frozen=True, eq=False)
class Move:
    """An element of one factor.

    Attributes:
        factor: The factor's :attr:`~parasym.symmetry.Factor.id`.
        value: The group element, of shape ``[*batch, *element]``.
    """

    factor: str
    value: Tensor


@dataclass(frozen=True, eq=False)
class Element:
    r"""An element :math:`g` of a symmetry: a product of moves, applied first to last. The empty product is the identity.

    ``g @ h`` acts like ``h`` and then ``g``, ``~g`` undoes ``g``, and ``g(params)`` is :math:`g\theta`.

    Attributes:
        symmetry: Whose element it is.
        moves: One element of one factor each.

    Raises:
        SymmetryError: If a move is of a factor that the symmetry does not have.

    Example:
        >>> from torch import nn
        >>> from parasym.core import model_params
        >>> from parasym.find import find
        >>> net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
        >>> symmetry, params = find(net, (torch.zeros(1, 2),)), {n: p.round(decimals=1) for n, p in model_params(net).items()}
        >>> params["0.bias"] = torch.tensor([1.0, 2.0, 3.0])
        >>> permutation, signs = symmetry.factors
        >>> g = Element(symmetry, (Move(permutation.id, torch.tensor([2, 0, 1])),))
        >>> h = Element(symmetry, (Move(signs.id, torch.tensor([1.0, 1.0, -1.0])),))
        >>> [x(params)["0.bias"].tolist() for x in (g, h, g @ h, h @ g, ~g @ g)]
        [[3.0, 1.0, 2.0], [1.0, 2.0, -3.0], [-3.0, 1.0, 2.0], [3.0, 1.0, -2.0], [1.0, 2.0, 3.0]]
        >>> g @ h
        Element(signs(3) on 0.weight[0], S(3) on 0.weight[0])
        >>> Element(symmetry.only(), g.moves)  # the symmetry without any of its factors
        Traceback (most recent call last):
        parasym.core.error.SymmetryError: The symmetry has no factor with the id ...
    """

    symmetry: "Symmetry"
    moves: tuple[Move, ...] = ()

    def __post_init__(self) -> None:
        for move in self.moves:
            self.symmetry.factor(move.factor)

    def __repr__(self) -> str:
        """Return the factors that move, in order."""
        factors = (self.symmetry.factor(move.factor) for move in self.moves)
        return f"Element({', '.join(f'{f.label} on {f.wire.name}' for f in factors) or 'identity'})"

    def __matmul__(self, other: "Element") -> "Element":
        """Return the element that acts like ``other`` and then like this one.

        Args:
            other: Applied first; of the same symmetry, or one of the two of a part of the other's.

        Raises:
            SymmetryError: If neither symmetry has the factors of both.
        """
        moves: list[Move] = list(other.moves)
        symmetry = _common(self, other)
        for move in self.moves:
            if moves and moves[-1].factor == move.factor:
                group = symmetry.factor(move.factor).group
                moves[-1] = Move(move.factor, group.compose(move.value, moves[-1].value))
            else:
                moves.append(move)
        return Element(symmetry, tuple(moves))

    def __invert__(self) -> "Element":
        """Return the inverse."""
        back = (Move(m.factor, self.symmetry.factor(m.factor).group.inverse(m.value)) for m in reversed(self.moves))
        return Element(self.symmetry, tuple(back))

    @overload
    def __call__(self, params: Mapping[str, Tensor] | nn.Module) -> Params: ...

    @overload
    def __call__(self, params: Tensor) -> Tensor: ...

    @overload
    def __call__(self, params: np.ndarray) -> np.ndarray: ...

    def __call__(self, params: Mapping[str, Tensor] | nn.Module | Tensor | np.ndarray) -> Params | Tensor | np.ndarray:
        """Return the moved parameters: a new dictionary, nothing is modified.

        Names that no factor moves are passed on unchanged; tied names move together.

        Args:
            params: Parameters and buffers by name, or the module that has them; a lone tensor or array if the symmetry knows only
                one.

        Raises:
            ShapeError: If a parameter that the symmetry moves is missing or has another shape.
        """
        if isinstance(params, np.ndarray):
            if not np.issubdtype(params.dtype, np.floating):
                raise ShapeError(f"An array of parameters must have floating-point numbers, but has dtype {params.dtype}.")
            moved = params.copy()  # keeps subclasses, such as PennyLane's tensors
            moved[...] = self(torch.from_numpy(np.array(params, subok=False))).numpy()
            return moved
        if isinstance(params, Tensor):
            shapes = self.symmetry.shapes
            if len(shapes) != 1:
                raise ShapeError(f"The symmetry acts on {len(shapes)} tensors: give them by name, not one tensor alone.")
            return self({shapes[0][0]: params})[shapes[0][0]]
        if not isinstance(params, Mapping):
            params = as_params(params, "params", "element(params)")
        self.symmetry.check(params)
        out = dict(params)
        for move in self.moves:
            factor = self.symmetry.factor(move.factor)
            out |= factor.moved(move.value, out, factor.tensors)
        for name, first in self.symmetry.tied:
            if name in out and first in out:
                out[name] = out[first]
        return out

    def tensor(self, name: str, source: Mapping[str, Tensor]) -> Tensor:
        r"""Return one moved parameter: ``g(source)[name]``, without the others.

        Only what it depends on is read from ``source``, each name once: the tensor itself, and where a translation
        passes through weights on its way to a bias, those weights; where whole tensors change places, the one that comes.
        A model that does not fit into memory can be moved so, tensor by tensor, from a lazy mapping.

        Args:
            name: A parameter or buffer; one that no factor moves is passed on unchanged.
            source: Parameters and buffers by name. Not modified.

        Raises:
            ShapeError: If a parameter that is needed is missing or has another shape.
        """
        name = self.symmetry.first_names.get(name, name)
        steps: list[tuple[Move, tuple[str, ...]]] = []
        needed = {name: None}  # in order, unlike a set
        for move in reversed(self.moves):
            factor = self.symmetry.factor(move.factor)
            touched = tuple(n for n in factor.tensors if n in needed)
            if touched:
                steps.append((move, touched))
                read = factor.reads(move.value, touched)
                needed = {n: None for n in needed if n not in touched or n in read} | dict.fromkeys(read)
        state = {n: self.symmetry.checked(n, source) for n in needed}
        for move, touched in reversed(steps):
            state |= self.symmetry.factor(move.factor).moved(move.value, state, touched)
        return state[name]

    def exactly(self, params: Mapping[str, Tensor]) -> Params:
        """Return the moved parameters, computed in double precision and each rounded once to its own.

        Args:
            params: Parameters and buffers by name; not modified.

        Raises:
            ShapeError: If a parameter that the symmetry moves is missing or has another shape.
        """
        factors = [self.symmetry.factor(move.factor) for move in self.moves]
        rounded = [f for f in factors if not (f.group.permutes or f.group.flips)]  # those two are exact in any precision
        names = {name for f in rounded for name in f.tensors} | {step.weight for f in rounded for step in f.steps}
        wide = {n: x.double() if n in names and x.is_floating_point() else x for n, x in params.items()}
        return {name: x.to(params[name].dtype) for name, x in self.to(torch.float64)(wide).items()}

    def to(self, dtype: torch.dtype | None = None, device: torch.device | str | None = None) -> "Element":
        """Return the element with its real and complex moves in another precision, or all moves on another device.

        Args:
            dtype: A floating-point type; ``None`` to keep it.
            device: The device; ``None`` to keep it.
        """

        def cast(value: Tensor) -> Tensor:
            if dtype is None or not (value.is_floating_point() or value.is_complex()):
                return value.to(device=device)
            return value.to(device=device, dtype=dtype.to_complex() if value.is_complex() else dtype)

        return Element(self.symmetry, tuple(Move(m.factor, cast(m.value)) for m in self.moves))

    def value(self, factor: str) -> Tensor | None:
        """Return the value of the only move of a factor, or ``None`` if it does not move.

        Args:
            factor: The id of the factor.
        """
        values = [move.value for move in self.moves if move.factor == factor]
        return values[0] if len(values) == 1 else None


def _common(g: Element, h: Element) -> "Symmetry":
    """Return the one of two symmetries that has all factors that two elements move."""
    if g.symmetry is h.symmetry:
        return g.symmetry
    for symmetry in (g.symmetry, h.symmetry):
        if symmetry.has(g) and symmetry.has(h):
            return symmetry
    foreign = next(m.factor for m in h.moves if m.factor not in g.symmetry.by_id)
    raise SymmetryError(
        f"Elements of different symmetries cannot be composed: `{h.symmetry.factor(foreign).wire.name}` is a wire of a factor "
        "that the first has not, and the second lacks one of the first's. Take both from one symmetry."
    )
