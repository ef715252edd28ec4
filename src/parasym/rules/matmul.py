"""Linear maps: the contracted wire meets its dual, all others pass."""

from collections.abc import Sequence

from parasym.rules.builder import Builder
from parasym.rules.program import Value
from parasym.rules.rule import Rule, Unsupported

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def _linear(b: Builder, x: Value, weight: Value, bias: Value | None = None) -> Value:
    r""":math:`y_{o} = \sum_i W_{oi} x_i + b_o`: ``i`` meets its dual, ``o`` passes."""
    lead = _LETTERS[: len(x.shape) - 1]
    if len(weight.shape) == 1:
        out = b.contract(x, weight, f"{lead}y,y->{lead}")
    else:
        out = b.contract(x, weight, f"{lead}y,zy->{lead}z")
    return out if bias is None else b.add(out, bias)


def _matmul(b: Builder, x: Value, y: Value) -> Value:
    if len(x.shape) == 1 or len(y.shape) == 1:
        return _vector_product(b, x, y)
    batch = max(len(x.shape), len(y.shape)) - 2
    lead = []
    for value in (x, y):
        mine = value.shape[:-2]
        lead.append((batch - len(mine)) * (1,) + tuple(mine))
    letters, shape = ["", "", ""], []
    left: list[int] = []
    right: list[int] = []
    for k in range(batch):
        n, m = lead[0][k], lead[1][k]
        letter = _LETTERS[k]
        letters[2] += letter
        shape.append(max(n, m) if 0 not in (n, m) else 0)
        if n == shape[-1]:
            letters[0] += letter
            left.append(n)
        if m == shape[-1]:
            letters[1] += letter
            right.append(m)
    x = b.reshape(x, [*left, *x.shape[-2:]])
    y = b.reshape(y, [*right, *y.shape[-2:]])
    return b.contract(x, y, f"{letters[0]}xy,{letters[1]}yz->{letters[2]}xz")


def _vector_product(b: Builder, x: Value, y: Value) -> Value:
    if len(x.shape) == 1 and len(y.shape) == 1:
        return b.contract(x, y, "a,a->")
    if len(y.shape) == 1:
        lead = _LETTERS[: len(x.shape) - 1]
        return b.contract(x, y, f"{lead}z,z->{lead}")
    lead = _LETTERS[: len(y.shape) - 2]
    return b.contract(x, y, f"y,{lead}yz->{lead}z")


def _addmm(b: Builder, bias: Value, x: Value, y: Value, *, beta: float = 1, alpha: float = 1) -> Value:
    return _weighted(b, bias, _matmul(b, x, y), beta, alpha)


def _addbmm(b: Builder, bias: Value, x: Value, y: Value, *, beta: float = 1, alpha: float = 1) -> Value:
    """The products are summed over the batch."""
    return _weighted(b, bias, b.contract(x, y, "bxy,byz->xz"), beta, alpha)


def _weighted(b: Builder, bias: Value, product: Value, beta: float, alpha: float) -> Value:
    product = product if alpha == 1 else b.mul(product, alpha)
    if beta == 0:
        return product
    return b.add(product, bias if beta == 1 else b.mul(bias, beta))


def _inner(b: Builder, x: Value, y: Value) -> Value:
    if not x.shape or not y.shape:
        return b.mul(x, y)
    left, right = _LETTERS[: len(x.shape) - 1], _LETTERS[len(x.shape) : len(x.shape) + len(y.shape) - 1]
    return b.contract(x, y, f"{left}z,{right}z->{left}{right}")


def _outer(b: Builder, x: Value, y: Value) -> Value:
    return b.contract(x, y, "a,b->ab")


def _bilinear(b: Builder, x: Value, y: Value, weight: Value, bias: Value | None = None) -> Value:
    lead = _LETTERS[: len(x.shape) - 1]
    half = b.contract(x, weight, f"{lead}x,zxy->{lead}zy")
    out = b.contract(half, y, f"{lead}zy,{lead}y->{lead}z")
    return out if bias is None else b.add(out, bias)


def _einsum(b: Builder, equation: str, xs: Sequence[Value], **_: object) -> Value:
    """Any einsum without repeated letters in one operand, contracted from left to right."""
    equation = equation.replace(" ", "")
    if "->" not in equation:
        letters = equation.replace(",", "")
        equation += "->" + "".join(sorted(c for c in set(letters) if letters.count(c) == 1 and c != "."))
    inputs, out = equation.split("->")
    parts = inputs.split(",")
    if "..." in equation:
        parts, out = _expand_dots(parts, out, xs)
    if any(len(set(p)) != len(p) for p in (*parts, out)):
        raise Unsupported("an einsum with a repeated letter in one operand")
    result, spec = xs[0], parts[0]
    for k in range(1, len(xs)):
        later = set("".join(parts[k + 1 :])) | set(out)
        keep = "".join(dict.fromkeys(c for c in spec + parts[k] if c in later))
        result, spec = b.contract(result, xs[k], f"{spec},{parts[k]}->{keep}"), keep
    gone = [k for k, c in enumerate(spec) if c not in out]
    if gone:
        result = b.reduce("sum", result, gone)
        spec = "".join(c for c in spec if c in out)
    return b.permute(result, [spec.index(c) for c in out]) if spec != out else result


def _expand_dots(parts: list[str], out: str, xs: Sequence[Value]) -> tuple[list[str], str]:
    spare = [c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if c not in "".join(parts)]
    most = max(len(x.shape) - len(p.replace("...", "")) for p, x in zip(parts, xs, strict=True) if "..." in p)
    dots = "".join(spare[:most])
    full = []
    for p, x in zip(parts, xs, strict=True):
        count = len(x.shape) - len(p.replace("...", ""))
        full.append(p.replace("...", dots[most - count :]) if "..." in p else p)
    return full, out.replace("...", dots)


RULES = (
    Rule(("linear",), _linear),
    Rule(("matmul", "mm", "bmm", "mv", "dot", "vdot"), _matmul),
    Rule(("inner",), _inner),
    Rule(("addmm", "addmv", "baddbmm"), _addmm),
    Rule(("addbmm",), _addbmm),
    Rule(("outer", "ger"), _outer),
    Rule(("bilinear",), _bilinear),
    Rule(("einsum",), _einsum),
)
