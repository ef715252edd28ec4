"""Where activations are: one run of the model says how wide each is, and which axis its channels are."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from parasym.breaking.site import CONVOLUTIONS, TRANSPOSED
from parasym.core import BadInputError
from parasym.functional import Call
from parasym.functional.snapshot import forgotten

ACTIVATIONS: tuple[type[nn.Module], ...] = (
    nn.ReLU,
    nn.LeakyReLU,
    nn.PReLU,
    nn.RReLU,
    nn.ReLU6,
    nn.ELU,
    nn.CELU,
    nn.SELU,
    nn.GELU,
    nn.SiLU,
    nn.Mish,
    nn.Tanh,
    nn.Hardtanh,
    nn.Sigmoid,
    nn.LogSigmoid,
    nn.Softplus,
    nn.Softsign,
    nn.Tanhshrink,
    nn.Softshrink,
    nn.Hardshrink,
    nn.Hardswish,
    nn.Hardsigmoid,
    nn.Threshold,
)
"""Element-wise activations of torch."""

FUNCTIONS = frozenset(
    {
        *("relu", "relu_", "leaky_relu", "leaky_relu_", "prelu", "rrelu", "relu6", "elu", "elu_", "celu", "selu", "gelu", "silu"),
        *("mish", "tanh", "tanh_", "hardtanh", "sigmoid", "sigmoid_", "logsigmoid", "softplus", "softsign", "tanhshrink"),
        *("softshrink", "hardshrink", "hardswish", "hardsigmoid", "threshold", "glu", "sin", "cos"),
    }
)
"""Names of functions and methods that are activations when called on an activation."""

_CHANNELS = (*CONVOLUTIONS, *TRANSPOSED, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.GroupNorm, nn.InstanceNorm2d)
_FEATURES = (nn.Linear, nn.LayerNorm, nn.RMSNorm, nn.Embedding)


@dataclass
class ActivationSites:
    """What one run of a model has shown.

    Attributes:
        calls: Shape and whether channels are axis 1, for every call of every activation module, by its path.
        functional: Activations called as functions, as ``function in module``.
    """

    calls: dict[str, list[tuple[torch.Size, bool]]] = field(default_factory=dict)
    functional: list[str] = field(default_factory=list)


def activation_sites(model: nn.Module, call: Call, kinds: tuple[type[nn.Module], ...]) -> ActivationSites:
    """Return where a model's activations are, from one run without gradients on copies of its buffers.

    Channels are axis 1 where the last convolution before came after the last Linear, and for images that no layer came before;
    they are the last axis otherwise.

    Args:
        model: Any module; running statistics are left as they were.
        call: Example inputs.
        kinds: Types of the activation modules.

    Raises:
        BadInputError: If the model does not run on the inputs.
    """
    out = ActivationSites()
    watch = _Watch(out)
    buffers = {name: x.clone() for name, x in model.named_buffers()}
    with _hooked(model, watch, kinds), torch.no_grad():
        try:
            with watch, forgotten(model):
                torch.func.functional_call(model, buffers, call.args, dict(call.kwargs))
        except Exception as error:
            raise BadInputError(f"Argument `inputs` does not fit: the model raises {type(error).__name__}: {error}") from error
    # A sine next to a cosine is a rotary table, not an activation; a cosine alone is.
    tables = {entry[4:] for entry in out.functional if entry.startswith("cos ")}
    pairs = {f"{name} {place}" for place in tables if f"sin {place}" in out.functional for name in ("sin", "cos")}
    out.functional = [entry for entry in out.functional if entry not in pairs]
    return out


class _Watch(TorchFunctionMode):
    """Notes activations that are called as functions, outside of activation modules."""

    def __init__(self, out: ActivationSites) -> None:
        super().__init__()
        self.out = out
        self.inside: list[str] = []
        self.quiet = 0
        self.last: bool | None = None

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        if name in FUNCTIONS and not self.quiet and any(isinstance(x, Tensor) and x.is_floating_point() for x in args):
            entry = f"{name} in {self.inside[-1] if self.inside else 'the model'}"
            if entry not in self.out.functional:
                self.out.functional.append(entry)
            self.quiet += 1  # what the function calls in turn is its own affair
            try:
                return func(*args, **(kwargs or {}))
            finally:
                self.quiet -= 1
        return func(*args, **(kwargs or {}))

    def enter(self, path: str, module: nn.Module, kinds: tuple[type[nn.Module], ...], args: tuple[Any, ...]) -> None:
        """Note that a module is called."""
        self.inside.append(f"`{path}`" if path else "the model")
        if isinstance(module, (*ACTIVATIONS, *kinds)):
            self.quiet += 1
        if isinstance(module, kinds):
            x = args[0]
            on_axis_one = x.ndim > 2 and (x.ndim >= 4 if self.last is None else self.last)
            self.out.calls.setdefault(path, []).append((x.shape, on_axis_one))

    def leave(self, module: nn.Module, kinds: tuple[type[nn.Module], ...]) -> None:
        """Note that a module returns."""
        self.inside.pop()
        if isinstance(module, (*ACTIVATIONS, *kinds)):
            self.quiet -= 1
        elif isinstance(module, _CHANNELS):
            self.last = True
        elif isinstance(module, _FEATURES):
            self.last = False


@contextmanager
def _hooked(model: nn.Module, watch: _Watch, kinds: tuple[type[nn.Module], ...]) -> Iterator[None]:
    handles = []
    for path, module in model.named_modules():
        before: Callable[..., None] = lambda m, args, path=path: watch.enter(path, m, kinds, args)  # noqa: E731
        after: Callable[..., None] = lambda m, args, out: watch.leave(m, kinds)  # noqa: E731
        handles += [module.register_forward_pre_hook(before), module.register_forward_hook(after)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
