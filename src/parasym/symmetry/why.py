"""Why a group is not there: the chain of instructions from a parameter to the one that forbids it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from parasym.core import BadInputError
from parasym.groups import GROUPS, AbstractGroup


@dataclass(frozen=True)
class Passage:
    """One operation on the way from a parameter to what forbids a group.

    Attributes:
        operation: Name of the operation, such as ``aten.tanh.default``.
        module: Path of the module that called it.
        source: Source line that called it, as ``file:line``.
        does: What it does there.
    """

    operation: str
    module: str
    source: str
    does: str

    def __str__(self) -> str:
        """Return one line."""
        place = f" in {self.module or 'the model'}" + (f" ({self.source})" if self.source else "")
        return f"{self.operation or 'the model'}{place}: {self.does}"


@dataclass(frozen=True)
class Reason:
    """Why a group is not there on one axis of a parameter.

    Attributes:
        where: The axis, in words.
        because: What forbids it, in words.
        chain: The operations on the way, from the parameter to the one that forbids it; empty if it is the parameter itself.
    """

    where: str
    because: str
    chain: tuple[Passage, ...] = ()


@dataclass(frozen=True)
class Why:
    """Where a group acts on a parameter, and why it does not elsewhere.

    Attributes:
        tensor: The parameter.
        group: The word for the group.
        there: Where it acts, in words: the axis, the factor that holds it.
        reasons: Why it does not act elsewhere.
    """

    tensor: str
    group: str
    there: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()

    def __str__(self) -> str:
        """Return a line for every place where it acts, and a chain for every one where it does not."""
        lines = [f"{self.group} of {self.tensor}"]
        lines += [f"  {place}" for place in self.there]
        for reason in self.reasons:
            lines.append(f"  {reason.where}: no, {reason.because}")
            lines += [f"    {k}. {passage}" for k, passage in enumerate(reason.chain, start=1)]
        return "\n".join(lines)


def word_of(group: type[AbstractGroup]) -> str:
    """Return what a group is called in a question.

    Args:
        group: A class of groups.
    """
    return group.word or group.__name__


def group_word(asked: str, groups: Sequence[type[AbstractGroup]] = GROUPS) -> str:
    """Return the word for a group that was asked for by its word, its symbol or the name of its class.

    Args:
        asked: What was asked for.
        groups: The groups that there are.

    Raises:
        BadInputError: If there is no such group.

    Example:
        >>> group_word("S"), group_word("GeneralLinear"), group_word("shift")
        ('permutation', 'linear', 'shift')
    """
    names = {name.lower(): word_of(kind) for kind in groups for name in (kind.__name__, kind.symbol or kind.__name__)}
    names |= {word_of(kind).lower(): word_of(kind) for kind in groups}
    known = names.get(asked.lower())
    if known is None:
        raise BadInputError(f"There is no group {asked!r}; there are {', '.join(word_of(kind) for kind in groups if kind.word)}.")
    return known


def parameter_name(asked: str, shapes: Mapping[str, tuple[int, ...]], tied: Mapping[str, str]) -> str:
    """Return the first name of a parameter.

    Args:
        asked: One of its names.
        shapes: The shapes of all parameters and buffers, by first names.
        tied: The first names of other names.

    Raises:
        BadInputError: If there is no such parameter.

    Example:
        >>> parameter_name("fc.wweight", {"fc.weight": (3, 4)}, {})
        Traceback (most recent call last):
        parasym.core.error.BadInputError: The model has no parameter 'fc.wweight'. Is it `fc.weight`?
    """
    name = tied.get(asked, asked)
    if name not in shapes:
        near = get_close_matches(asked, [*shapes, *tied], n=3, cutoff=0.4) or list(shapes)[:3]
        raise BadInputError(f"The model has no parameter {asked!r}. Is it {' or '.join(f'`{name}`' for name in near)}?")
    return name
