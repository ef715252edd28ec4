"""A tensor whose permutations and signs pile up until somebody looks at it."""

from torch import Tensor


class Pending:
    """A tensor, and for each of its axes a permutation with signs that is not carried out yet.

    Channel ``i`` of an axis is to become ``sign[i]`` times channel ``permutation[i]``. Permutations of one axis are composed as
    indices, and the entries are copied once per axis that moved, when the tensor is read.

    Example:
        >>> x = Pending(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
        >>> x.move(0, torch.tensor([1, 0]), None)
        >>> x.move(1, torch.tensor([1, 0]), torch.tensor([1.0, -1.0]))
        >>> x.tensor()
        tensor([[ 4., -3.],
                [ 2., -1.]])
    """

    def __init__(self, x: Tensor) -> None:
        """Start with a tensor as it is.

        Args:
            x: The tensor. Never modified.
        """
        self._x, self._own = x, False
        self._axes: dict[int, tuple[Tensor, Tensor | None]] = {}

    def move(self, axis: int, permutation: Tensor, sign: Tensor | None) -> None:
        """Permute an axis and flip signs, later.

        Args:
            axis: The axis.
            permutation: Which channel comes to each place.
            sign: 1 or -1 for each place; ``None`` for none.
        """
        if axis in self._axes:
            first, flipped = self._axes[axis]
            permutation, flipped = first[permutation], None if flipped is None else flipped[permutation]
            sign = flipped if sign is None else sign if flipped is None else sign * flipped
        self._axes[axis] = (permutation, sign)

    def tensor(self) -> Tensor:
        """Return the tensor as it is now; not to be modified."""
        for axis, (permutation, sign) in self._axes.items():
            self._x, self._own = self._x.index_select(axis, permutation), True
            if sign is not None:
                self._x.mul_(_along(sign, axis, self._x.ndim))
        self._axes.clear()
        return self._x

    def move_some(self, axis: int, changed: Tensor, permutation: Tensor, sign: Tensor | None) -> Tensor:
        """Return by how much channels change when an axis is permuted and signs flip, and do so at once.

        Args:
            axis: The axis.
            changed: The channels that move or flip; all others must stay.
            permutation: Which channel comes to each place.
            sign: 1 or -1 for each place; ``None`` for none.
        """
        x = self.tensor()
        whole = len(changed) == x.shape[axis]
        new = x.index_select(axis, permutation if whole else permutation[changed])
        if sign is not None:
            new.mul_(_along(sign if whole else sign[changed], axis, x.ndim))
        if whole:
            self._x, self._own = new, True
            return new - x
        delta = new - x.index_select(axis, changed)
        if not self._own:
            self._x, self._own = x.clone(), True
        self._x.index_copy_(axis, changed, new)
        return delta


def _along(sign: Tensor, axis: int, ndim: int) -> Tensor:
    return sign.reshape([-1 if d == axis else 1 for d in range(ndim)])
