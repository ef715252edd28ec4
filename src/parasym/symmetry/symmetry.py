"""The parameter symmetry of a model: factors, and how their elements move parameters."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import product
from math import prod
from typing import Protocol, TypeVar, overload

import numpy as np
import torch
from torch import Tensor, nn

from parasym.core import BadInputError, Params, ShapeError, SymmetryError
from parasym.core.arguments import described
from parasym.core.params import check_computable
from parasym.groups import GROUPS, AbstractGroup, SignedShift
from parasym.symmetry.coarse import Coarse
from parasym.symmetry.element import Element, Move
from parasym.symmetry.factor import Factor
from parasym.symmetry.frozen import FrozenEntries
from parasym.symmetry.self_check import Refuted, SelfCheck
from parasym.symmetry.why import Why, group_word, parameter_name


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


G = TypeVar("G", bound=AbstractGroup)


class HasElement(Protocol):
    """A result that says which element led to it, such as that of ``match``."""

    @property
    def element(self) -> Element:
        """The element."""
        ...


@dataclass(frozen=True)
class FlatDirections:
    """Directions that constants leave of a wire on which all matrices would act: at a point, and so no group.

    Attributes:
        count: How many, at almost every point.
        exact: Whether that is the number, rather than a lower bound.
    """

    count: int
    exact: bool = True

    def __str__(self) -> str:
        """Return the number."""
        return f"{self.count}" if self.exact else f"at least {self.count}"


@dataclass(frozen=True)
class Symmetry:
    r"""A group :math:`G` and its action on named parameters, with :math:`f(x; g\theta) = f(x; \theta)`.

    It is a property of the architecture: every element keeps the function at every value of the
    parameters (for scalings of shifted buffers such as ``running_var``, up to rounding).

    Attributes:
        factors: The factors, in the order in which their elements are applied.
        shapes: Shape of every parameter and buffer that the symmetry knows, by name.
        uncovered: Operations that pinned their wires because no rule covers them.
        coarse: Pins that a rule made and shapes do not force, each with the parameters it may cost a group.
        pinned: Parameters that no factor moves.
        tied: Other names of tied tensors: ``(name, first name)``.
        constants: Buffers that the function depends on and that never move, such as masks: models that differ in one are of
            different architectures.
        law: Operations of the model that draw random numbers; if there are any, it is the law of the outputs that is kept.
        self_check: What came of trying it on numbers, if that was asked for.
        refuted: Factors that the check found wrong and left out.
        explain: Says why a group is not there; ``None`` where the instructions of the model are not known.
        flat: Flat directions that constants in parameters leave; ``None`` where no parameter has constants.
        frozen: Entries of parameters that are not trained: no distance counts what is stored there.
    """

    factors: tuple[Factor, ...]
    shapes: tuple[tuple[str, tuple[int, ...]], ...]
    uncovered: tuple[Uncovered, ...] = ()
    pinned: tuple[str, ...] = ()
    tied: tuple[tuple[str, str], ...] = ()
    constants: tuple[str, ...] = ()
    law: tuple[str, ...] = ()
    self_check: SelfCheck | None = field(default=None, compare=False)
    refuted: tuple[Refuted, ...] = field(default=(), compare=False)
    flat: FlatDirections | None = None
    coarse: tuple[Coarse, ...] = field(default=(), compare=False)
    frozen: tuple[FrozenEntries, ...] = ()
    explain: "Callable[[Symmetry, str, str], Why] | None" = field(default=None, compare=False, repr=False)

    @cached_property
    def by_id(self) -> dict[str, Factor]:
        """The factors by their ids.

        Raises:
            BadInputError: If two factors are the same.
        """
        found = {factor.id: factor for factor in self.factors}
        if len(found) < len(self.factors):
            twice = next(f for k, f in enumerate(self.factors) if f in self.factors[:k])
            raise BadInputError(f"A symmetry has each factor once, but this has {twice.group} on `{twice.wire.name}` twice.")
        return found

    @cached_property
    def first_names(self) -> dict[str, str]:
        """The first name of every other name of a tied tensor."""
        return dict(self.tied)

    def factor(self, name: str) -> Factor:
        """Return the factor with an id.

        Args:
            name: The id.

        Raises:
            SymmetryError: If there is none.
        """
        if name not in self.by_id:
            raise SymmetryError(f"The symmetry has no factor with the id {name!r}; it has {', '.join(self.by_id) or 'none'}.")
        return self.by_id[name]

    def has(self, element: Element) -> bool:
        """Return whether all factors that an element moves are factors of this symmetry.

        Args:
            element: An element of any symmetry.
        """
        return element.symmetry is self or all(move.factor in self.by_id for move in element.moves)

    def only(self, *what: type[AbstractGroup] | str) -> "Symmetry":
        """Return the part of the symmetry with some of its factors. Its elements act under the whole symmetry too.

        Args:
            what: Classes of groups, or ids of factors; a factor is kept if any of them names it.

        Raises:
            SymmetryError: If the symmetry has no factor with such an id.

        Example:
            >>> from parasym.groups import Permutation
            >>> from parasym.find import find
            >>> from torch import nn
            >>> net = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))
            >>> symmetry = find(net, (torch.zeros(1, 4),))
            >>> [(part.order, part.dimension) for part in (symmetry, symmetry.only(Permutation), symmetry.only())]
            [(120, 5), (120, 0), (1, 0)]
        """
        return self._part(tuple(self._chosen(what)))

    def without(self, *what: type[AbstractGroup] | str) -> "Symmetry":
        """Return the part of the symmetry without some of its factors.

        Args:
            what: Classes of groups, or ids of factors, as of :meth:`only`.

        Raises:
            SymmetryError: If the symmetry has no factor with such an id.
        """
        left_out = {id(factor) for factor in self._chosen(what)}
        return self._part(tuple(f for f in self.factors if id(f) not in left_out))

    def _chosen(self, what: tuple[type[AbstractGroup] | str, ...]) -> list[Factor]:
        ids = {self.factor(name).id for name in what if isinstance(name, str)}
        groups = tuple(kind for kind in what if not isinstance(kind, str))
        return [f for f in self.factors if isinstance(f.group, groups) or (ids and f.id in ids)]

    def restrict(self, *patterns: str) -> "Symmetry":
        """Return the part of the symmetry that moves nothing outside of some parameters.

        Weights that a translation only passes through may lie outside. Every name of a tied tensor counts.

        Args:
            patterns: Shell patterns of names, as in ``layer1.*``.

        Raises:
            BadInputError: If a pattern fits no name that the symmetry knows.

        Example:
            >>> from parasym.find import find
            >>> from torch import nn
            >>> net = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 3))
            >>> symmetry = find(net, (torch.zeros(1, 4),))
            >>> [symmetry.restrict(p).order for p in ("*", "[02].*", "0.*")]  # alone no layer can move
            [86400, 120, 1]
        """
        names = list(dict.fromkeys((*(name for name, _ in self.shapes), *self.first_names)))
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in names):
                raise BadInputError(f"No parameter fits the pattern `{pattern}`. Known are {', '.join(names[:8])}, ...")
        inside = {name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)}
        inside -= {first for name, first in self.tied if name not in inside}
        return self._part(tuple(f for f in self.factors if all(self.first_names.get(n, n) in inside for n in f.tensors)))

    def _part(self, factors: tuple[Factor, ...]) -> "Symmetry":
        """Return the symmetry with some of its factors; what only the others move is pinned."""
        kept = {n for f in factors for n in f.tensors}
        lost = {n for f in self.factors for n in f.tensors} - kept
        return replace(self, factors=factors, pinned=tuple(sorted(lost.union(self.pinned))))

    def why(self, name: str, group: str) -> Why:
        """Return where a group acts on a parameter, and the chain of instructions that forbids it where it does not.

        Of the ways from the parameter to an instruction that forbids the group the shortest is named. For a scale or a sign,
        which several instructions may forbid together, no instruction of the chain can be left out.

        Args:
            name: A parameter or a buffer.
            group: ``permutation``, ``sign``, ``scale``, ``rotation``, ``linear``, ``planes`` or ``shift``; the symbol of a group
                or the name of its class will do.

        Raises:
            BadInputError: If there is no such parameter or no such group.
            SymmetryError: If the symmetry was not found in a module by this process, so that the instructions are not known.

        Example:
            >>> from parasym.find import find
            >>> from torch import nn
            >>> net = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
            >>> print(find(net, (torch.zeros(1, 4),)).why("0.bias", "scale"))
            scale of 0.bias
              axis 0 (5 channels): no, an odd function lets signs pass, and no scale
                1. aten.addmm.default in 0: adds
                2. aten.tanh.default in 1: applies a function to every entry
        """
        first = parameter_name(name, dict(self.shapes), self.first_names)
        word = group_word(group)
        if self.explain is None:
            raise SymmetryError(
                "The symmetry does not know the instructions of the model: it is of a circuit, or comes from a file or another "
                "process. Call `find` on the model, and ask what it returns."
            )
        return self.explain(self, first, word)

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
        nontrivial: bool = False,
    ) -> Element:
        """Return a random element with a move for every factor.

        Args:
            generator: Source of randomness, on the CPU.
            dtype: Precision of the moves.
            device: Device of the moves.
            only: Indices of the factors to move; all if ``None``.
            nontrivial: Whether to draw again where a move is the identity by chance, as a sign is half the time.
        """
        factors = self.factors if only is None else [self.factors[k] for k in only]
        options = {"generator": generator, "dtype": dtype, "device": device}
        sampled = (f.nontrivial(**options) if nontrivial else f.group.sample(f.batch, **options) for f in factors)
        return Element(self, tuple(Move(f.id, value) for f, value in zip(factors, sampled, strict=True)))

    def identity(self, *, dtype: torch.dtype = torch.float64, device: torch.device | str = "cpu") -> Element:
        """Return the neutral element with a move for every factor.

        Args:
            dtype: Precision of the moves.
            device: Device of the moves.
        """
        return Element(self, tuple(Move(f.id, f.group.identity(f.batch, dtype=dtype, device=device)) for f in self.factors))

    @overload
    def act(self, element: Element | HasElement, params: Mapping[str, Tensor] | nn.Module) -> Params: ...

    @overload
    def act(self, element: Element | HasElement, params: Tensor) -> Tensor: ...

    @overload
    def act(self, element: Element | HasElement, params: np.ndarray) -> np.ndarray: ...

    def act(
        self, element: Element | HasElement, params: Mapping[str, Tensor] | nn.Module | Tensor | np.ndarray
    ) -> Params | Tensor | np.ndarray:
        """Return the parameters moved by an element, as ``element(params)`` does.

        Args:
            element: An element whose factors this symmetry has, or a result that holds one.
            params: Parameters and buffers by name, or the module that has them; a lone tensor or array if the symmetry knows only
                one.

        Raises:
            SymmetryError: If the element is of another symmetry.
            BadInputError: If it is none.
        """
        g = element if isinstance(element, Element) else getattr(element, "element", None)
        if not isinstance(g, Element):
            raise BadInputError(
                f"Argument `element` must be an Element, or a result that holds one, but is {described(element)}. The call is "
                "symmetry.act(element, params)."
            )
        if not self.has(g):
            wire = next(g.symmetry.factor(m.factor).wire for m in g.moves if m.factor not in self.by_id)
            raise SymmetryError(
                f"The element moves wire `{wire.name}` of {wire.size} channels by a factor that this symmetry does not have: "
                "it is of another symmetry. Act with `element(params)` on the parameters of its own."
            )
        return Element(self, g.moves)(params)

    def elements(self) -> Iterator[Element]:
        """Yield every element of a finite symmetry whose groups can list theirs, the identity first.

        Continuous factors keep still.

        Raises:
            SymmetryError: If a finite group cannot list its elements.
        """
        factors = [f for f in self.factors if not f.group.continuous]
        for factor in factors:
            if factor.batch or not factor.group.can("elements"):
                raise SymmetryError(f"The elements of {factor.label} on wire `{factor.wire.name}` cannot be listed: sample them.")
        for values in product(*(factor.group.elements() for factor in factors)):
            yield Element(self, tuple(Move(f.id, value) for f, value in zip(factors, values, strict=True)))

    def cosets(self, subgroup: "Symmetry") -> "Symmetry":
        """Return a symmetry of angles whose elements represent the cosets of a subgroup, each once.

        With the subgroup that survives noise these are the points worth comparing: elements of one coset
        have the same noisy cost. The number of cosets is the order of the result; :meth:`elements` lists them.

        Args:
            subgroup: A symmetry of the same parameters, every element of which is in this one.

        Raises:
            BadInputError: If it is not a subgroup, or has other groups than those of angles.
        """
        if self.shapes != subgroup.shapes:
            raise BadInputError(f"Argument `subgroup` must act on {self.shapes}, but acts on {subgroup.shapes}.")
        mine, theirs = (x._angles() for x in (self, subgroup))
        if not theirs:
            return self
        if len(mine) != 1 or len(theirs) != 1 or self.factors[0].bindings != subgroup.factors[0].bindings:
            raise BadInputError("Argument `subgroup` must have one factor on the same tensors.")
        group = mine[0].cosets(theirs[0])
        factors = (replace(self.factors[0], group=group),) if group.rank else ()
        return replace(self, factors=factors)

    def groups(self, kind: type[G]) -> tuple[G, ...]:
        """Return the groups of one kind, in the order of their factors.

        Args:
            kind: A class of groups.
        """
        return tuple(f.group for f in self.factors if isinstance(f.group, kind))

    def _angles(self) -> tuple[SignedShift, ...]:
        finite = [f.group for f in self.factors if not f.group.continuous]
        angles = self.groups(SignedShift)
        if len(angles) < len(finite):
            raise BadInputError(f"Cosets are there for symmetries of angles; this one has {type(finite[0]).__name__}.")
        return angles

    def check(self, params: Mapping[str, Tensor]) -> None:
        """Check that ``params`` has every tensor that moves, with the right shape.

        Args:
            params: Parameters and buffers by name.

        Raises:
            ShapeError: If one is missing or has another shape.
        """
        for name in self._moving:
            self.checked(name, params)

    def checked(self, name: str, params: Mapping[str, Tensor]) -> Tensor:
        """Return one of the parameters, after a look at its shape.

        Args:
            name: Its name.
            params: Parameters and buffers by name.

        Raises:
            ShapeError: If it is missing or has another shape.
            BadInputError: If torch does not compute with its numbers.
        """
        if name not in params:
            moves = "moves under the symmetry, but " if name in self._moving else ""
            raise ShapeError(f"Parameter `{name}` {moves}is missing from the parameters.")
        x, shape = params[name], self._moving.get(name)
        if shape is not None and tuple(x.shape) != shape:
            raise ShapeError(
                f"Parameter `{name}` must have shape {shape}, but has shape {tuple(x.shape)}. Is it from another architecture?"
            )
        return check_computable(name, x)

    @cached_property
    def _moving(self) -> dict[str, tuple[int, ...] | None]:
        """The shapes of all tensors that move, as far as they are known."""
        shapes = dict(self.shapes)
        return {name: shapes.get(name) for factor in self.factors for name in factor.tensors}

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
    def from_json(text: str, *, groups: Sequence[type[AbstractGroup]] = GROUPS) -> "Symmetry":
        """Return the symmetry written by :meth:`to_json`.

        Args:
            text: JSON.
            groups: The groups that it may name.

        Raises:
            BadInputError: If the text is not such JSON, names another group, or was changed since it was written.
        """
        from parasym.symmetry.json import loads

        return loads(text, groups)
