"""Activation matching: wires aligned by what their channels compute on data."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from parasym.core import BadInputError, Params
from parasym.orbit.alignment import Alignment, Costs
from parasym.orbit.block import Block, blocks_of
from parasym.orbit.descent import visit
from parasym.orbit.method import AbstractMethod
from parasym.orbit.objective import STATISTICS
from parasym.orbit.solve import solve
from parasym.symmetry import Binding, Element, Move, Slot, Symmetry

_LOG = logging.getLogger("parasym.orbit")


@dataclass(frozen=True)
class Tap:
    """Where the channels of a wire can be read: the output or the input of a module.

    Attributes:
        module: Its path in the model.
        output: Whether its output is read, or its first input.
        axis: The feature axis, counted from the end for layers over the last axis and 1 for convolutions.
        binding: Where the wire sits along that axis, in a matrix ``[samples, features]``.
        parity: Which signs of the wire flip it.
        weight_axis: The axis of the module's weight that bears the wire.
    """

    module: str
    output: bool
    axis: int
    binding: Binding
    parity: tuple[bool, ...]
    weight_axis: int


@dataclass(frozen=True, eq=False)
class ActivationMatching(AbstractMethod):
    r"""Align each wire by the correlations of its channels' activations over data, in one pass.

    Activations are read at the outputs of modules whose weight bears the wire on axis 0, or else at the inputs of modules whose
    weight is fed by it. Inner products are replaced by :math:`C_{ij} = \operatorname{corr}(a_i, b_j)` for permutations,
    signs and phases and by covariances for rotations. Wires that no module shows (parameters used by a function call, heads and
    experts inside one) are aligned by weights afterwards; their names are logged at level INFO and given by :meth:`unread`.

    Attributes:
        model: The model that both checkpoints belong to; its mode (train or eval) is kept.
        data: Batches: each a tensor, or a tuple whose first entry is the input.
        max_batches: How many batches are used.
        ignore: Shell patterns of names that do not count where weights are used.

    References:
        Li et al. Convergent learning. ICLR 2016, https://arxiv.org/abs/1511.07543
        Ainsworth, Hayase, Srinivasa. Git Re-Basin. ICLR 2023, https://arxiv.org/abs/2209.04836
    """

    model: nn.Module
    data: Iterable[Tensor | tuple[Tensor, ...]] = field(repr=False)
    max_batches: int = 16
    ignore: tuple[str, ...] = STATISTICS

    @property
    def descends(self) -> bool:  # noqa: D102
        return False

    def unread(self, symmetry: Symmetry) -> tuple[str, ...]:
        """Return the names of the wires that no module shows, which are aligned by weights.

        Args:
            symmetry: The symmetry.
        """
        return tuple(b.wire.name for b in blocks_of(symmetry, self.ignore) if not taps_of(self.model, b))

    def align(self, symmetry: Symmetry, a: Params, b: Params, *, generator: torch.Generator | None = None) -> Element:  # noqa: D102
        blocks = blocks_of(symmetry, self.ignore)
        taps = [taps_of(self.model, block) for block in blocks]
        wanted = {(t.module, t.output, t.axis) for group in taps for t in group}
        batches = self._batches()
        left, right = (read(self.model, params, batches, wanted) for params in (a, b))
        state = Alignment(symmetry, blocks, a, b)
        # A module may exist and never be called: attention calls the weights of its output projection by hand.
        taps = [[t for t in group if (t.module, t.output, t.axis) in left] for group in taps]
        by_weight = [k for k, group in enumerate(taps) if not group]
        if by_weight:
            _LOG.info(
                "No module shows the wires %s: they are aligned by weights.", ", ".join(blocks[k].wire.name for k in by_weight)
            )
        for k, block in enumerate(blocks):
            if taps[k]:
                moves, _, _ = solve(symmetry, block, _correlations(block, taps[k], left, right))
                state.move(k, moves)
                right = _moved(taps, right, block, moves, symmetry)
        for _ in range(2):
            for k in by_weight:
                visit(state, k)
        return state.element()

    def _batches(self) -> list[Tensor]:
        out = []
        for batch in self.data:
            x = batch[0] if isinstance(batch, (tuple, list)) else batch
            out.append(x)
            if len(out) == self.max_batches:
                break
        if not out:
            raise BadInputError(
                "ActivationMatching needs at least one batch in `data`, but it is empty. "
                "An iterator can be used only once: pass a list."
            )
        return out


def taps_of(model: nn.Module, block: Block) -> list[Tap]:
    """Return where a wire can be read: all outputs that carry it, or else all inputs.

    Args:
        model: The model.
        block: The block of the wire.
    """
    modules = dict(model.named_modules())
    outputs, inputs = [], []
    for binding, parity in zip(block.bindings, block.parity, strict=True):
        path, _, leaf = binding.tensor.rpartition(".")
        module, slot = modules.get(path), binding.slot
        if module is None or leaf != "weight" or slot is None or binding.region or any(s.axis != slot.axis for s in binding.over):
            continue
        found = _feature_axis(module)
        if found is None:
            continue
        axis, transposed = found
        covariant = slot.axis == (1 if transposed else 0)
        flat = replace(binding, slot=_on_features(slot), over=tuple(_on_features(s) for s in binding.over))
        kept = Tap(path, covariant, axis, flat, parity, slot.axis)
        if getattr(module, "groups", 1) == 1 or covariant:
            (outputs if covariant else inputs).append(kept)
    return outputs or inputs


def _feature_axis(module: nn.Module) -> tuple[int, bool] | None:
    """Return the feature axis of a module's activations and whether its weight is transposed, or ``None`` if unknown."""
    if isinstance(module, nn.Linear):
        return -1, False
    if isinstance(module, nn.modules.conv._ConvNd):
        return 1, module.transposed
    if isinstance(module, (nn.modules.batchnorm._BatchNorm, nn.GroupNorm)):
        return 1, False
    return (-1, False) if isinstance(module, (nn.LayerNorm, nn.Embedding, nn.RMSNorm)) else None


def _on_features(slot: Slot) -> Slot:
    return replace(slot, axis=1)


def read(
    model: nn.Module, params: Params, batches: list[Tensor], wanted: set[tuple[str, bool, int]]
) -> dict[tuple[str, bool, int], Tensor]:
    """Return activations at modules, each as ``[samples, features]`` over all batches and positions.

    Args:
        model: The model; not modified.
        params: Parameters and buffers to evaluate it with.
        batches: Inputs.
        wanted: Module path, whether its output, and the feature axis.
    """
    found: dict[tuple[str, bool, int], list[Tensor]] = {key: [] for key in wanted}
    modules = dict(model.named_modules())

    def hook(key: tuple[str, bool, int]) -> object:
        def record(_: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
            x = output if key[1] else args[0]
            found[key].append(x.detach().movedim(key[2], -1).flatten(0, -2))

        return modules[key[0]].register_forward_hook(record)

    handles = [hook(key) for key in wanted]
    try:
        with torch.no_grad():
            for batch in batches:
                torch.func.functional_call(model, {n: v.clone() for n, v in params.items()}, (batch,))
    finally:
        for handle in handles:
            handle.remove()  # pyright: ignore[reportAttributeAccessIssue]
    return {key: torch.cat(parts).double() for key, parts in found.items() if parts}


def _correlations(block: Block, taps: list[Tap], left: dict, right: dict) -> Costs:
    costs: Costs = {}
    for tap in taps:
        key = (tap.module, tap.output, tap.axis)
        if key not in left:
            continue
        x, y = (tap.binding.gather(side[key]) for side in (left, right))
        x, y = x - x.mean(-2, keepdim=True), y - y.mean(-2, keepdim=True)
        if block.kind != "rotation":
            x, y = (z / z.norm(dim=-2, keepdim=True).clamp_min(1e-12) for z in (x, y))
        part = x.mT @ y
        costs[tap.parity] = costs[tap.parity] + part if tap.parity in costs else part
    return costs


def _moved(taps: list[list[Tap]], values: dict, block: Block, moves: list[Move], symmetry: Symmetry) -> dict:
    """Return the activations of ``b`` as they are after the moves of one block."""
    out = dict(values)
    seen = set()
    for group in taps:
        for tap in group:
            key = (tap.module, tap.output, tap.axis)
            if key not in out:
                continue
            for binding, parity in zip(block.bindings, block.parity, strict=True):
                path, _, leaf = binding.tensor.rpartition(".")
                if path != tap.module or leaf != "weight" or binding.slot is None or (key, binding) in seen:
                    continue
                if binding.slot.axis != tap.weight_axis:
                    continue
                seen.add((key, binding))
                flat = replace(binding, slot=_on_features(binding.slot), over=tuple(_on_features(s) for s in binding.over))
                for move in moves:
                    group_ = symmetry.factor(move.factor).group
                    flips = move.factor not in block.signs or parity[block.signs.index(move.factor)]
                    if flips:
                        out[key] = flat.apply(group_, move.value, out[key])
    return out
