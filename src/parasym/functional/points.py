"""Generic points: parameters and inputs at which nothing is special by accident."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from parasym.core import Params
from parasym.functional.call import Call
from parasym.functional.evaluator import Evaluator
from parasym.functional.outputs import real


@dataclass(frozen=True, eq=False)
class Point:
    """Parameters, inputs, and the outputs there.

    Attributes:
        params: Parameters and buffers by name.
        inputs: The arguments.
        outputs: What the model returns.
    """

    params: Params
    inputs: Call
    outputs: list[Tensor]

    @property
    def finite(self) -> bool:
        """Whether no output is NaN."""
        return not any(bool(real(x).isnan().any()) for x in self.outputs)


def generic_point(
    run: Evaluator, params: Params, names: tuple[str, ...], inputs: Call, generator: torch.Generator, *, fresh: bool = True
) -> Point | None:
    """Return a point beside a given one, or ``None`` if the model gives NaN at all that were tried.

    Where the model refuses fresh inputs, or gives NaN for them, the given ones are used, and then smaller steps.

    Args:
        run: The model.
        params: The given parameters.
        names: Which of them to perturb.
        inputs: The given inputs.
        generator: Source of randomness.
        fresh: Whether to try other inputs.

    Raises:
        RuntimeError: What the model raises on its own inputs.
        ValueError: The same.
        IndexError: The same.
    """
    for size, new in ((0.5, fresh), (0.5, False), (0.1, False)):
        there = run.tied(redraw(params, names, size=size, generator=generator))
        batch = fresh_inputs(inputs, generator=generator) if new else inputs
        try:
            point = Point(there, batch, run(there, batch))
        except (RuntimeError, ValueError, IndexError):
            if not new:
                raise
            continue
        if point.finite:
            return point
    return None


def redraw(params: Params, names: tuple[str, ...], *, size: float = 0.5, generator: torch.Generator | None = None) -> Params:
    """Return ``params`` with the named tensors perturbed at random.

    Biases of zero and gains of one hide faults: a symmetry that forgets a bias holds where the bias
    is zero. All-positive tensors (running variances, gains) are multiplied and stay positive.

    Args:
        params: Parameters and buffers by name. Not modified.
        names: Which of them to perturb; integer tensors are left alone.
        size: Share of noise, between 0 (nothing changes) and 1 (nothing but the size of a tensor is kept).
        generator: Source of randomness, on the CPU.
    """
    out = dict(params)
    for name in names:
        if out[name].is_floating_point() or out[name].is_complex():
            out[name] = _perturbed(out[name], size, generator)
    return out


def _perturbed(x: Tensor, size: float, generator: torch.Generator | None) -> Tensor:
    dtype = torch.complex128 if x.is_complex() else torch.float64
    noise = torch.randn(x.shape, generator=generator, dtype=dtype).to(x)
    if not x.is_complex() and x.numel() and bool((x > 0).all()):
        return x * (noise * (size / 2)).exp()
    norm = float(torch.linalg.vector_norm(x)) / math.sqrt(max(1, x.numel()))
    fan_in = x.numel() // max(1, x.shape[0]) if x.ndim > 1 else 16
    return x * math.sqrt(1 - size**2) + noise * (size * (norm or 0.5 / math.sqrt(max(1, fan_in))))


def fresh_inputs(inputs: Call, *, tokens: bool = False, generator: torch.Generator | None = None) -> Call:
    """Return inputs of the same shapes, drawn at random.

    Floating-point tensors become Gaussian noise of about the same size with a random offset, except
    masks of zeros and ones and tensors with infinities, which are kept. Integer and boolean
    tensors are kept, or with ``tokens`` integers are drawn from the range they span.

    Args:
        inputs: The arguments. Not modified.
        tokens: Whether to draw integers too.
        generator: Source of randomness, on the CPU.
    """

    def draw(x: Tensor) -> Tensor:
        if x.numel() == 0 or x.dtype == torch.bool:
            return x
        if not (x.is_floating_point() or x.is_complex()):
            return _tokens(x, generator) if tokens else x
        return x if _is_mask(x) else _noise(x, generator)

    return inputs.map(draw)


def widened(inputs: Call, times: int) -> Call | None:
    """Return inputs repeated along the first axis, or ``None`` if they do not share a first axis.

    Args:
        inputs: The arguments. Not modified.
        times: How often.
    """
    if times < 2 or inputs.samples is None:
        return None
    return inputs.map(lambda x: torch.cat([x] * times))


def inputs_in(inputs: Call, dtype: torch.dtype) -> Call:
    """Return inputs with their tensors detached, floating-point ones in ``dtype``.

    Args:
        inputs: The arguments. Not modified.
        dtype: Floating-point precision.
    """
    return inputs.map(torch.Tensor.detach).to(dtype=dtype)


def _is_mask(x: Tensor) -> bool:
    if not bool(torch.isfinite(x).all()):
        return True
    return not x.is_complex() and len(x.unique()) == 2 and bool(((x == 0) | (x == 1)).all())


def _noise(x: Tensor, generator: torch.Generator | None) -> Tensor:
    """Return Gaussian noise, every slice of the first axis with a size and an offset of its own."""
    size = float(torch.linalg.vector_norm(x)) / math.sqrt(x.numel()) or 1.0
    dtype = torch.complex128 if x.is_complex() else torch.float64
    slices = (x.shape[0], *[1] * (x.ndim - 1)) if x.ndim > 1 else (1,) * x.ndim
    sizes = size * (torch.rand(slices, generator=generator, dtype=torch.float64) * 3 - 1).exp()
    offset = torch.randn(slices, generator=generator, dtype=dtype) * 0.3
    return ((torch.randn(x.shape, generator=generator, dtype=dtype) + offset) * sizes).to(x)


def _tokens(x: Tensor, generator: torch.Generator | None) -> Tensor:
    low, high = int(x.min()), int(x.max())
    return torch.randint(low, high + 1, x.shape, generator=generator).to(x)
