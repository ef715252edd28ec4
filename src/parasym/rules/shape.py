"""Operations that only rearrange: the channels keep their identity, so every group passes."""

from collections.abc import Sequence

from parasym.rules.builder import Builder
from parasym.rules.program import Value
from parasym.rules.rotary import rotated
from parasym.rules.rule import Rule, Unsupported


def _view(b: Builder, x: Value, shape: Sequence[int], *_: object) -> Value:
    total = 1
    for n in x.shape:
        total *= n
    known = 1
    for n in shape:
        known *= n if n != -1 else 1
    return b.reshape(x, [total // max(known, 1) if n == -1 else n for n in shape])


def _flatten(b: Builder, x: Value, start: int = 0, end: int = -1) -> Value:
    n = len(x.shape)
    if n == 0:
        return b.reshape(x, [1])
    start, end = start % n, end % n
    size = 1
    for k in range(start, end + 1):
        size *= x.shape[k]
    return b.reshape(x, [*x.shape[:start], size, *x.shape[end + 1 :]])


def _unflatten(b: Builder, x: Value, dim: int, sizes: Sequence[int]) -> Value:
    dim = dim % len(x.shape)
    known = 1
    for n in sizes:
        known *= n if n != -1 else 1
    sizes = [x.shape[dim] // known if n == -1 else n for n in sizes]
    return b.reshape(x, [*x.shape[:dim], *sizes, *x.shape[dim + 1 :]])


def _transpose(b: Builder, x: Value, first: int, second: int) -> Value:
    order = list(range(len(x.shape)))
    if not order:
        return x
    order[first], order[second] = order[second], order[first]
    return b.permute(x, order)


def _t(b: Builder, x: Value) -> Value:
    return b.permute(x, range(len(x.shape))[::-1])


def _movedim(b: Builder, x: Value, source: int | Sequence[int], target: int | Sequence[int]) -> Value:
    sources = [source] if isinstance(source, int) else list(source)
    targets = [target] if isinstance(target, int) else list(target)
    n = len(x.shape)
    sources, targets = [k % n for k in sources], [k % n for k in targets]
    rest = iter(k for k in range(n) if k not in sources)
    return b.permute(x, [sources[targets.index(k)] if k in targets else next(rest) for k in range(n)])


def _unsqueeze(b: Builder, x: Value, dim: int) -> Value:
    dim = dim % (len(x.shape) + 1)
    return b.reshape(x, [*x.shape[:dim], 1, *x.shape[dim:]])


def _squeeze(b: Builder, x: Value, dim: int | Sequence[int] | None = None) -> Value:
    dims = range(len(x.shape)) if dim is None else [dim] if isinstance(dim, int) else dim
    gone = {d % len(x.shape) for d in dims if x.shape[d] == 1} if x.shape else set()
    return b.reshape(x, [n for k, n in enumerate(x.shape) if k not in gone])


def _expand(b: Builder, x: Value, shape: Sequence[int], **_: object) -> Value:
    lead = len(shape) - len(x.shape)
    return b.expand(x, [x.shape[k - lead] if n == -1 else n for k, n in enumerate(shape)])


def _expand_as(b: Builder, x: Value, other: Value) -> Value:
    return b.expand(x, other.shape)


def _repeat(b: Builder, x: Value, repeats: Sequence[int]) -> Value:
    lead = len(repeats) - len(x.shape)
    x = b.reshape(x, [1] * lead + list(x.shape))
    for k, times in enumerate(repeats):
        if times > 1:
            shape = list(x.shape)
            wide = b.expand(b.reshape(x, [*shape[:k], 1, *shape[k:]]), [*shape[:k], times, *shape[k:]])
            x = b.reshape(wide, [*shape[:k], times * shape[k], *shape[k + 1 :]])
    return x


def _repeat_interleave(b: Builder, x: Value, repeats: int, dim: int | None = None, **_: object) -> Value:
    if isinstance(repeats, Value):
        raise Unsupported("repeats that differ from entry to entry")
    if dim is None:
        x, dim = _flatten(b, x), 0
    dim = dim % len(x.shape)
    shape = list(x.shape)
    wide = b.expand(b.reshape(x, [*shape[: dim + 1], 1, *shape[dim + 1 :]]), [*shape[: dim + 1], repeats, *shape[dim + 1 :]])
    return b.reshape(wide, [*shape[:dim], shape[dim] * repeats, *shape[dim + 1 :]])


def joined(b: Builder, xs: Sequence[Value], dim: int) -> Value:
    """Return the concatenation of values, which may turn out to rotate planes.

    Args:
        b: Where to write it.
        xs: The values.
        dim: The axis.
    """
    out = b.cat(xs, dim)
    return out if any(out is x for x in xs) else rotated(b, out) or out


def _cat(b: Builder, xs: Sequence[Value], dim: int = 0) -> Value:
    return joined(b, [x for x in xs if x.shape != (0,)] or xs[:1], dim)


def _stack(b: Builder, xs: Sequence[Value], dim: int = 0) -> Value:
    return _cat(b, [_unsqueeze(b, x, dim % (len(x.shape) + 1)) for x in xs], dim % (len(xs[0].shape) + 1))


def _split_sizes(b: Builder, x: Value, sizes: Sequence[int], dim: int = 0) -> tuple[Value, ...]:
    out, start = [], 0
    for n in sizes:
        out.append(b.slice(x, dim, start, n))
        start += n
    return tuple(out)


def _split(b: Builder, x: Value, size: int | Sequence[int], dim: int = 0) -> tuple[Value, ...]:
    if not isinstance(size, int):
        return _split_sizes(b, x, size, dim)
    total = x.shape[dim]
    return _split_sizes(b, x, [min(size, total - k) for k in range(0, total, size)], dim)


def _chunk(b: Builder, x: Value, chunks: int, dim: int = 0) -> tuple[Value, ...]:
    return _split(b, x, -(-x.shape[dim] // chunks), dim)


def _select(b: Builder, x: Value, dim: int, index: int) -> Value:
    if isinstance(index, Value):
        raise Unsupported("selection by a computed index")
    dim = dim % len(x.shape)
    part = b.slice(x, dim, index % x.shape[dim], 1)
    return b.reshape(part, [*x.shape[:dim], *x.shape[dim + 1 :]])


def _unbind(b: Builder, x: Value, dim: int = 0) -> tuple[Value, ...]:
    return tuple(_select(b, x, dim, k) for k in range(x.shape[dim]))


def _narrow(b: Builder, x: Value, dim: int, start: int, length: int) -> Value:
    return b.slice(x, dim, start % x.shape[dim], length)


def _same(b: Builder, x: Value, *_: object, **__: object) -> Value:
    return x


def _pixel_shuffle(b: Builder, x: Value, factor: int) -> Value:
    *lead, c, h, w = x.shape
    n, r = len(lead), factor
    x = b.reshape(x, [*lead, c // (r * r), r, r, h, w])
    x = b.permute(x, [*range(n), n, n + 3, n + 1, n + 4, n + 2])
    return b.reshape(x, [*lead, c // (r * r), h * r, w * r])


def _pixel_unshuffle(b: Builder, x: Value, factor: int) -> Value:
    *lead, c, h, w = x.shape
    n, r = len(lead), factor
    x = b.reshape(x, [*lead, c, h // r, r, w // r, r])
    x = b.permute(x, [*range(n), n, n + 2, n + 4, n + 1, n + 3])
    return b.reshape(x, [*lead, c * r * r, h // r, w // r])


def _channel_shuffle(b: Builder, x: Value, groups: int) -> Value:
    n, c, *rest = x.shape
    x = b.reshape(x, [n, groups, c // groups, *rest])
    return b.reshape(_transpose(b, x, 1, 2), [n, c, *rest])


RULES = (
    Rule(("view", "reshape", "_unsafe_view", "_reshape_alias"), _view),
    Rule(("flatten",), _flatten),
    Rule(("unflatten",), _unflatten),
    Rule(("permute",), lambda b, x, dims: b.permute(x, dims)),
    Rule(("transpose", "swapaxes", "swapdims"), _transpose),
    Rule(("t", "numpy_T", "mT", "adjoint"), lambda b, x: _transpose(b, x, -2, -1) if len(x.shape) > 1 else x),
    Rule(("movedim", "moveaxis"), _movedim),
    Rule(("unsqueeze",), _unsqueeze),
    Rule(("squeeze",), _squeeze),
    Rule(("expand", "broadcast_to"), _expand),
    Rule(("expand_as",), _expand_as),
    Rule(("repeat", "tile"), _repeat),
    Rule(("repeat_interleave",), _repeat_interleave),
    Rule(("cat", "concat", "concatenate"), _cat),
    Rule(("stack",), _stack),
    Rule(("split", "unsafe_split"), _split),
    Rule(("split_with_sizes", "split_with_sizes_copy"), _split_sizes),
    Rule(("chunk", "unsafe_chunk"), _chunk),
    Rule(("unbind",), _unbind),
    Rule(("select",), _select),
    Rule(("narrow",), _narrow),
    Rule(
        (
            "alias",
            "clone",
            "contiguous",
            "detach",
            "detach_",
            "lift_fresh_copy",
            "to",
            "_to_copy",
            "type_as",
            "view_as",
            "_assert_tensor_metadata",
        ),
        _same,
    ),
    Rule(("pixel_shuffle",), _pixel_shuffle),
    Rule(("pixel_unshuffle",), _pixel_unshuffle),
    Rule(("channel_shuffle", "native_channel_shuffle"), _channel_shuffle),
)
