"""Recurrent layers: one step, whose state flows back into itself.

The state before a step and the state after it bear the same wire, so what one step lets through,
every number of steps does (induction over time); the length of the sequence does not matter.
"""

from collections.abc import Callable, Sequence

from parasym.rules.builder import Builder
from parasym.rules.program import Fn, Value
from parasym.rules.random import dropped
from parasym.rules.rule import Rule, Unsupported

Cell = Callable[[Builder, Value, list[Value], Sequence[Value]], list[Value]]


def _affine(b: Builder, x: Value, weight: Value, bias: Value | None) -> Value:
    out = b.contract(x, weight, "bi,oi->bo")
    return out if bias is None else b.add(out, bias)


def _biases(weights: Sequence[Value]) -> tuple[Value | None, Value | None]:
    biases = [w for w in weights[2:] if len(w.shape) == 1]
    return (biases[0], biases[1]) if len(biases) == 2 else (None, None)


def _lstm_cell(b: Builder, x: Value, state: list[Value], weights: Sequence[Value]) -> list[Value]:
    r""":math:`c' = \sigma(f) c + \sigma(i)\tanh(g)`, :math:`h' = \sigma(o)\tanh(c')`; ``g``, ``c``, ``h`` may change sign."""
    hidden, cell = state
    first, second = _biases(weights)
    gates = b.add(_affine(b, x, weights[0], first), _affine(b, hidden, weights[1], second))
    n = gates.shape[1] // 4
    i, f, g, o = (b.slice(gates, 1, k * n, n) for k in range(4))
    i, f, o = (b.pointwise(Fn.GENERIC, gate) for gate in (i, f, o))
    cell = b.add(b.mul(f, cell), b.mul(i, b.pointwise(Fn.ODD, g)))
    out = b.mul(o, b.pointwise(Fn.ODD, cell))
    if len(weights) in (3, 5):
        out = b.contract(out, weights[-1], "bi,oi->bo")
    return [out, cell]


def _gru_cell(b: Builder, x: Value, state: list[Value], weights: Sequence[Value]) -> list[Value]:
    r""":math:`n = \tanh(W x + r (U h + b))`, :math:`h' = (1 - z) n + z h`."""
    (hidden,) = state
    first, second = _biases(weights)
    ours, theirs = _affine(b, x, weights[0], first), _affine(b, hidden, weights[1], second)
    n = ours.shape[1] // 3
    (r, z, new), (r_h, z_h, new_h) = ([b.slice(v, 1, k * n, n) for k in range(3)] for v in (ours, theirs))
    reset, update = b.pointwise(Fn.GENERIC, b.add(r, r_h)), b.pointwise(Fn.GENERIC, b.add(z, z_h))
    fresh = b.pointwise(Fn.ODD, b.add(new, b.mul(reset, new_h)))
    return [b.add(b.mul(update, fresh), b.mul(update, hidden))]


def _plain_cell(fn: Fn) -> Cell:
    def cell(b: Builder, x: Value, state: list[Value], weights: Sequence[Value]) -> list[Value]:
        first, second = _biases(weights)
        total = b.add(_affine(b, x, weights[0], first), _affine(b, state[0], weights[1], second))
        return [b.pointwise(fn, total)]

    return cell


def _run(
    b: Builder,
    cell: Cell,
    states: int,
    x: Value,
    initial: Sequence[Value],
    weights: Sequence[Value],
    has_biases: bool,
    layers: int,
    dropout: float,
    bidirectional: bool,
    batch_first: bool,
) -> list[Value]:
    directions = 2 if bidirectional else 1
    per_cell = len(weights) // (layers * directions)
    flat = len(x.shape) == 2
    if flat:
        x = b.reshape(x, [1, *x.shape] if batch_first else [x.shape[0], 1, x.shape[1]])
        initial = [b.reshape(h, [h.shape[0], 1, h.shape[1]]) for h in initial]
    time = 1 if batch_first else 0
    last: list[list[Value]] = [[] for _ in range(states)]
    for layer in range(layers):
        step = b.fixed(x, [x.shape[1 - time], x.shape[2]], [(1 - time, 0), (2, 1)], averaging=True)
        outs = []
        for direction in range(directions):
            k = layer * directions + direction
            mine = weights[k * per_cell : (k + 1) * per_cell]
            state = _loop(b, cell, step, [_row(b, h, k) for h in initial], mine)
            outs.append(state[0])
            for j, value in enumerate(state):
                last[j].append(b.reshape(value, [1, *value.shape]))
        hidden = outs[0] if directions == 1 else b.cat(outs, 1)
        shape = [x.shape[0], x.shape[1], hidden.shape[1]]
        x = b.fixed(hidden, shape, [(0, 1 - time), (1, 2)], averaging=True)
        if dropout > 0 and layer < layers - 1:
            x = dropped(b, x)
    final = [vs[0] if len(vs) == 1 else b.cat(vs, 0) for vs in last]
    if flat:
        x = b.reshape(x, [n for a, n in enumerate(x.shape) if a != 1 - time])
        final = [b.reshape(v, [v.shape[0], v.shape[2]]) for v in final]
    return [x, *final]


def _row(b: Builder, state: Value, k: int) -> Value:
    return b.reshape(b.slice(state, 0, k, 1), state.shape[1:])


def _loop(b: Builder, cell: Cell, x: Value, initial: list[Value], weights: Sequence[Value]) -> list[Value]:
    before = [b.value(v.shape) for v in initial]
    for start, state in zip(initial, before, strict=True):
        b.flow(start, state)
    after = cell(b, x, before, weights)
    for state, new in zip(before, after, strict=True):
        b.flow(new, state)
    return after


def _lstm(
    b: Builder,
    x: Value,
    initial: Sequence[Value],
    weights: Sequence[Value],
    has_biases: bool,
    layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> tuple[Value, ...]:
    _sequential(x, weights)
    return tuple(_run(b, _lstm_cell, 2, x, initial, weights, has_biases, layers, dropout * train, bidirectional, batch_first))


def _one_state(cell: Cell) -> Callable[..., tuple[Value, ...]]:
    def lower(
        b: Builder,
        x: Value,
        initial: Value,
        weights: Sequence[Value],
        has_biases: bool,
        layers: int,
        dropout: float,
        train: bool,
        bidirectional: bool,
        batch_first: bool,
    ) -> tuple[Value, ...]:
        _sequential(x, weights)
        return tuple(_run(b, cell, 1, x, [initial], weights, has_biases, layers, dropout * train, bidirectional, batch_first))

    return lower


def _sequential(x: object, weights: object) -> None:
    if not isinstance(x, Value) or not isinstance(weights, (list, tuple)) or isinstance(weights, bool):
        raise Unsupported("a recurrence over a packed sequence")


def _lstm_step(
    b: Builder, x: Value, state: Sequence[Value], w_ih: Value, w_hh: Value, b_ih: Value | None = None, b_hh: Value | None = None
) -> tuple[Value, ...]:
    weights = [w for w in (w_ih, w_hh, b_ih, b_hh) if w is not None]
    return tuple(_lstm_cell(b, x, list(state), weights))


def _step(cell: Cell) -> Callable[..., Value]:
    def lower(
        b: Builder, x: Value, state: Value, w_ih: Value, w_hh: Value, b_ih: Value | None = None, b_hh: Value | None = None
    ) -> Value:
        weights = [w for w in (w_ih, w_hh, b_ih, b_hh) if w is not None]
        return cell(b, x, [state], weights)[0]

    return lower


RULES = (
    Rule(("lstm",), _lstm),
    Rule(("gru",), _one_state(_gru_cell)),
    Rule(("rnn_tanh",), _one_state(_plain_cell(Fn.ODD))),
    Rule(("rnn_relu",), _one_state(_plain_cell(Fn.HOMOGENEOUS))),
    Rule(("lstm_cell",), _lstm_step),
    Rule(("gru_cell",), _step(_gru_cell)),
    Rule(("rnn_tanh_cell",), _step(_plain_cell(Fn.ODD))),
    Rule(("rnn_relu_cell",), _step(_plain_cell(Fn.HOMOGENEOUS))),
)
