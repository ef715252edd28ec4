"""A tensor some of whose entries are constants: which ones, how they get there, and what keeps gradients away."""

import weakref
from collections.abc import Callable
from math import prod
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import _disable_current_modes, _get_current_dispatch_mode
from torch.utils.weak import WeakIdKeyDictionary

_CHUNK = 1 << 18
"""Entries written at once on a CPU, so that their indices fit into a cache."""
_KEPT = 1 << 20
"""Mask and constants of tensors up to this size are kept in full once they were needed in full."""


class FrozenEntries(nn.Module):
    r"""Return ``mask ? W : F``: the trainable entries of a tensor, and constants in place of the others.

    .. math:: W' = M \odot W + (1 - M) \odot F

    as a choice, not as a product: the gradient at a frozen entry is exactly zero, whatever ``W`` holds there. Only the places of
    frozen entries and their constants are stored, so that the cost is proportional to what is frozen.

    `forward` makes a new tensor. `held` writes the constants into a parameter and returns it, which costs no copy: that is what
    a broken layer does outside of the transforms of ``torch.func``, compilers and tracers. What is stored behind frozen
    entries is never read either way, so no optimizer, decay or momentum can move ``W'`` there.

    Places and constants are neither parameters nor buffers: they are part of the architecture, are the same in all networks of a
    population, and stay as they are when the model is cast.

    Args:
        mask: Booleans, true where trainable.
        frozen: The constants, in the shape of ``mask``. What they hold at trainable places is dropped.

    Attributes:
        shape: Shape of the tensor.
        places: Frozen places: in every row, of shape ``[rows, n]`` with ``rows = shape[0]``, or in the flattened tensor.
        constants: Their values, of the shape of ``places``.
        given: Whether the constants come from a file rather than from the recipe, and so must be saved.
        kept_in_full: Whether to keep mask and constants in full once they were needed, however large they are.

    Example:
        >>> half = FrozenEntries(torch.tensor([[True, False]]), torch.tensor([[7.0, 9.0]]))
        >>> half(torch.tensor([[1.0, 2.0]])), half.right_inverse(torch.tensor([[1.0, 2.0]]))
        (tensor([[1., 9.]]), tensor([[1., 0.]]))
    """

    def __init__(self, mask: Tensor, frozen: Tensor) -> None:
        super().__init__()
        places = (~mask).flatten().nonzero().flatten()
        self._set(mask.shape, places, frozen.detach().flatten()[places])

    @classmethod
    def at(cls, shape: tuple[int, ...], places: Tensor, constants: Tensor) -> Self:
        """Return frozen entries by their places.

        Args:
            shape: Shape of the tensor.
            places: Positions in every row, of shape ``[shape[0], n]``, or in the flattened tensor, of shape ``[n]``.
            constants: Of the shape of ``places``.
        """
        out = cls.__new__(cls)
        nn.Module.__init__(out)
        out._set(torch.Size(shape), places, constants)
        return out

    def _set(self, shape: torch.Size, places: Tensor, constants: Tensor) -> None:
        self.shape = shape
        width = prod(shape[1:]) if places.ndim == 2 else prod(shape)
        self.places = places.to(torch.int16 if width <= 1 << 15 else torch.int32 if width <= 1 << 31 else torch.int64)
        self.constants = constants
        self.given = self.kept_in_full = False
        self._full: tuple[Tensor, Tensor] | None = None
        self._guarded = WeakIdKeyDictionary()

    # -- what is frozen ---------------------------------------------------------------------------

    @property
    def mask(self) -> Tensor:
        """Booleans of the shape of the tensor, true where trainable."""
        return self._in_full()[0]

    @property
    def frozen(self) -> Tensor:
        """The constants in the shape of the tensor, zero where trainable."""
        return self._in_full()[1]

    @property
    def count(self) -> int:
        """Number of frozen entries."""
        return self.places.numel()

    @property
    def flat(self) -> Tensor:
        """Places in the flattened tensor, of shape ``[n]``."""
        if self.places.ndim == 1:
            return self.places.long()
        first = torch.arange(len(self.places), device=self.places.device) * prod(self.shape[1:])
        return (self.places.long() + first[:, None]).flatten()

    def set_constants(self, constants: Tensor) -> None:
        """Take other constants at the same places.

        Args:
            constants: Of the shape of ``places``.
        """
        self.constants, self._full = constants, None

    def forget(self) -> None:
        """Drop mask and constants in full, if they are kept."""
        self.kept_in_full, self._full = False, None

    def with_more(self, index: Tensor, constants: Tensor) -> "FrozenEntries":
        """Return these and further frozen entries; where one is frozen already it keeps its constant.

        Args:
            index: Places in the flattened tensor.
            constants: Their values.
        """
        mask, frozen = self.mask.flatten().clone(), self.frozen.flatten().clone()
        new = index[mask[index]]
        frozen[new] = constants[mask[index]].to(frozen)
        mask[new] = False
        return FrozenEntries(mask.view(self.shape), frozen.view(self.shape))

    def _in_full(self) -> tuple[Tensor, Tensor]:
        if torch.compiler.is_compiling():
            return self._spread()
        if self._full is None or self._full[0].device != self.places.device:
            with _disable_current_modes():  # to whoever records what torch does these are data, not operations
                full = self._spread()
            if prod(self.shape) > _KEPT and not self.kept_in_full:
                return full
            self._full = full
        return self._full

    def _spread(self) -> tuple[Tensor, Tensor]:
        device, dtype = self.places.device, torch.promote_types(self.constants.dtype, torch.float32)
        if torch.compiler.is_compiling():
            index, size = self.flat, prod(self.shape)
            mask = torch.ones(size, dtype=torch.bool, device=device).index_fill(0, index, False)
            frozen = torch.zeros(size, dtype=dtype, device=device).index_copy(0, index, self.constants.flatten().to(dtype))
            return mask.view(self.shape), frozen.view(self.shape)
        mask, frozen = (
            torch.ones(self.shape, dtype=torch.bool, device=device),
            torch.zeros(self.shape, dtype=dtype, device=device),
        )
        self._write_((mask, None), (frozen, self.constants))
        return mask, frozen

    # -- as a parametrization ---------------------------------------------------------------------

    def forward(self, weight: Tensor) -> Tensor:
        """Return the tensor with its frozen entries in place.

        Args:
            weight: The stored tensor.
        """
        mask, frozen = self._in_full()
        return torch.where(mask.to(weight.device), weight, frozen.to(weight))

    def right_inverse(self, weight: Tensor) -> Tensor:
        """Return what to store for a given tensor: zero behind frozen entries.

        Args:
            weight: The wanted tensor; its frozen entries cannot be had.
        """
        return torch.where(self.mask.to(weight.device), weight, torch.zeros_like(weight))

    # -- in place ---------------------------------------------------------------------------------

    def held(self, weight: Tensor) -> Tensor:
        """Return the tensor with its frozen entries in place: a parameter itself, after its constants were written into it.

        Under transforms of ``torch.func``, compilers, tracers and other modes it is `forward` that answers.

        Args:
            weight: What the module stores.
        """
        if type(weight) is not nn.Parameter or weight.is_meta or _is_watched():
            return self(weight)
        self.impose_(weight)
        if weight.requires_grad and torch.is_grad_enabled():
            self._guard(weight)
        return weight

    def impose_(self, weight: Tensor) -> None:
        """Write the constants into a tensor. Autograd does not know: the entries are the same before and after.

        Args:
            weight: A tensor with memory of its own.
        """
        self._write_((weight.data, self.constants))

    def _write_(self, *pairs: tuple[Tensor, Tensor | None]) -> None:
        """Write values, or zeros, at the frozen places of tensors."""
        if self.places.ndim == 1 or not all(x.is_contiguous() for x, _ in pairs):
            index = torch.unravel_index(self.flat, self.shape)
            for x, values in pairs:
                x.index_put_(index, x.new_zeros(()) if values is None else values.flatten().to(x))
            return
        rows = len(self.places)
        step = rows if self.places.is_cuda else max(1, _CHUNK // max(1, self.places.shape[1]))
        for start in range(0, rows, step):
            index = self.places[start : start + step].long()
            for x, values in pairs:
                new = x.new_zeros(()).expand(index.shape) if values is None else values[start : start + step].to(x)
                x.view(rows, -1)[start : start + step].scatter_(1, index, new)

    def _guard(self, weight: nn.Parameter) -> None:
        """Keep gradients of the parameter at zero where it is frozen, as long as these entries are."""
        if weight in self._guarded:
            return
        mine, its = weakref.ref(self), weakref.ref(weight)  # a hook is held by its parameter, and holds nobody

        def before(gradient: Tensor) -> Tensor | None:
            one = mine()
            accumulates = one is not None and gradient.layout is torch.strided and _accumulates(its())
            return None if one is None or accumulates else one._without(gradient)

        def after(parameter: Tensor) -> None:
            one, gradient = mine(), parameter.grad
            if one is not None and gradient is not None and gradient.layout is torch.strided and not gradient.requires_grad:
                one._write_((gradient, None))

        weight.register_hook(before)
        weight.register_post_accumulate_grad_hook(after)
        self._guarded[weight] = True

    def _without(self, gradient: Tensor) -> Tensor:
        """Return a gradient that is zero at the frozen places, differentiably; of an embedding it may be sparse."""
        mask = self.mask.to(gradient.device)
        if gradient.layout is torch.strided:
            return torch.where(mask, gradient, torch.zeros_like(gradient))
        gradient = gradient.coalesce()
        rows, values = gradient.indices(), gradient.values()
        return torch.sparse_coo_tensor(rows, values * mask[rows[0]], gradient.shape)

    # -- as a module ------------------------------------------------------------------------------

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Follow the model to its device; a cast is not followed."""
        device = fn(torch.empty(0, device=self.places.device)).device
        if device.type != "meta":
            self.places, self.constants = self.places.to(device), self.constants.to(device)
        return super()._apply(fn, recurse)

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        """Save constants that no recipe draws, as all were once saved."""
        del keep_vars
        if self.given:
            destination[prefix + "mask"], destination[prefix + "frozen"] = self.mask, self.frozen

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy keeps: neither the hooks of a parameter nor what can be worked out again."""
        return self.__dict__ | {"_guarded": None, "_full": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take the state of other frozen entries."""
        super().__setstate__(state | {"_guarded": WeakIdKeyDictionary()})

    def extra_repr(self) -> str:
        """Return how much is frozen."""
        return f"frozen={self.count} of {prod(self.shape)}"


def _is_watched() -> bool:
    """Whether somebody records or transforms what torch does, so that writing in place would be wrong or not seen."""
    tracing = torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]
    return torch.compiler.is_compiling() or tracing or _get_current_dispatch_mode() is not None


def _accumulates(weight: nn.Parameter | None) -> bool:
    """Whether a gradient on its way goes into ``.grad``, where it can be cleared without a copy; "no" if that is not known."""
    will_execute = getattr(torch._C, "_will_engine_execute_node", None)
    if weight is None or will_execute is None or torch.is_grad_enabled():
        return False
    try:
        return bool(will_execute(torch.autograd.graph.get_gradient_edge(weight).node))
    except RuntimeError:  # torch.autograd.grad was asked for it
        return False
