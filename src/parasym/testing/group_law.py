"""The laws of a group and of its action, each a function that raises where the law is broken."""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from parasym.core import ShapeError
from parasym.groups import AbstractGroup
from parasym.testing.contract_error import ContractError, largest_difference, require, require_close

LARGEST_ORDER_LISTED = 800
SMALLEST_MOVE = 1e-3


@dataclass(frozen=True)
class GroupCase:
    """A group with what is needed to test it: elements and the tensors they act on.

    Attributes:
        group: The group.
        batch: Leading axes of the elements.
        dtype: Precision.
        device: Device.
        tolerance: Largest relative difference allowed.
        generator: Source of randomness, on the CPU.
    """

    group: AbstractGroup
    batch: tuple[int, ...]
    dtype: torch.dtype
    device: torch.device
    tolerance: float
    generator: torch.Generator

    @property
    def axis(self) -> int:
        """The axis of :meth:`tensor` that is acted on."""
        return len(self.batch) + 1

    def element(self) -> Tensor:
        """Return a random element of shape ``[*batch, *element]``."""
        return self.group.sample(self.batch, generator=self.generator, dtype=self.dtype, device=self.device)

    def tensor(self) -> Tensor:
        """Return a random tensor of shape ``[*batch, 3, length, 2, 2]``."""
        shape = (*self.batch, 3, self.group.length, 2, 2)
        return torch.randn(shape, generator=self.generator, dtype=torch.float64).to(self.device, self.dtype)

    def act(self, g: Tensor, x: Tensor, *, dual: bool = False) -> Tensor:
        """Return ``x`` moved by ``g`` along :attr:`axis`."""
        return self.group.act(g, x, self.axis, dual=dual)

    def close(self, found: Tensor, expected: Tensor, law: str) -> None:
        """Check a law of the group.

        Raises:
            ContractError: If the law is broken.
        """
        require_close(found, expected, f"{self.group}: {law}", tolerance=self.tolerance)

    def same(self, found: Tensor, expected: Tensor, law: str) -> None:
        """Check a law of the action: points that differ by whole periods are the same.

        Raises:
            ContractError: If the law is broken.
        """
        self.close(expected + self.group.wrap(found - expected, self.axis), expected, law)


def identity_law(case: GroupCase) -> None:
    """Check ``e x = x`` and ``e g = g = g e``."""
    group, x, g = case.group, case.tensor(), case.element()
    e = group.identity(case.batch, dtype=case.dtype, device=case.device)
    for dual in (False, True):
        case.same(case.act(e, x, dual=dual), x, f"identity, e x = x, dual={dual}")
    case.close(group.compose(e, g), g, "identity, e g = g")
    case.close(group.compose(g, e), g, "identity, g e = g")


def inverse_law(case: GroupCase) -> None:
    """Check ``g^-1 (g x) = x`` and ``g g^-1 = e``."""
    group, x, g = case.group, case.tensor(), case.element()
    h = group.inverse(g)
    for dual in (False, True):
        case.same(case.act(h, case.act(g, x, dual=dual), dual=dual), x, f"inverse, g^-1 (g x) = x, dual={dual}")
    e = group.identity(case.batch, dtype=case.dtype, device=case.device)
    case.close(group.compose(g, h), e, "inverse, g g^-1 = e")


def associative_law(case: GroupCase) -> None:
    """Check ``(f g) h = f (g h)``."""
    compose, f, g, h = case.group.compose, case.element(), case.element(), case.element()
    case.close(compose(compose(f, g), h), compose(f, compose(g, h)), "associativity, (f g) h = f (g h)")


def action_law(case: GroupCase) -> None:
    """Check ``(g h) x = g (h x)``: ``compose(g, h)`` applies ``h`` first."""
    x, g, h = case.tensor(), case.element(), case.element()
    for dual in (False, True):
        expected = case.act(g, case.act(h, x, dual=dual), dual=dual)
        case.same(case.act(case.group.compose(g, h), x, dual=dual), expected, f"action, (g h) x = g (h x), dual={dual}")


def pairing_law(case: GroupCase) -> None:
    """Check ``<g x, g^-T y> = <x, y>`` of a linear action, or that the dual of an affine one undoes it."""
    x, y, g = case.tensor(), case.tensor(), case.element()
    if largest_difference(case.act(g, torch.zeros_like(x)), torch.zeros_like(x)) > 0:
        case.same(case.act(g, case.act(g, x), dual=True), x, "dual of an affine action, g^* (g x) = x")
        return
    case.close(case.act(g, 2 * x + y), 2 * case.act(g, x) + case.act(g, y), "linearity, g (2x + y) = 2 g x + g y")
    paired = (case.act(g, x) * case.act(g, y, dual=True)).sum(case.axis)
    case.close(paired, (x * y).sum(case.axis), "pairing, <g x, g^-T y> = <x, y>")


def moving_law(case: GroupCase) -> None:
    """Check that something moves: the identity satisfies every other law."""
    group, x = case.group, case.tensor()
    if group.order == 1 and group.dimension == 0:
        return
    elements = [case.element() for _ in range(20)]
    for dual in (False, True):
        moved = max(largest_difference(case.act(g, x, dual=dual), x) for g in elements)
        require(moved > SMALLEST_MOVE, f"{group}: the action is trivial, dual={dual}: 20 elements move by {moved:.3g} at most.")


def purity_law(case: GroupCase) -> None:
    """Check that no argument is modified, after each call: two that turn a sign would undo each other."""
    group, x, g, h = case.group, case.tensor(), case.element(), case.element()
    before = [t.clone() for t in (x, g, h)]
    acts = (lambda: case.act(g, x), lambda: case.act(g, x, dual=True))
    for call in (*acts, lambda: group.compose(g, h), lambda: group.inverse(g)):
        call()
        for name, found, expected in zip(("x", "g", "h"), (x, g, h), before, strict=True):
            require(torch.equal(found, expected), f"{group}: argument `{name}` was modified in place.")


def precision_law(case: GroupCase) -> None:
    """Check that the result has the shape, dtype and device of the tensor, whatever the element's precision."""
    g = case.element()
    for dtype in (torch.float32, torch.float64):
        x = case.tensor().to(dtype)
        for dual in (False, True):
            out = case.act(g, x, dual=dual)
            found, expected = (out.shape, out.dtype, out.device), (x.shape, x.dtype, x.device)
            require(found == expected, f"{case.group}: act must keep {expected}, but returned {found}, dual={dual}.")


def batch_law(case: GroupCase) -> None:
    """Check that a batch of elements acts, composes and inverts like its members one by one."""
    group, x, g, h = case.group, case.tensor(), case.element(), case.element()
    if not case.batch:
        return
    n = case.batch[0]
    for dual in (False, True):
        single = torch.stack([group.act(g[i], x[i], case.axis - 1, dual=dual) for i in range(n)])
        case.close(case.act(g, x, dual=dual), single, f"batch, act, dual={dual}")
    case.close(group.compose(g, h), torch.stack([group.compose(g[i], h[i]) for i in range(n)]), "batch, compose")
    case.close(group.inverse(g), torch.stack([group.inverse(g[i]) for i in range(n)]), "batch, inverse")
    require(g.ndim == len(case.batch) + group.element_ndim, f"{group}: element_ndim is {group.element_ndim}, sample {g.shape}.")


def axis_law(case: GroupCase) -> None:
    """Check that a negative axis means the same, and that an axis of another length is refused.

    Raises:
        ContractError: If it is accepted.
    """
    x, g = case.tensor(), case.element()
    case.close(case.group.act(g, x, case.axis - x.ndim), case.act(g, x), "negative axis")
    try:
        case.act(g, torch.cat((x, x), dim=case.axis))
    except ShapeError:
        return
    raise ContractError(f"{case.group}: an axis of length {2 * case.group.length} must raise ShapeError.")


def power_law(case: GroupCase) -> None:
    """Check that the first power is the element, and that a square, where there is one, acts twice."""
    group, x, g = case.group, case.tensor(), case.element()
    case.close(group.power(g, 1.0), g, "power, g^1 = g")
    try:
        square = group.power(g, 2.0)
    except ShapeError:
        return
    case.close(case.act(square, x), case.act(g, case.act(g, x)), "power, g^2 x = g (g x)")


def sampling_law(case: GroupCase) -> None:
    """Check that one seed gives one element, and that printing the group gives the text that builds it."""
    group, seed = case.group, case.generator.initial_seed()
    first, again = (
        group.sample(case.batch, generator=torch.Generator().manual_seed(seed), dtype=case.dtype, device=case.device)
        for _ in range(2)
    )
    require(torch.equal(first, again), f"{group}: one seed gave two different elements.")
    copy = type(group)(**{field.name: getattr(group, field.name) for field in fields(group)})
    require(copy == group and repr(copy) == repr(group), f"{group}: a copy is not equal to it.")
