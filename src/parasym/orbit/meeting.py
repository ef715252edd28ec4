"""Whether two places of one tensor have numbers in common."""

import torch

from parasym.symmetry import Binding


def meet(a: Binding, b: Binding) -> bool:
    """Return whether two places of one tensor have numbers in common, as far as their own axes tell.

    Args:
        a: A place.
        b: Another place of the same tensor.
    """
    if a.slot is None or b.slot is None or a.slot.axis != b.slot.axis:
        return True
    return bool(torch.isin(a.slot.positions(), b.slot.positions()).any())
