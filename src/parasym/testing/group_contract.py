"""The contract of a group: every law, in one table."""

from collections.abc import Callable

import torch

from parasym.core import tolerance_for
from parasym.groups import AbstractGroup
from parasym.testing.group_count import dimension_law, exponential_law, order_law
from parasym.testing.group_law import (
    GroupCase,
    action_law,
    associative_law,
    axis_law,
    batch_law,
    identity_law,
    inverse_law,
    moving_law,
    pairing_law,
    power_law,
    precision_law,
    purity_law,
    sampling_law,
)
from parasym.testing.group_verbs import verbs_law

GROUP_LAWS: tuple[Callable[[GroupCase], None], ...] = (
    identity_law,
    inverse_law,
    associative_law,
    action_law,
    pairing_law,
    moving_law,
    purity_law,
    precision_law,
    batch_law,
    axis_law,
    power_law,
    sampling_law,
    order_law,
    exponential_law,
    dimension_law,
    verbs_law,
)


def assert_group_contract(
    group: AbstractGroup,
    *,
    batch: tuple[int, ...] = (2,),
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str = "cpu",
) -> None:
    r"""Check that ``group`` is a group, that its action is an action, and that it is not trivial.

    The laws are those of :data:`GROUP_LAWS`: identity, inverse, associativity, :math:`(gh)x = g(hx)`,
    the pairing :math:`\langle gx, g^{-\top}y\rangle = \langle x, y\rangle`, arguments untouched, dtype and
    device kept, batches like single elements, order and dimension by counting, and that the derivative of
    ``exp`` is a generator. Every verb (print, JSON, sample, match, distance, canonicalize) gives the right answer for a
    symmetry with this group, or refuses it by name. The identity satisfies most of them, so one law demands that something moves.

    Args:
        group: The group, of a definite size. An order above 800 is not counted.
        batch: Leading axes of the elements.
        generator: Source of randomness, on the CPU; seed 0 if ``None``.
        dtype: Precision of the elements and of the tensors they act on.
        device: Where they are.

    Raises:
        ContractError: If a law is broken; the message names the law and the numbers.

    Example:
        >>> from parasym.groups import GeneralLinear
        >>> assert_group_contract(GeneralLinear(3))  # silent: all laws hold
        >>> class ForgetsDual(GeneralLinear):
        ...     def act(self, g, x, axis, *, dual=False):
        ...         return super().act(g, x, axis)
        >>> assert_group_contract(ForgetsDual(3))
        Traceback (most recent call last):
        parasym.testing.contract_error.ContractError: ...pairing, <g x, g^-T y> = <x, y>: relative difference ...
    """
    generator = torch.Generator().manual_seed(0) if generator is None else generator
    tolerance = tolerance_for(dtype).holds
    case = GroupCase(group, batch, dtype, torch.device(device), tolerance, generator)
    for law in GROUP_LAWS:
        law(case)
