"""What a user may give to a verb: a module wherever its parameters are wanted, and one line about anything else."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from parasym.core.error import BadInputError
from parasym.core.params import Params, model_params

Model = Params | nn.Module
"""Parameters and buffers by name, or the module that has them."""


def as_params(given: Any, name: str, verb: str) -> Params:
    """Return parameters and buffers by name, detached and not copied.

    Args:
        given: A module, or a mapping from names to tensors.
        name: What the argument is called.
        verb: The call that the argument is of, as ``match(symmetry, a, b)``.

    Raises:
        BadInputError: If it is neither.

    Example:
        >>> sorted(as_params(nn.Linear(2, 3), "a", "match(symmetry, a, b)"))
        ['bias', 'weight']
        >>> as_params((1, 2), "a", "match(symmetry, a, b)")
        Traceback (most recent call last):
        parasym.core.error.BadInputError: Argument `a` must be a module or its parameters by name, but is a tuple of 2. ...
    """
    if isinstance(given, nn.Module):
        return model_params(given)
    if not isinstance(given, Mapping):
        hint = " Pass its `.params`." if isinstance(getattr(given, "params", None), Mapping) else ""
        raise BadInputError(
            f"Argument `{name}` must be a module or its parameters by name, but is {described(given)}.{hint} The call is {verb}."
        )
    wrong = [key for key, x in given.items() if not isinstance(key, str) or not isinstance(x, Tensor)]
    if wrong or not given:
        found = f"but `{wrong[0]}` is {described(given[wrong[0]])}" if given else "but is empty"
        inner = next((key for key, x in given.items() if isinstance(x, (Mapping, nn.Module))), None)
        hint = f" Pass its entry `{inner}`." if inner is not None else ""
        raise BadInputError(f"Argument `{name}` must hold tensors by name, {found}.{hint} The call is {verb}.")
    return {key: x.detach() for key, x in given.items()}


def as_models(given: Any, name: str, verb: str) -> list[Params]:
    """Return a list of parameters and buffers by name.

    Args:
        given: An iterable of what :func:`as_params` takes, at least one.
        name: What the argument is called.
        verb: The call that the argument is of.

    Raises:
        BadInputError: If it is something else.
    """
    if isinstance(given, (nn.Module, Mapping, Tensor, str)) or not hasattr(given, "__iter__"):
        raise BadInputError(f"Argument `{name}` must be a list of models, but is {described(given)}. The call is {verb}.")
    found = [as_params(one, f"{name}[{k}]", verb) for k, one in enumerate(given)]
    if not found:
        raise BadInputError(f"Argument `{name}` must hold at least one model, but is empty. The call is {verb}.")
    return found


def as_module(given: Any, name: str, verb: str) -> nn.Module:
    """Return a module.

    Args:
        given: What the user gave.
        name: What the argument is called.
        verb: The call that the argument is of.

    Raises:
        BadInputError: If it is something else.
    """
    if not isinstance(given, nn.Module):
        raise BadInputError(f"Argument `{name}` must be {a_module(given)} The call is {verb}.")
    return given


def as_factory(given: Any, verb: str) -> Callable[[], nn.Module]:
    """Return a function without arguments that builds a network.

    Args:
        given: What the user gave.
        verb: The call that the argument is of.

    Raises:
        BadInputError: If it is something else, such as one network.
    """
    factory: Any = given  # a module can be called too, but not for another module
    wrong = ""
    if isinstance(given, nn.Module):
        wrong = f"is {described(given)}: every network needs initial weights of its own"
    elif not callable(given):
        wrong = f"is {described(given)}"
    else:
        needed = _needed(given)
        wrong = f"{described(given)} needs {', '.join(f'`{name}`' for name in needed)}" if needed else ""
    if wrong:
        raise BadInputError(
            "Argument `factory` must be a function without arguments that builds a network, such as `lambda: MyNet(10)`, "
            f"but {wrong}. The call is {verb}."
        )
    return factory


def _needed(function: Callable[..., Any]) -> list[str]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []  # written in C
    return [p.name for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]


def a_module(given: Any) -> str:
    """Return the end of a sentence: that something must be a module, what it is, and what to do if it is parameters.

    Args:
        given: Anything but a module.
    """
    if isinstance(given, type) and issubclass(given, nn.Module):
        return f"a torch.nn.Module, but is the class {given.__name__}: build one, as in {given.__name__}(...)."
    hint = ""
    if isinstance(given, Mapping):
        hint = " Parameters alone have no forward: build the model, load them with `load_state_dict`, and pass the model."
    elif callable(given):
        hint = " Wrap a function in a module that holds its parameters."
    return f"a torch.nn.Module, but is {described(given)}.{hint}"


def described(value: Any) -> str:
    """Return what something is, for a message.

    Args:
        value: Anything.

    Example:
        >>> import torch
        >>> [described(x) for x in ({"w": torch.ones(2)}, torch.ones(2), nn.ReLU(), [1], 3)]
        ['a dictionary of 1 tensors', 'a tensor of shape (2,)', 'the module ReLU', 'a list of 1', 'an int']
    """
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, nn.Module):
        return f"the module {type(value).__name__}"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if isinstance(value, Mapping):
        tensors = bool(value) and all(isinstance(x, Tensor) for x in value.values())
        return f"a dictionary of {len(value)} {'tensors' if tensors else 'entries'}"
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {len(value)}"
    if value is None:
        return "None"
    kind = type(value).__name__
    return f"{'an' if kind[0].lower() in 'aeiou' else 'a'} {kind}"
