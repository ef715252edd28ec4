"""Run a model in the precision of the proof, whatever precision it asks for inside."""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode

_LOW = {
    torch.float16: torch.float64,
    torch.bfloat16: torch.float64,
    torch.float32: torch.float64,
    torch.complex64: torch.complex128,
}
_CASTS = (Tensor.float, Tensor.half, Tensor.bfloat16)
_BATCH_NORM = ("input", "weight", "bias", "running_mean", "running_var", "training", "momentum", "eps", "cudnn_enabled")
_ORDER = {
    torch.batch_norm: _BATCH_NORM,
    torch.ops.aten.batch_norm.default: _BATCH_NORM,  # of an exported program
    functional.batch_norm: ("input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps"),
}


class _InDouble(TorchFunctionMode):
    """Raises every cast to a lower precision to double, as in ``x.float()`` inside RMSNorm."""

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        if func in _CASTS:
            return args[0].double()
        args = tuple(_raised(a) for a in args)
        return func(*args, **{k: _raised(v) for k, v in (kwargs or {}).items()})


class _DifferentiableStatistics(TorchFunctionMode):
    """Writes normalization by running statistics out, for autograd takes those as constants."""

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        if func in _ORDER:
            given = dict(zip(_ORDER[func], args, strict=False)) | (kwargs or {})
            mean, var = given.get("running_mean"), given.get("running_var")
            if mean is not None and var is not None:
                if not given.get("training", False):
                    return _normalized(given["input"], given.get("weight"), given.get("bias"), mean, var, given.get("eps", 1e-5))
                # Batch statistics: the running ones are only written, and autograd refuses to look at them.
                given |= {"running_mean": mean.detach(), "running_var": var.detach()}
                return func(*[given.pop(name) for name in _ORDER[func][: len(args)]], **given)
        return func(*args, **(kwargs or {}))


def _normalized(x: Tensor, weight: Tensor | None, bias: Tensor | None, mean: Tensor, var: Tensor, eps: float) -> Tensor:
    def along(v: Tensor) -> Tensor:
        return v.reshape(-1, *[1] * (x.ndim - 2))

    out = (x - along(mean)) / (along(var) + eps).sqrt()
    out = out if weight is None else out * along(weight)
    return out if bias is None else out + along(bias)


def _raised(value: Any) -> Any:
    return _LOW.get(value, value) if isinstance(value, torch.dtype) else value


@contextlib.contextmanager
def precision(dtype: torch.dtype) -> Iterator[None]:
    """Evaluate everything inside in ``dtype``, with kernels that autograd can batch.

    With ``torch.float64`` also explicit casts to single precision and tensors made on the fly are
    in double precision, so that rounding cannot hide a fault. The previous settings come back.

    Args:
        dtype: The precision of the proof.
    """
    default, fast = torch.get_default_dtype(), torch.backends.mha.get_fastpath_enabled()
    torch.set_default_dtype(dtype)
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(sdpa_kernel(SDPBackend.MATH))
            stack.enter_context(_DifferentiableStatistics())
            if dtype == torch.float64:
                stack.enter_context(_InDouble())
            yield
    finally:
        torch.set_default_dtype(default)
        torch.backends.mha.set_fastpath_enabled(fast)
