"""The Jacobian of a model's outputs with respect to its parameters, over generic inputs."""

import warnings
from dataclasses import dataclass

import torch
from torch import Tensor

from parasym.core import Params
from parasym.functional.call import Call
from parasym.functional.evaluator import Evaluator
from parasym.functional.outputs import output_error, real
from parasym.functional.points import fresh_inputs, widened
from parasym.verify.rank import Rank, rank_by_gap

_ROWS_PER_BATCH = 256
_TINY = 1e-12
_SAME = 1e-11
SMALL = 500


@dataclass(frozen=True)
class Jacobian:
    """A triangular factor of the Jacobian: ``R`` with ``R^T R = J^T J``, columns scaled per tensor.

    Attributes:
        names: The tensors, in the order of the columns.
        shapes: Their shapes.
        scales: What the columns of each tensor were divided by.
        factor: ``R``, of shape ``[rows, P]``.
        rank: Its rank.
        inputs: Number of batches drawn.
        settled: Whether the rank had stopped growing.
    """

    names: tuple[str, ...]
    shapes: tuple[torch.Size, ...]
    scales: tuple[float, ...]
    factor: Tensor
    rank: Rank
    inputs: int
    settled: bool

    def scaled(self, tangent: Params) -> Tensor:
        """Return a tangent vector in the scaled coordinates, of shape ``[P]``.

        Args:
            tangent: Derivatives by name; missing tensors stand still.
        """
        parts = zip(self.names, self.shapes, self.scales, strict=True)
        return torch.cat(
            [(tangent[n] * c).reshape(-1) if n in tangent else self.factor.new_zeros(s.numel()) for n, s, c in parts]
        )


def wide_inputs(run: Evaluator, params: Params, inputs: Call, generator: torch.Generator) -> Call:
    """Return inputs with a longer first axis, if that is a batch; else the inputs as they are.

    Whether the first axis is a batch is tried out: the outputs of a joined batch must be the joined outputs.

    Args:
        run: The model.
        params: Any point.
        inputs: The arguments.
        generator: Source of randomness.
    """
    try:
        pair = [fresh_inputs(inputs, generator=generator) for _ in range(2)]
        apart = [run(params, one) for one in pair]
        together = run(params, pair[0].joined(pair[1:]))
        error = output_error([torch.cat(outputs) for outputs in zip(*apart, strict=True)], together)
    except Exception:  # a model may refuse another batch size in any way it likes
        return inputs
    rows = sum(y.numel() for y in apart[0])
    return (widened(inputs, _ROWS_PER_BATCH // max(1, rows)) if error < _SAME else None) or inputs


def jacobian_rows(run: Evaluator, params: Params, names: tuple[str, ...], inputs: Call, generator: torch.Generator) -> Tensor:
    """Return rows of the Jacobian at one batch of inputs, of shape ``[rows, P]``.

    Every output is one row; where there are more than 256, random combinations of them are taken.

    Args:
        run: The model.
        params: The point.
        names: Tensors with respect to which to differentiate.
        inputs: The arguments.
        generator: Source of randomness.
    """
    here = {name: params[name].detach().clone().requires_grad_() for name in names}
    outputs = [real(y).reshape(-1) for y in run(params | here, inputs) if y.requires_grad]
    size = sum(p.numel() for p in here.values())
    flat = torch.cat(outputs) if outputs else torch.zeros(0)
    flat = flat[flat.isfinite()]
    if flat.numel() == 0:
        return torch.zeros(0, size, dtype=run.dtype)
    if flat.numel() > _ROWS_PER_BATCH:
        mix = torch.randn(_ROWS_PER_BATCH, flat.numel(), generator=generator, dtype=torch.float64) / flat.numel() ** 0.5
    else:
        mix = torch.eye(flat.numel(), dtype=torch.float64)
    gradients = _batched(flat, list(here.values()), mix.to(flat))
    return torch.cat([g.reshape(len(mix), -1) for g in gradients], dim=1)


def _batched(flat: Tensor, wanted: list[Tensor], mix: Tensor) -> list[Tensor]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # operations without a batching rule are merely slow
            found = torch.autograd.grad(flat, wanted, mix, is_grads_batched=True, allow_unused=True, retain_graph=True)
    except RuntimeError:
        rows = [torch.autograd.grad(flat, wanted, row, allow_unused=True, retain_graph=True) for row in mix]
        found = [None if column[0] is None else torch.stack(column) for column in zip(*rows, strict=True)]
    return [torch.zeros(len(mix), *p.shape).to(p) if g is None else g for g, p in zip(found, wanted, strict=True)]


def jacobian(
    run: Evaluator, params: Params, names: tuple[str, ...], inputs: Call, generator: torch.Generator, *, most: int = 3000
) -> Jacobian:
    """Return the Jacobian over batches of generic inputs, drawn until its rank stops growing.

    The number of rows doubles each time: a ReLU network has small linear regions that few inputs hit.

    Args:
        run: The model.
        params: A generic point.
        names: Tensors with respect to which to differentiate.
        inputs: Inputs of the right shapes; fresh ones are drawn like them.
        generator: Source of randomness.
        most: Largest number of batches.
    """
    shapes = tuple(params[name].shape for name in names)
    size = sum(s.numel() for s in shapes)
    factor, seen, last, settled = torch.zeros(0, size, dtype=run.dtype), 0, -1, False
    rank, scales = Rank(0, 1.0, 1.0, trustworthy=True), (1.0,) * len(names)
    rows = size + 16
    least = rows * (16 if size <= SMALL else 2)
    drawn = 0
    inputs = wide_inputs(run, params, inputs, generator)
    while seen < most:
        block, seen = _block(run, params, names, inputs, generator, seen, most, rows=max(rows, drawn))
        drawn += len(block)
        factor = torch.cat([factor.to(block), block])
        if len(factor) > size:
            factor = torch.linalg.qr(factor, mode="r").R
        scales = tuple(_scale(part) for part in factor.split([s.numel() for s in shapes], dim=1))
        rank = rank_by_gap(torch.linalg.svdvals(_divided(factor, shapes, scales)))
        still = rank.value == last and rank.trustworthy and drawn >= least
        if rank.value == size or still or len(block) == 0:
            settled = len(block) > 0
            break
        last = rank.value
    return Jacobian(names, shapes, scales, _divided(factor, shapes, scales), rank, seen, settled)


def _block(
    run: Evaluator,
    params: Params,
    names: tuple[str, ...],
    inputs: Call,
    generator: torch.Generator,
    seen: int,
    most: int,
    *,
    rows: int,
) -> tuple[Tensor, int]:
    """Return about ``rows`` rows, each batch scaled to a common size, and the number of batches seen so far."""
    parts: list[Tensor] = []
    while seen < most and sum(map(len, parts)) < rows:
        try:
            batch = fresh_inputs(inputs, tokens=True, generator=generator)
            part = jacobian_rows(run, params, names, batch, generator)
        except (RuntimeError, ValueError, IndexError):
            part = jacobian_rows(run, params, names, fresh_inputs(inputs, generator=generator), generator)
        seen += 1
        part = part[part.isfinite().all(dim=1)]
        if len(part) == 0:
            break
        largest = float(torch.linalg.vector_norm(part, dim=1).max())
        parts.append(part / largest if largest > _TINY else part)
    return torch.cat(parts) if parts else torch.zeros(0, sum(params[n].numel() for n in names), dtype=run.dtype), seen


def _scale(part: Tensor) -> float:
    # A tensor that the outputs do not see has columns of rounding errors, which must not be blown up.
    norm = float(torch.linalg.vector_norm(part)) / max(1, part.shape[1]) ** 0.5
    return norm if norm > _TINY else 1.0


def _divided(factor: Tensor, shapes: tuple[torch.Size, ...], scales: tuple[float, ...]) -> Tensor:
    counts = [s.numel() for s in shapes]
    return torch.cat([part / c for part, c in zip(factor.split(counts, dim=1), scales, strict=True)], dim=1)
