"""Where weights are frozen: which tensors are linear maps, and what their rows are."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod

from torch import nn

from parasym.find import LinearMap


@dataclass(frozen=True)
class Block:
    """Rows of a weight that are one linear map.

    Attributes:
        path: The name by which patterns and seeds know it.
        rows: Number of output channels.
        units: Number of places per row that are frozen together: entries, or input channels of a convolution.
        per: Entries per place.
    """

    path: str
    rows: int
    units: int
    per: int

    @property
    def fan_in(self) -> int:
        """Entries per row."""
        return self.units * self.per


@dataclass(frozen=True)
class Site:
    """A tensor whose entries lie in rows.

    Attributes:
        name: The tensor's full name.
        shape: Its shape.
        split: Its shape, with an axis cut in parts where only some of them are rows.
        rows: Which axes of ``split`` are rows.
        blocks: The maps it holds, in the order of their rows.
        skip: A place of the fan-in that is never frozen, if there is one.
        lone: Whether a row reads one channel only, as in a depthwise convolution: its output is on the wire of its input.
    """

    name: str
    shape: tuple[int, ...]
    split: tuple[int, ...]
    rows: tuple[int, ...]
    blocks: tuple[Block, ...]
    skip: int | None = None
    lone: bool = False

    @property
    def row_axes(self) -> tuple[int, ...]:
        """The axes of the tensor on which rows lie."""
        out, part = [], 0
        for axis, length in enumerate(self.shape):
            first, size = part, 1
            while part == first or size < length:
                size *= self.split[part]
                part += 1
            if any(k in self.rows for k in range(first, part)):
                out.append(axis)
        return tuple(out)


CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_GATES = {nn.LSTM: 4, nn.LSTMCell: 4, nn.GRU: 3, nn.GRUCell: 3}


def module_sites(model: nn.Module, *, unit: str = "entry") -> Iterator[Site]:
    """Yield every weight whose rows its module's type tells: linear maps, convolutions, embeddings, attention, recurrences.

    A row belongs to one output channel. That of a transposed convolution is a slice of the second axis, and that of an
    embedding is a column, one number per token. The fused projection of ``nn.MultiheadAttention`` has three blocks, with
    paths ``….q_proj``, ``….k_proj``, ``….v_proj``; a weight of a recurrent layer has a block per gate.

    Args:
        model: Any module; a module under several names counts under its first.
        unit: ``"entry"``, or ``"filter"`` for convolutions whose kernels are frozen whole.

    Yields:
        One site per tensor.
    """
    first = {id(weight): name for name, weight in reversed(list(model.named_parameters()))}
    for path, module in model.named_modules():
        for tensor, weight in module.named_parameters(recurse=False):
            if first[id(weight)] != (f"{path}.{tensor}" if path else tensor):
                continue  # tied to another one
            name, shape = f"{path}.{tensor}" if path else tensor, tuple(weight.shape)
            if isinstance(module, nn.Linear | nn.Bilinear) and tensor == "weight":
                yield _site(LinearMap(name, shape, (0,)), shape, unit)
            elif isinstance(module, CONVOLUTIONS) and tensor == "weight":
                yield _site(LinearMap(name, shape, (0,), kernel=len(shape) - 2), shape, unit)
            elif isinstance(module, TRANSPOSED) and tensor == "weight":
                split = (module.groups, shape[0] // module.groups, *shape[1:])
                yield _site(LinearMap(name, split, (0, 2), kernel=len(shape) - 2), shape, unit)
            elif isinstance(module, nn.Embedding | nn.EmbeddingBag) and tensor == "weight":
                yield _site(LinearMap(name, shape, (1,), skip=module.padding_idx), shape, unit)
            elif isinstance(module, nn.MultiheadAttention) and tensor.endswith("_proj_weight"):
                parts = ("q_proj", "k_proj", "v_proj") if tensor == "in_proj_weight" else (tensor.removesuffix("_weight"),)
                yield _site(LinearMap(name, shape, (0,)), shape, unit, [f"{path}.{part}" if path else part for part in parts])
            elif isinstance(module, nn.RNNBase | nn.RNNCellBase) and len(shape) == 2:
                gates = next((n for kind, n in _GATES.items() if isinstance(module, kind)), 1)
                fused = gates if tensor.startswith("weight_ih") or tensor.startswith("weight_hh") else 1
                yield _site(
                    LinearMap(name, shape, (0,)), shape, unit, [f"{name}.{k}" for k in range(fused)] if fused > 1 else [name]
                )


def graph_sites(model: nn.Module, maps: Mapping[str, LinearMap], *, unit: str = "entry") -> Iterator[Site]:
    """Yield every weight that a model applies to an activation, whatever its module's type.

    Args:
        model: Any module.
        maps: What `linear_maps` found in it.
        unit: As in `module_sites`.

    Yields:
        One site per tensor. Where the module's type knows the rows too, it names the blocks.
    """
    known = {site.name: site for site in module_sites(model, unit=unit)}
    for name, one in maps.items():
        site = known.get(name)
        yield site if site is not None and _agree(site, one) else _site(one, tuple(model.get_parameter(name).shape), unit)


def _agree(site: Site, one: LinearMap) -> bool:
    """Whether the rows of a module's type are rows of the graph as well: it may have been written otherwise."""
    return site.split == one.split and set(site.rows) <= set(one.rows)


def _site(one: LinearMap, shape: tuple[int, ...], unit: str, paths: list[str] | None = None) -> Site:
    ins = [n for k, n in enumerate(one.split) if k not in one.rows]
    rows, fan_in = prod(one.split[k] for k in one.rows), prod(ins)
    kernel = prod(one.split[len(one.split) - one.kernel :])
    per = kernel if unit == "filter" and one.kernel else 1
    name = one.tensor
    names = paths or [name.removesuffix(".weight")]
    units = fan_in // per - (one.skip is not None)
    blocks = tuple(Block(path, rows // len(names), units, per) for path in names)
    lone = bool(one.kernel) and fan_in == kernel and rows > 1
    return Site(name, shape, one.split, one.rows, blocks, one.skip, lone)
