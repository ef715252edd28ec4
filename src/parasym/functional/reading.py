"""How inputs are read: what people give as one example, and what data loaders give as batches, as calls of a model."""

import itertools
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor, nn
from torch.utils.data import Dataset, IterableDataset

from parasym.core import BadInputError
from parasym.functional.call import Call
from parasym.functional.signature import Signature, signature_of

LABELS = ("label", "labels", "label_ids", "target", "targets", "y")
"""Names under which batches carry labels: left out where ``forward`` does not take them."""

Batch = Tensor | Call | Mapping[str, Any] | tuple[Any, ...] | list[Any] | Any
Data = Iterable[Batch]
_LOG = logging.getLogger("parasym.functional")


def example_call(given: Any = (), kwargs: Mapping[str, Any] | None = None, *, model: nn.Module | None = None) -> Call:
    """Return the call that example inputs stand for: what ``find``, ``verify``, ``break_`` and ``example_inputs`` take.

    | given | read as |
    | --- | --- |
    | a :class:`Call` | itself |
    | a tensor | the first argument |
    | a tuple or list | the arguments, one for one, as in ``torch.export`` |
    | a mapping, such as the batch of a tokenizer | keyword arguments |
    | a pair of a tuple and a mapping | arguments and keyword arguments, if ``forward`` takes these names; else two arguments |
    | a named tuple with the names that ``forward`` requires, another object with two or more of them, such as a graph | these arguments, by name |
    | any other object | the first argument |

    Args:
        given: Example inputs.
        kwargs: Further keyword arguments.
        model: Whose ``forward`` decides, where it must.
    """  # noqa: E501 (a table)
    call = _example(given, None if model is None else signature_of(model))
    return replace(call, kwargs={**call.kwargs, **kwargs}) if kwargs else call


def batch_call(batch: Batch, model: nn.Module | None = None) -> Call:
    """Return the call that one batch of a data loader stands for, without its labels.

    | batch | read as |
    | --- | --- |
    | a tuple or list that begins with a tensor | the arguments that ``forward`` requires, in order; what follows is labels |
    | a tuple or list that begins with a tuple, list or mapping | that entry as :func:`example_call` reads it; what follows is labels |
    | a mapping | keyword arguments; labels that ``forward`` does not take are left out |
    | anything else | as :func:`example_call` reads it |

    So of ``(x, y)`` a network with ``forward(self, x)`` gets ``x``, one with ``forward(self, a, b)`` both, and of
    ``((a, b), y)`` it gets ``a`` and ``b``. Optional arguments are never filled by position: give them by name, or give a
    :class:`Call`. What is left out is kept in ``Call.labels`` and logged at level INFO.

    Args:
        batch: One batch.
        model: The model that it is for; without it one argument is taken to be required.

    Raises:
        BadInputError: If ``forward`` requires more than the batch has.
    """  # noqa: E501 (a table)
    signature = None if model is None else signature_of(model)
    if isinstance(batch, (tuple, list)):
        call = _by_name(batch, signature) or _of_sequence(batch, signature)
    elif isinstance(batch, Mapping):
        call = _of_mapping(dict(batch), signature)
    else:
        call = _example(batch, signature)
    check_call(call, model)
    return call


def batches_of(data: Any, model: nn.Module, *, limit: int | None = None, name: str = "data") -> Iterator[Call]:
    """Yield batches as calls of a model, one at a time.

    Args:
        data: An iterable of batches, each as :func:`batch_call` reads it: a list, a ``DataLoader``. One tensor, one mapping or
            one :class:`Call` is one batch.
        model: The model that they are for.
        limit: How many batches to take at most.
        name: What the argument is called, for messages.

    Yields:
        The calls.

    Raises:
        BadInputError: If it is no iterable of batches, is empty, or a batch does not fit.
    """
    if isinstance(data, (Tensor, Mapping, Call)):
        data = [data]
    if isinstance(data, Dataset) and not isinstance(data, IterableDataset):
        raise BadInputError(
            f"Argument `{name}` must be batches, but is the dataset {type(data).__name__}, which gives single samples. "
            "Pass `torch.utils.data.DataLoader(dataset, batch_size=256)`."
        )
    try:
        batches = iter(data)
    except TypeError as error:
        raise BadInputError(
            f"Argument `{name}` must be an iterable of batches, such as a list of tensors or a DataLoader, but is a "
            f"{type(data).__name__}."
        ) from error
    empty = True
    for batch in itertools.islice(batches, limit):
        empty = False
        yield batch_call(batch, model)
    if empty:
        raise BadInputError(
            f"Argument `{name}` must hold at least one batch, but is empty. An iterator can be used only once: pass a list."
        )


def check_call(call: Call, model: Any) -> None:
    """Check that the ``forward`` of a model takes the arguments of a call, as far as names and numbers say.

    Args:
        call: The call.
        model: A module; anything else passes.

    Raises:
        BadInputError: If it does not.
    """
    signature = signature_of(model) if isinstance(model, nn.Module) else None
    complaint = signature.complaint(call.args, call.kwargs) if signature is not None else ""
    if complaint:
        raise BadInputError(
            f"The forward of {type(model).__name__} {complaint}. Give all arguments that it needs: a tuple in their order, a "
            "dictionary by name, or `parasym.functional.Call(args, kwargs)`."
        )


def _example(given: Any, signature: Signature | None) -> Call:
    if given is None or isinstance(given, Call):
        return given or Call()
    if isinstance(given, str):
        raise BadInputError(f"Example inputs must be a tensor, a tuple of arguments or a dictionary by name, but are {given!r}.")
    if isinstance(given, Tensor):
        return Call((given,))
    if isinstance(given, Mapping):
        return Call((), dict(given))
    named = _by_name(given, signature)
    if named is not None:
        return named
    return (_pair(given, signature) or Call(tuple(given))) if isinstance(given, (tuple, list)) else Call((given,))


def _by_name(given: Any, signature: Signature | None) -> Call | None:
    """Return the required arguments as attributes of an object; of a lone one only a named tuple says which it is."""
    required = () if signature is None else signature.required
    if isinstance(given, (tuple, list)):
        fits = bool(required) and set(required) <= set(getattr(given, "_fields", ()))
    else:
        fits = len(required) > 1 and all(getattr(given, name, None) is not None for name in required)
    return Call((), {name: getattr(given, name) for name in required}) if fits else None


def _pair(given: tuple[Any, ...] | list[Any], signature: Signature | None) -> Call | None:
    if len(given) != 2 or not isinstance(given[0], (tuple, list)) or not isinstance(given[1], Mapping):
        return None
    if signature is not None and signature.complaint(tuple(given[0]), given[1]):
        return None
    return Call(tuple(given[0]), dict(given[1]))


def _of_sequence(batch: tuple[Any, ...] | list[Any], signature: Signature | None) -> Call:
    pair = _pair(batch, signature)
    if pair is not None or not batch:
        return pair or Call()
    first = batch[0]
    if isinstance(first, Mapping):
        return _with_labels(_of_mapping(dict(first), signature), batch[1:])
    if isinstance(first, (tuple, list, Call)):
        return _with_labels(_example(first, signature), batch[1:])
    named = None if isinstance(first, Tensor) else _by_name(first, signature)
    if named is not None:
        return _with_labels(named, batch[1:])
    count = max(1, len(signature.required)) if signature is not None else 1
    return _with_labels(Call(tuple(batch[:count])), batch[count:])


def _of_mapping(batch: dict[str, Any], signature: Signature | None) -> Call:
    labels = [name for name in batch if name in LABELS and signature is not None and not signature.takes([name])]
    call = Call((), {name: x for name, x in batch.items() if name not in labels})
    return _with_labels(call, [batch[name] for name in labels])


def _with_labels(call: Call, rest: Sequence[Any]) -> Call:
    if rest:
        _LOG.info("Taken for labels and left out of the call: %s.", Call(tuple(rest)))
    return replace(call, labels=(*call.labels, *rest)) if rest else call
