"""The profit of putting one slice of an outer wire, such as a head, in the place of another."""

from collections.abc import Iterable
from dataclasses import replace

import torch
from torch import Tensor

from parasym.core import Params
from parasym.orbit.alignment import Alignment, Costs
from parasym.orbit.block import Block
from parasym.orbit.solve import signed_profit
from parasym.symmetry import Binding, Slot, Wire

Place = tuple[str, Slot | None]


def slice_profits(
    state: Alignment, k: int, names: set[str] | None = None, b: Params | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    r"""Return ``V`` of shape ``[*over, n, n]``: the best inner alignment of slice ``i`` of ``a`` with slice ``j`` of ``b``.

    Every place counts once. Where an inner block has its own element per slice, ``V`` counts what that block
    can attain: the nuclear norm of the inner products under rotations, the modulus under phases, the best
    assignment under permutations; elsewhere the plain inner product. Signs of the slices are tried one pattern
    after the other. It is exact if no two inner blocks share a place.

    Args:
        state: The state of the descent.
        k: An outer block, not itself inside another one's slices for the tensors its inner blocks bear.
        names: Tensors that count; all if ``None``.
        b: Tensors of ``b`` to use instead of those of the state.

    Returns:
        The profits, the pattern of signs that attains them (bit ``s`` is set where sign ``s`` is -1), and what slices can attain
        where they are, without a sign, of shape ``[*over, n]``.
    """
    block, b = state.blocks[k], b or {}
    places = {place(x): x for x in block.bindings if names is None or x.tensor in names}
    best = _profits(state, block, places, set(), b)
    pattern, present = torch.zeros_like(best, dtype=torch.long), best.diagonal(dim1=-2, dim2=-1)
    for bits in range(1, 2 ** len(block.signs)):
        value = _profits(state, block, places, _flipped(block, bits), b)
        pattern = torch.where(value > best, bits, pattern)
        best = torch.maximum(value, best)
    return best, pattern, present


def place(binding: Binding) -> Place:
    """Return where a binding sits."""
    return binding.tensor, binding.slot


def _flipped(block: Block, bits: int) -> set[Place]:
    """Return the places that a pattern of signs of the slices flips."""
    odd = (sum(bits >> s & 1 for s, flipped in enumerate(parity) if flipped) % 2 for parity in block.parity)
    return {place(x) for x, flip in zip(block.bindings, odd, strict=True) if flip}


def _profits(state: Alignment, block: Block, places: dict[Place, Binding], flipped: set[Place], b: Params) -> Tensor:
    left, at = dict(places), len(block.over)
    total: Tensor | None = None
    for index in block.inner:
        inner = state.blocks[index]
        if inner.over[: at + 1] != (*block.over, block.wire):
            continue
        mine = {x: keys for x in inner.bindings if (keys := _within(x.tensor, x.over[at], left))}
        if mine:
            left = {key: x for key, x in left.items() if not any(key in keys for keys in mine.values())}
            part = _best_inner(state, inner, at, mine, flipped, b)
            total = part if total is None else total + part
    for key, x in left.items():
        part = x.gather(state.a[x.tensor]).mT @ x.gather(_present(state, x.tensor, b))
        part = -part if key in flipped else part
        total = part if total is None else total + part
    assert total is not None
    return total


def _within(tensor: str, slot: Slot, places: Iterable[Place]) -> list[Place]:
    """Return the places that make up a slot of outer channels; a wire of planes has the halves of a slot as one."""
    found: list[Place] = []
    starts: set[int] = set()
    for name, part in places:
        if name == tensor and part is not None and {*part.starts} <= {*slot.starts} and replace(part, starts=slot.starts) == slot:
            found.append((name, part))
            starts |= {*part.starts}
    return found if starts == {*slot.starts} else []


def _best_inner(
    state: Alignment, inner: Block, at: int, places: dict[Binding, list[Place]], flipped: set[Place], b: Params
) -> Tensor:
    """Return the attainable inner product of every pair of slices, one row of pairs at a time."""
    pairs = []
    for x, parity in zip(inner.bindings, inner.parity, strict=True):
        if x in places:
            one, two = (_slices(x.gather(t), inner.over, at) for t in (state.a[x.tensor], _present(state, x.tensor, b)))
            pairs.append((one, -two if places[x][0] in flipped else two, parity))
    rows = []
    for i in range(inner.over[at].size):
        costs: Costs = {}
        for one, two, parity in pairs:
            part = one.narrow(at, i, 1).mT @ two
            costs[parity] = costs[parity] + part if parity in costs else part
        rows.append(_attained(inner, costs).sum(-1))  # [*over, n]
    return torch.stack(rows, dim=at)


def _present(state: Alignment, name: str, b: Params) -> Tensor:
    return b[name] if name in b else state.b(name)


def _slices(x: Tensor, over: tuple[Wire, ...], at: int) -> Tensor:
    """Return ``[*over, rest, m]`` as ``[*outer, n, others, rest, m]``: the other inner axes flattened."""
    lead = len(over)
    return x.flatten(at + 1, lead - 1) if lead - at - 1 > 0 else x.unsqueeze(at + 1)


def _attained(inner: Block, costs: Costs) -> Tensor:
    return inner.group.attained(signed_profit(costs, len(inner.signs))[0])
