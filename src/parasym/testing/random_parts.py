"""The steps that random models are made of, beside those that PyTorch offers as modules.

Index conventions: b batch, t positions, h head, d channel of a head, i in, o out.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional


class Apply(nn.Module):
    """A function of one or more tensors, without parameters."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *values: Tensor) -> Tensor:  # noqa: D102
        return self.function(*values)


class Transposed(nn.Module):
    """A Linear layer's weight used a second time, transposed."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return functional.linear(x, self.layer.weight.t())


class Constant(nn.Module):
    """Adds, or multiplies by, a constant per channel; channels ``0 .. equal`` get the same one."""

    value: Tensor

    def __init__(self, width: int, equal: int, *, multiply: bool) -> None:
        super().__init__()
        value = torch.randn(width)
        value[:equal] = value[0]
        self.register_buffer("value", value)
        self.multiply = multiply

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        value = self.value if x.ndim < 4 else self.value[:, None, None]
        return x * value if self.multiply else x + value


class Masked(nn.Module):
    """A Linear layer with a constant mask on its weight."""

    mask: Tensor

    def __init__(self, fan_in: int, fan_out: int) -> None:
        super().__init__()
        self.layer = nn.Linear(fan_in, fan_out)
        self.register_buffer("mask", (torch.rand(fan_out, fan_in) < 0.7).float())

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return functional.linear(x, self.layer.weight * self.mask.to(x.dtype), self.layer.bias)


class Heads(nn.Module):
    """Self-attention over positions: fused or separate projections, causal or not, shared keys or not."""

    def __init__(self, width: int, *, heads: int, groups: int, dim: int, bias: bool, causal: bool, norm: bool) -> None:
        super().__init__()
        self.heads, self.groups, self.dim, self.causal = heads, groups, dim, causal
        self.qkv = nn.Linear(width, (heads + 2 * groups) * dim, bias)
        self.out = nn.Linear(heads * dim, width, bias)
        self.norm = nn.RMSNorm(dim, eps=1e-5) if norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        sizes = [self.heads * self.dim, self.groups * self.dim, self.groups * self.dim]
        parts = self.qkv(x).split(sizes, dim=-1)
        q, k, v = (part.unflatten(-1, (-1, self.dim)).transpose(1, 2) for part in parts)
        shared = self.heads != self.groups
        out = functional.scaled_dot_product_attention(self.norm(q), self.norm(k), v, is_causal=self.causal, enable_gqa=shared)
        return self.out(out.transpose(1, 2).flatten(2))


class Blocks(nn.Module):
    """One weight per head by einsum."""

    def __init__(self, heads: int, fan_in: int, fan_out: int) -> None:
        super().__init__()
        self.heads = heads
        self.weight = nn.Parameter(torch.randn(heads, fan_in, fan_out) / fan_in**0.5)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return torch.einsum("...hi,hio->...ho", x.unflatten(-1, (self.heads, -1)), self.weight).flatten(-2)


class Gated(nn.Module):
    """One Linear layer cut into value and gate."""

    def __init__(self, width: int, hidden: int, gate: Callable[[Tensor], Tensor], *, bias: bool) -> None:
        super().__init__()
        self.up, self.gate = nn.Linear(width, 2 * hidden, bias), gate

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        value, gate = self.up(x).chunk(2, dim=-1)
        return value * self.gate(gate)


class Excitation(nn.Module):
    """Channels of an image or a sequence weighted by a gate that reads their means."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(width, 3), nn.Linear(3, width)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        image = x.ndim == 4
        gate = torch.sigmoid(self.up(torch.relu(self.down(x.mean((2, 3)) if image else x.mean(1)))))
        return x * (gate[:, :, None, None] if image else gate[:, None])


class Recurrence(nn.Module):
    """A recurrent layer; all its outputs."""

    def __init__(self, kind: Callable[..., nn.Module], width: int, hidden: int) -> None:
        super().__init__()
        self.layer = kind(width, hidden, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return self.layer(x)[0]


class Experts(nn.Module):
    """A soft mixture of stacked experts."""

    def __init__(self, width: int, experts: int, hidden: int) -> None:
        super().__init__()
        self.gate = nn.Linear(width, experts)
        self.up = nn.Parameter(torch.randn(experts, width, hidden) / width**0.5)
        self.down = nn.Parameter(torch.randn(experts, hidden, width) / hidden**0.5)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        h = torch.relu(torch.einsum("...i,eih->...eh", x, self.up))
        return torch.einsum("...e,...eh,eho->...o", self.gate(x).softmax(-1), h, self.down)
