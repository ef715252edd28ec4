"""What the axes of the parameters of every module mean: at which axis of which activation their channels can be seen."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from parasym.functional import Call

Where = Literal["output", "input"]
Read = Callable[[nn.Module, Call, Any], Tensor | None]


@dataclass(frozen=True)
class Axis:
    """One axis of a tensor of a module, and the activation whose channels it counts.

    Attributes:
        tensor: Name of the tensor in the module.
        axis: Its axis; position ``i`` of it is channel ``i`` of the activation.
        site: Which activation, as a word: ``"output"``, ``"input"``, ``"input 1"``.
        read: Returns the activation with its channels last, or ``None`` where a call has none, from a call of the module.
        where: Whether it leaves the module or enters it.
        exact: Whether signs, rotations and phases of the axis are those of the activation. Of a gain only the order is: a
            gain may change its sign where what it multiplies does.
    """

    tensor: str
    axis: int
    site: str
    read: Read
    where: Where
    exact: bool = True


@dataclass(frozen=True)
class Row:
    """Modules of one kind.

    Attributes:
        modules: The types; those named by a path are of packages that need not be there.
        axes: What a module of these types shows.
        meaning: The same in words, for the documentation.
    """

    modules: tuple[type[nn.Module] | str, ...]
    axes: Callable[[nn.Module], list[Axis]]
    meaning: str

    def holds(self, module: nn.Module) -> bool:
        """Return whether a module is of these types.

        Args:
            module: Any module.
        """
        types = tuple(t for t in self.modules if isinstance(t, type))
        names = {t for t in self.modules if isinstance(t, str)}
        return isinstance(module, types) or any(f"{t.__module__}.{t.__qualname__}" in names for t in type(module).__mro__)


def axes_of(module: nn.Module) -> list[Axis]:
    """Return what a module shows; nothing if its type is not in the table.

    Args:
        module: Any module.

    Example:
        >>> [(a.tensor, a.axis, a.site) for a in axes_of(nn.Linear(2, 3))]
        [('bias', 0, 'output'), ('weight', 0, 'output'), ('weight', 1, 'input')]
    """
    return next((row.axes(module) for row in AXES if row.holds(module)), [])


def _output(axis: int) -> Read:
    def read(module: nn.Module, call: Call, output: Any) -> Tensor | None:
        x = output[0] if isinstance(output, (tuple, list)) else output
        x = x.data if isinstance(x, nn.utils.rnn.PackedSequence) else x
        return x.movedim(axis, -1) if isinstance(x, Tensor) else None

    return read


def _input(axis: int, position: int = 0, name: str = "input") -> Read:
    def read(module: nn.Module, call: Call, output: Any) -> Tensor | None:
        x = call.argument(position, name)
        x = x.data if isinstance(x, nn.utils.rnn.PackedSequence) else x
        return x.movedim(axis, -1) if isinstance(x, Tensor) else None

    return read


def _linear(module: nn.Module) -> list[Axis]:
    return [
        Axis("bias", 0, "output", _output(-1), "output"),
        Axis("weight", 0, "output", _output(-1), "output"),
        Axis("weight", 1, "input", _input(-1), "input"),
    ]


def _transposed_linear(module: nn.Module) -> list[Axis]:
    return [
        Axis("bias", 0, "output", _output(-1), "output"),
        Axis("weight", 1, "output", _output(-1), "output"),
        Axis("weight", 0, "input", _input(-1, name="x"), "input"),
    ]


def _bilinear(module: nn.Module) -> list[Axis]:
    return [
        Axis("bias", 0, "output", _output(-1), "output"),
        Axis("weight", 0, "output", _output(-1), "output"),
        Axis("weight", 1, "input 1", _input(-1, 0, "input1"), "input"),
        Axis("weight", 2, "input 2", _input(-1, 1, "input2"), "input"),
    ]


def _convolution(module: nn.Module) -> list[Axis]:
    assert isinstance(module, nn.modules.conv._ConvNd)
    channels = -1 - len(module.kernel_size)
    into, out = (0, 1) if module.transposed else (1, 0)
    whole = module.groups == 1  # of grouped ones one axis counts the channels within a group
    found = [Axis("bias", 0, "output", _output(channels), "output")]
    if whole or not module.transposed:
        found.append(Axis("weight", out, "output", _output(channels), "output"))
    if whole or module.transposed:
        found.append(Axis("weight", into, "input", _input(channels), "input"))
    return found


def _embedding(module: nn.Module) -> list[Axis]:
    return [Axis("weight", 1, "output", _output(-1), "output")]


def _channel_norm(module: nn.Module) -> list[Axis]:
    # Instances come without an axis of samples too.
    channels = -module._get_no_batch_dim() if isinstance(module, nn.modules.instancenorm._InstanceNorm) else 1
    return [
        Axis("bias", 0, "output", _output(channels), "output"),
        Axis("running_mean", 0, "input", _input(channels), "input"),
        Axis("weight", 0, "output", _output(channels), "output", exact=False),
    ]


def _feature_norm(module: nn.Module) -> list[Axis]:
    shape: tuple[int, ...] = module.normalized_shape  # pyright: ignore[reportAssignmentType]
    found = []
    for k in range(len(shape)):
        at = k - len(shape)
        found.append(Axis("bias", k, f"output {at}", _output(at), "output"))
        found.append(Axis("weight", k, f"output {at}", _output(at), "output", exact=False))
    return found


def _slopes(module: nn.Module) -> list[Axis]:
    return [Axis("weight", 0, "output", _output(1), "output", exact=False)]


_NAMES = ("query", "key", "value")


def _attention(module: nn.Module) -> list[Axis]:
    found = [
        Axis("out_proj.bias", 0, "output", _output(-1), "output"),
        Axis("out_proj.weight", 0, "output", _output(-1), "output"),
    ]
    for k, name in enumerate(_NAMES):
        own = f"{name[0]}_proj_weight"
        found += [
            Axis("in_proj_bias", 0, f"projected {name}", _projected(k, whole=True), "output"),
            Axis("in_proj_weight", 0, f"projected {name}", _projected(k, whole=True), "output"),
            Axis(own, 0, f"projected {name} alone", _projected(k, whole=False), "output"),
            Axis("in_proj_weight", 1, name, _input(-1, k, name), "input"),
            Axis(own, 1, name, _input(-1, k, name), "input"),
        ]
    return found


def _projected(k: int, *, whole: bool) -> Read:
    """Return a reader of queries, keys or values after their projection; those of all three in one axis if ``whole``."""

    def read(module: nn.Module, call: Call, output: Any) -> Tensor | None:
        assert isinstance(module, nn.MultiheadAttention)
        x = call.argument(k, _NAMES[k])
        if not isinstance(x, Tensor):
            return None
        joint = module.in_proj_weight
        bias = None if module.in_proj_bias is None else module.in_proj_bias.chunk(3)[k]
        weight = joint.chunk(3)[k] if joint is not None else getattr(module, f"{_NAMES[k][0]}_proj_weight")
        y = functional.linear(x, weight, bias)
        if not whole:
            return y
        parts = [y if j == k else y.new_zeros(*y.shape[:-1], module.embed_dim) for j in range(3)]
        return torch.cat(parts, -1)

    return read


def _recurrent(module: nn.Module) -> list[Axis]:
    assert isinstance(module, nn.RNNBase)
    found = []
    directions = 2 if module.bidirectional else 1
    for k in range(module.num_layers):
        for d in range(directions):
            name = f"l{k}" + ("_reverse" if d else "")
            hidden = f"hidden {name}"
            if k == 0:
                found.append(Axis(f"weight_ih_{name}", 1, "input", _input(-1), "input"))
            found.append(Axis(f"weight_hh_{name}", 1, hidden, _hidden(k, d, directions), "output"))
            if isinstance(module, nn.LSTM) and module.proj_size:
                found.append(Axis(f"weight_hr_{name}", 0, hidden, _hidden(k, d, directions), "output"))
                found.append(Axis(f"weight_hr_{name}", 1, f"cell {name}", _final(1, k * directions + d), "output"))
    return found


def _hidden(layer: int, direction: int, directions: int) -> Read:
    """Return a reader of hidden states: at every step for the last layer, at the last step for the others."""

    def read(module: nn.Module, call: Call, output: Any) -> Tensor | None:
        assert isinstance(module, nn.RNNBase)
        if layer < module.num_layers - 1:
            return _final(0, layer * directions + direction)(module, call, output)
        found = _output(-1)(module, call, output)
        return None if found is None else found.chunk(directions, -1)[direction]

    return read


def _final(which: int, index: int) -> Read:
    """Return a reader of the last hidden (0) or cell (1) state of one layer and direction."""

    def read(module: nn.Module, call: Call, output: Any) -> Tensor | None:
        states = output[1] if isinstance(output[1], tuple) else (output[1],)
        return states[which][index] if which < len(states) else None

    return read


def _recurrent_cell(module: nn.Module) -> list[Axis]:
    return [
        Axis("weight_hh", 1, "output", _output(-1), "output"),
        Axis("weight_ih", 1, "input", _input(-1), "input"),
    ]


AXES: tuple[Row, ...] = (
    Row((nn.Linear,), _linear, "rows of the weight and the bias: the last axis of the output; columns: that of the input"),
    Row(("transformers.pytorch_utils.Conv1D",), _transposed_linear, "a transposed Linear: columns are outputs, rows are inputs"),
    Row(
        (nn.Bilinear,),
        _bilinear,
        "weight: its first axis is the last of the output, the others those of the inputs; bias: the output",
    ),
    Row(
        (nn.modules.conv._ConvNd,),
        _convolution,
        "first axis of the weight (second if transposed) and the bias: channels of the output; the other one: channels of the "
        "input. In groups the axis that counts within a group shows nothing",
    ),
    Row(
        (nn.Embedding, nn.EmbeddingBag),
        _embedding,
        "columns: the last axis of the output; rows are tokens, no channels",
    ),
    Row(
        (nn.modules.batchnorm._BatchNorm, nn.modules.instancenorm._InstanceNorm, nn.GroupNorm),
        _channel_norm,
        "bias: channels of the output; running mean: channels of the input; gain: order of the channels of the output",
    ),
    Row((nn.LayerNorm, nn.RMSNorm), _feature_norm, "axes of the bias: the last axes of the output; of the gain: their order"),
    Row((nn.PReLU,), _slopes, "slopes: order of the channels of the output"),
    Row(
        (nn.MultiheadAttention,),
        _attention,
        "rows of the output projection: last axis of the output; columns of the others: last axes of query, key, value; their "
        "rows: query, key, value after projection",
    ),
    Row(
        (nn.RNNBase,),
        _recurrent,
        "columns of the recurrent weights: hidden states, at every step of the last layer and at the last step of the others; "
        "columns of the first input weights: last axis of the input",
    ),
    Row(
        (nn.RNNCellBase,),
        _recurrent_cell,
        "columns of the recurrent weight: last axis of the state; of the other: of the input",
    ),
)
"""Modules of other types show nothing: wires that only they bear are aligned by weights."""
