"""What a user may give as a symmetry."""

from typing import Any

from parasym.core import BadInputError
from parasym.core.arguments import described
from parasym.symmetry.symmetry import Symmetry


def as_symmetry(given: Any, verb: str) -> Symmetry:
    """Return a symmetry.

    Args:
        given: What the user gave.
        verb: The call that the argument is of, as ``match(symmetry, a, b)``.

    Raises:
        BadInputError: If it is something else.
    """
    if not isinstance(given, Symmetry):
        raise BadInputError(
            f"Argument `symmetry` must be a Symmetry, as `find` returns it, but is {described(given)}. The call is {verb}."
        )
    return given
