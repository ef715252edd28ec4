"""Order and dimension of a group from its name, written independently of the groups."""

import re
from math import factorial


def order_and_dimension(name: str) -> tuple[int, int]:
    """Return order and dimension of the group called ``name``.

    The dimension of ``planes`` is that with scales; rotations alone have half of it.
    """
    base, _, power = name.partition("^")
    count = int(power or 1)
    order, dimension = 1, 0
    for kind, digits in re.findall(r"(\w+)\((\d+)\)", base):
        n = int(digits)
        order *= {"S": factorial(n), "signs": 2**n}.get(kind, 1)
        dimension += {"scale": n, "shift": n, "GL": n * n, "O": n * (n - 1) // 2, "planes": 2 * n}.get(kind, 0)
    return order**count, dimension * count
