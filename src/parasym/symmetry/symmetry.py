"""The parameter symmetry of a model: factors, and how their elements move parameters."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import overload

import numpy as np
import torch
from torch import Tensor

from parasym.core import BadInputError, Params, ShapeError
from parasym.groups import Drift, SignedShift
from parasym.symmetry.element import Element, Move
from parasym.symmetry.factor import Factor


@dataclass(frozen=True)
class Uncovered:
    """An operation without a rule, or a parameter about which nothing could be said.

    Attributes:
        operation: Name of the operation, such as ``aten.fft_fft.default``.
        module: Path of the module that called it.
        source: Source line that called it, as ``file:line``.
        reason: What was pinned and why.
    """

    operation: str
    module: str = ""
    source: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Symmetry:
    r"""A group :math:`G` and its action on named parameters, with :math:`f(x; g\theta) = f(x; \theta)`.

    It is a property of the architecture: every element keeps the function at every value of the
    parameters (for scalings of shifted buffers such as ``running_var``, up to rounding).

    Attributes:
        factors: The factors, in the order in which their elements are applied.
        shapes: Shape of every parameter and buffer that the symmetry knows, by name.
        uncovered: Operations that pinned their wires because no rule covers them.
        pinned: Parameters that no factor moves.
        tied: Other names of tied tensors: ``(name, first name)``.
    """

    factors: tuple[Factor, ...]
    shapes: tuple[tuple[str, tuple[int, ...]], ...]
    uncovered: tuple[Uncovered, ...] = ()
    pinned: tuple[str, ...] = ()
    tied: tuple[tuple[str, str], ...] = ()

    @property
    def order(self) -> int:
        """Order of the discrete part, exact."""
        return prod(factor.order for factor in self.factors)

    @property
    def dimension(self) -> int:
        """Dimension of the continuous part."""
        return sum(factor.dimension for factor in self.factors)

    def sample(
        self,
        *,
        generator: torch.Generator | None = None,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str = "cpu",
        only: tuple[int, ...] | None = None,
    ) -> Element:
        """Return a random element with a move for every factor.

        Args:
            generator: Source of randomness, on the CPU.
            dtype: Precision of the moves.
            device: Device of the moves.
            only: Indices of the factors to move; all if ``None``.
        """
        chosen = range(len(self.factors)) if only is None else only
        return Element(
            tuple(
                Move(k, self.factors[k].group.sample(self.factors[k].batch, generator=generator, dtype=dtype, device=device))
                for k in chosen
            )
        )

    def identity(self, *, dtype: torch.dtype = torch.float64, device: torch.device | str = "cpu") -> Element:
        """Return the neutral element with a move for every factor.

        Args:
            dtype: Precision of the moves.
            device: Device of the moves.
        """
        return Element(tuple(Move(k, f.group.identity(f.batch, dtype=dtype, device=device)) for k, f in enumerate(self.factors)))

    @overload
    def act(self, element: Element, params: Params) -> Params: ...

    @overload
    def act(self, element: Element, params: Tensor) -> Tensor: ...

    @overload
    def act(self, element: Element, params: np.ndarray) -> np.ndarray: ...

    def act(self, element: Element, params: Params | Tensor | np.ndarray) -> Params | Tensor | np.ndarray:
        """Return the parameters moved by ``element``: a new dictionary, nothing is modified.

        Names that no factor moves are passed on unchanged; tied names move together.

        Args:
            element: Moves, applied first to last.
            params: Parameters and buffers by name; a lone tensor or array if the symmetry knows only one.

        Raises:
            ShapeError: If a parameter that moves is missing or has another shape.
        """
        if isinstance(params, np.ndarray):
            if not np.issubdtype(params.dtype, np.floating):
                raise ShapeError(f"An array of parameters must have floating-point numbers, but has dtype {params.dtype}.")
            moved = params.copy()  # keeps subclasses, such as PennyLane's tensors
            moved[...] = self.act(element, torch.from_numpy(np.array(params, subok=False))).numpy()
            return moved
        if isinstance(params, Tensor):
            if len(self.shapes) != 1:
                raise ShapeError(f"The symmetry acts on {len(self.shapes)} tensors: give them by name, not one tensor alone.")
            name = self.shapes[0][0]
            return self.act(element, {name: params})[name]
        self.check(params)
        out = dict(params)
        for move in element.moves:
            out = self.factors[move.factor].act(move.value, out)
        for name, first in self.tied:
            if name in out and first in out:
                out[name] = out[first]
        return out

    def compose(self, second: Element, first: Element) -> Element:
        """Return the element that acts like ``first`` and then ``second``.

        Args:
            second: Applied last.
            first: Applied first.
        """
        moves: list[Move] = list(first.moves)
        for move in second.moves:
            if moves and moves[-1].factor == move.factor:
                group = self.factors[move.factor].group
                moves[-1] = Move(move.factor, group.compose(move.value, moves[-1].value))
            else:
                moves.append(move)
        return Element(tuple(moves))

    def inverse(self, element: Element) -> Element:
        """Return the inverse of ``element``.

        Args:
            element: Any element.
        """
        return Element(tuple(Move(m.factor, self.factors[m.factor].group.inverse(m.value)) for m in reversed(element.moves)))

    def elements(self) -> Iterator[Element]:
        """Yield every element of a symmetry of angles (see :class:`parasym.groups.SignedShift`), the identity first.

        Continuous factors keep still.

        Raises:
            BadInputError: If the symmetry has another group.
        """
        groups = self._angle_groups("elements")
        for values in product(*(group.elements() for group in groups)):
            yield Element(tuple(Move(k, value) for k, value in enumerate(values)))

    def cosets(self, subgroup: "Symmetry") -> "Symmetry":
        """Return a symmetry of angles whose elements represent the cosets of a subgroup, each once.

        With the subgroup that survives noise these are the points worth comparing: elements of one coset
        have the same noisy cost. The number of cosets is the order of the result; :meth:`elements` lists them.

        Args:
            subgroup: A symmetry of the same parameters, every element of which is in this one.

        Raises:
            BadInputError: If it is not a subgroup, or has other groups than those of angles.
        """
        mine, theirs = self._angle_groups("cosets"), subgroup._angle_groups("cosets")
        if self.shapes != subgroup.shapes:
            raise BadInputError(f"Argument `subgroup` must act on {self.shapes}, but acts on {subgroup.shapes}.")
        if not theirs:
            return self
        if len(mine) != 1 or len(theirs) != 1 or self.factors[0].bindings != subgroup.factors[0].bindings:
            raise BadInputError("Argument `subgroup` must have one factor on the same tensors.")
        group = mine[0].cosets(theirs[0])
        factors = (replace(self.factors[0], group=group),) if group.rank else ()
        return replace(self, factors=factors)

    def _angle_groups(self, what: str) -> list[SignedShift]:
        groups = [factor.group for factor in self.factors if not isinstance(factor.group, Drift)]
        if not all(isinstance(group, SignedShift) for group in groups):
            raise BadInputError(f"`{what}` is there for symmetries of angles; this one has {type(groups[0]).__name__}.")
        return groups  # pyright: ignore[reportReturnType]

    def check(self, params: Params) -> None:
        """Check that ``params`` has every tensor that moves, with the right shape.

        Args:
            params: Parameters and buffers by name.

        Raises:
            ShapeError: If one is missing or has another shape.
        """
        shapes = dict(self.shapes)
        for name in {name for factor in self.factors for name in factor.tensors}:
            if name not in params:
                raise ShapeError(f"Parameter `{name}` moves under the symmetry, but is missing from the parameters.")
            if tuple(params[name].shape) != shapes[name]:
                raise ShapeError(
                    f"Parameter `{name}` must have shape {shapes[name]}, but has shape {tuple(params[name].shape)}. "
                    "Is it from another architecture?"
                )

    def generators(self, params: Params) -> Iterator[tuple[int, Params]]:
        """Yield tangent vectors of the orbit at ``params``: a basis of the Lie algebra, factor by factor.

        Args:
            params: Parameters and buffers by name, floating point.

        Yields:
            The index of the factor, and the derivative of every tensor it moves.
        """
        for index, factor in enumerate(self.factors):
            if not factor.group.continuous:
                continue
            shape = (*factor.batch, *factor.group.algebra_shape)
            dtype = params[factor.tensors[0]].dtype

            def moved(xi: Tensor, factor: Factor = factor) -> Params:
                out = factor.act(factor.group.exp(xi), params)
                return {name: out[name] for name in factor.tensors}

            zero = torch.zeros(shape, dtype=dtype, device=params[factor.tensors[0]].device)
            for k in range(zero.numel()):
                xi = torch.zeros_like(zero).flatten()
                xi[k] = 1
                yield index, torch.func.jvp(moved, (zero,), (xi.reshape(shape),))[1]

    def __str__(self) -> str:
        """Return the symmetry as a table of text."""
        from parasym.symmetry.text import describe

        return describe(self)

    def to_json(self) -> str:
        """Return the symmetry as JSON; :meth:`from_json` reads it back."""
        from parasym.symmetry.json import dumps

        return dumps(self)

    @staticmethod
    def from_json(text: str) -> "Symmetry":
        """Return the symmetry written by :meth:`to_json`.

        Args:
            text: JSON.

        Raises:
            BadInputError: If the text is not such JSON.
        """
        from parasym.symmetry.json import loads

        return loads(text)
