"""Freezing entries of a module's tensor in place: its name stays, and so does every file and tool that knows it."""

import weakref
from collections.abc import Iterator
from copy import deepcopy
from typing import Any, Self

from torch import Tensor, nn
from torch.nn.utils import parametrize

from parasym.breaking.frozen_entries import FrozenEntries
from parasym.core import BadInputError


def freeze_(module: nn.Module, tensor: str, entries: FrozenEntries) -> None:
    """Let entries of a parameter be constants from now on, in place.

    The parameter stays where it was, under its name. The module gets a class of its own, derived from its former class, in which
    the tensor is a property: whoever reads it gets ``entries.held(parameter)``. ``torch.nn.utils.parametrize`` takes that for a
    parametrization: ``is_parametrized`` and ``remove_parametrizations`` work, and ``module.parametrizations[tensor][0]`` are
    the entries.

    Args:
        module: A module that nobody else holds.
        tensor: Name of one of its own parameters.
        entries: What is frozen; replaces what was frozen before.

    Example:
        >>> import torch
        >>> layer = nn.Linear(2, 1)
        >>> freeze_(layer, "weight", FrozenEntries(torch.tensor([[True, False]]), torch.tensor([[7.0, 9.0]])))
        >>> list(layer.state_dict()), layer.weight[0, 1].item()
        (['weight', 'bias'], 9.0)
    """
    if not isinstance(module, _Frozen):
        module.__class__ = _class_of_its_own(type(module), ())
        if not parametrize.is_parametrized(module):
            module.parametrizations = nn.ModuleDict()
        module.register_state_dict_pre_hook(_impose)
    if tensor not in vars(type(module)):
        setattr(type(module), tensor, _property(tensor))
    lists = module.parametrizations
    assert isinstance(lists, nn.ModuleDict)
    lists[tensor] = Frozen(entries).of(module, tensor)


def thaw_(module: nn.Module, tensor: str) -> None:
    """Let a parameter be a plain one again, in place, with the constants for numbers.

    Args:
        module: The module.
        tensor: Name of its parameter.
    """
    parametrize.remove_parametrizations(module, tensor)
    if not isinstance(module, _Frozen):
        for key in [key for key, hook in module._state_dict_pre_hooks.items() if hook is _impose]:
            del module._state_dict_pre_hooks[key]


def frozen_tensors(model: nn.Module) -> Iterator[tuple[str, nn.Module, str, FrozenEntries]]:
    """Yield every tensor that is frozen in part: its full name, its module, its name there, and what is frozen.

    A tied tensor comes once under each of its names.

    Args:
        model: Any module.

    Yields:
        One tuple per name.
    """
    for path, module in model.named_modules(remove_duplicate=False):
        if isinstance(module, _Frozen):
            for tensor, frozen in module.parametrizations.items():
                if isinstance(frozen, Frozen):
                    yield f"{path}.{tensor}" if path else tensor, module, tensor, frozen.entries


def frozen_parts(module: nn.Module) -> dict[str, FrozenEntries]:
    """Return what is frozen in a module's own tensors, by their names there.

    Args:
        module: Any module.
    """
    return {tensor: entries for _, owner, tensor, entries in frozen_tensors(module) if owner is module}


def plain_type(module: nn.Module) -> type[nn.Module]:
    """Return the class of a module, or what it was before entries of its tensors were frozen.

    Args:
        module: Any module.

    Example:
        >>> import torch
        >>> layer = nn.Linear(2, 1)
        >>> freeze_(layer, "weight", FrozenEntries(torch.tensor([[True, False]]), torch.tensor([[7.0, 9.0]])))
        >>> type(layer) is nn.Linear, plain_type(layer) is nn.Linear
        (False, True)
    """
    return type(module).__bases__[0] if isinstance(module, _Frozen) else type(module)


class Frozen(nn.ModuleList):
    """The frozen entries of one tensor, in the shape of the lists that ``torch.nn.utils.parametrize`` keeps."""

    is_tensor = True

    def __init__(self, entries: FrozenEntries) -> None:
        super().__init__([entries])
        self._owner: tuple[weakref.ref[nn.Module], str] | None = None

    def of(self, owner: nn.Module, tensor: str) -> Self:
        """Return itself, knowing whose tensor it is about.

        Args:
            owner: The module.
            tensor: The name of its parameter.
        """
        self._owner = weakref.ref(owner), tensor
        return self

    @property
    def entries(self) -> FrozenEntries:
        """What is frozen."""
        found = self[0]
        assert isinstance(found, FrozenEntries)
        return found

    @property
    def original(self) -> Tensor | None:
        """The parameter."""
        assert self._owner is not None
        owner = self._owner[0]()
        return None if owner is None else owner._parameters[self._owner[1]]

    def append(self, module: nn.Module) -> Self:
        """Refuse a second parametrization: it would not be applied.

        Args:
            module: A parametrization.

        Raises:
            BadInputError: Always.
        """
        raise BadInputError(
            f"A tensor with frozen entries cannot be parametrized by {type(module).__name__} as well. Parametrize the plain "
            "model and break it then."
        )

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy keeps: not whose tensor it is."""
        return self.__dict__ | {"_owner": None}


class _Frozen(nn.Module):
    """What all modules with frozen tensors have in common."""

    parametrizations: nn.ModuleDict

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Return how to make the module again: with a class of its own."""
        del protocol
        return _blank, (type(self).__bases__[0], _properties(self)), self.__getstate__()

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take the state of another module of this kind."""
        super().__setstate__(state)
        _link(self)


def _copy(module: "_Frozen", memo: dict[int, Any]) -> nn.Module:
    """Return a copy with a class of its own, so that nothing done to it is done to the module."""
    copy = _blank(type(module).__bases__[0], _properties(module))
    memo[id(module)] = copy
    vars(copy).update(deepcopy(vars(module), memo))
    _link(copy)
    return copy


def _shallow(module: "_Frozen") -> nn.Module:
    """Return a shallow copy, which shares all but the class and who owns the frozen entries."""
    copy = _blank(type(module).__bases__[0], _properties(module))
    vars(copy).update(vars(module))
    copy._modules = dict(module._modules)
    copy._modules["parametrizations"] = nn.ModuleDict(
        {name: Frozen(one.entries) if isinstance(one, Frozen) else one for name, one in module.parametrizations.items()}
    )
    _link(copy)
    return copy


def _link(module: Any) -> None:
    """Tell the frozen entries of a new module whose they are."""
    for tensor, frozen in module.parametrizations.items():
        if isinstance(frozen, Frozen):
            frozen.of(module, tensor)


def _properties(module: nn.Module) -> tuple[str, ...]:
    return tuple(name for name, value in vars(type(module)).items() if isinstance(value, _FrozenProperty))


class _FrozenProperty(property):
    """A tensor of a module with its constants in place."""


def _property(tensor: str) -> _FrozenProperty:
    def read(module: Any) -> Tensor:
        try:
            return module.parametrizations[tensor].entries.held(module._parameters[tensor])
        except AttributeError as error:  # torch would take it for a tensor that is not there, and hand over the stored one
            raise RuntimeError(f"The frozen entries of `{tensor}` cannot be put in place: {error}") from error

    return _FrozenProperty(read)


def _class_of_its_own(kind: type[nn.Module], tensors: tuple[str, ...]) -> type[nn.Module]:
    """Return a class for one module, which looks like that of others of its kind."""
    names: dict[str, Any] = {"__module__": kind.__module__, "__qualname__": kind.__qualname__, "__doc__": kind.__doc__}
    names |= {"__deepcopy__": _copy, "__copy__": _shallow} | {tensor: _property(tensor) for tensor in tensors}
    if issubclass(kind, nn.RNNBase):
        names["_flat_weights"] = property(_flat_weights, _ignore)
    if issubclass(kind, nn.Sequential | nn.ModuleList):
        names |= {"__iter__": _own_modules, "__len__": lambda module: len(list(_own_modules(module)))}
    return type(kind.__name__, (kind, _Frozen), names)


def _blank(kind: type[nn.Module], tensors: tuple[str, ...]) -> nn.Module:
    """Return a module without a state."""
    own = _class_of_its_own(kind, tensors)
    return own.__new__(own)


def _flat_weights(module: Any) -> list[Tensor | None]:
    """Return the weights of a recurrent layer as its kernels take them."""
    return [getattr(module, name, None) for name in module._flat_weights_names]


def _ignore(module: nn.Module, value: Any) -> None:
    """Keep what a recurrent layer remembers of its weights out of use."""
    del module, value


def _own_modules(module: nn.Module) -> Iterator[nn.Module | None]:
    """Return the parts of a container, without what is kept there on frozen tensors."""
    return (part for name, part in module._modules.items() if name != "parametrizations")


def _impose(module: nn.Module, prefix: str, keep_vars: bool) -> None:
    """Put the constants in place before a file is written: decay may have moved what is stored behind them."""
    del prefix, keep_vars
    frozen = module.parametrizations.items() if isinstance(module, _Frozen) else ()  # not if torch has removed it since
    for tensor, one in frozen:
        weight = module._parameters[tensor] if isinstance(one, Frozen) else None
        if isinstance(one, Frozen) and weight is not None and not weight.is_meta:
            one.entries.impose_(weight)
