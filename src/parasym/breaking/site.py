"""Where weights are frozen: which tensors are linear maps, and what their rows are."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod

from torch import Tensor, nn


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
    """A tensor of a module, as blocks of rows.

    Attributes:
        module: The module's path.
        tensor: The name of its tensor.
        blocks: The maps it holds, in the order of their rows.
        to_tensor: Takes ``[rows, fan-in]`` to the tensor's shape.
    """

    module: str
    tensor: str
    blocks: tuple[Block, ...]
    to_tensor: Callable[[Tensor], Tensor]

    @property
    def name(self) -> str:
        """The tensor's full name."""
        return f"{self.module}.{self.tensor}" if self.module else self.tensor


CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def sites(model: nn.Module, *, unit: str = "entry") -> Iterator[Site]:
    """Yield every weight that has rows: linear maps, convolutions, embeddings, attention's projections.

    A row belongs to one output channel. That of a transposed convolution is a slice of the second axis, and that of an
    embedding is a column, one number per token. The fused projection of ``nn.MultiheadAttention`` has three blocks, with
    paths ``….q_proj``, ``….k_proj``, ``….v_proj``.

    Args:
        model: Any module; a module under several names counts under its first.
        unit: ``"entry"``, or ``"filter"`` for convolutions whose kernels are frozen whole.

    Yields:
        One site per tensor.
    """
    for path, module in model.named_modules():
        name = path.rpartition(".")[2] and path
        for tensor, weight in module.named_parameters(recurse=False):
            if isinstance(module, nn.Linear | nn.Bilinear) and tensor == "weight":
                yield _plain(name, tensor, weight, unit="entry")
            elif isinstance(module, CONVOLUTIONS) and tensor == "weight":
                yield _plain(name, tensor, weight, unit=unit)
            elif isinstance(module, TRANSPOSED) and tensor == "weight":
                yield _transposed(name, tensor, weight, module.groups, unit=unit)
            elif isinstance(module, nn.Embedding | nn.EmbeddingBag) and tensor == "weight":
                yield Site(
                    name, tensor, (Block(name or tensor, weight.shape[1], weight.shape[0], 1),), lambda x: x.mT.contiguous()
                )
            elif isinstance(module, nn.MultiheadAttention) and tensor.endswith("_proj_weight"):
                yield _attention(name, tensor, weight)


def _plain(module: str, tensor: str, weight: Tensor, *, unit: str) -> Site:
    shape = tuple(weight.shape)
    per = prod(shape[2:]) if unit == "filter" else 1
    return Site(module, tensor, (Block(module or tensor, shape[0], prod(shape[1:]) // per, per),), lambda x: x.reshape(shape))


def _transposed(module: str, tensor: str, weight: Tensor, groups: int, *, unit: str) -> Site:
    ins, outs, *kernel = weight.shape
    per = prod(kernel) if unit == "filter" else 1
    block = Block(module or tensor, groups * outs, ins // groups * prod(kernel) // per, per)

    def to_tensor(x: Tensor) -> Tensor:
        # g group, o output channel within it, i input channel within it, k place in the kernel
        split = x.reshape(groups, outs, ins // groups, -1)  # g o i k
        return split.permute(0, 2, 1, 3).reshape(ins, outs, *kernel)

    return Site(module, tensor, (block,), to_tensor)


def _attention(module: str, tensor: str, weight: Tensor) -> Site:
    rows, fan_in = weight.shape
    prefix = f"{module}." if module else ""
    names = ("q_proj", "k_proj", "v_proj") if tensor == "in_proj_weight" else (tensor.removesuffix("_weight"),)
    blocks = tuple(Block(prefix + name, rows // len(names), fan_in, 1) for name in names)
    return Site(module, tensor, blocks, lambda x: x)
