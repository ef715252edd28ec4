r"""Every named Clifford gate, in one table: what it makes of X and Z of each of its qubits.

The entry of a gate ``C`` lists the signed labels of :math:`C X_k C^\dagger`, then those of :math:`C Z_k C^\dagger`.
"""

CLIFFORDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "i": (("+X",), ("+Z",)),
    "x": (("+X",), ("-Z",)),
    "y": (("-X",), ("-Z",)),
    "z": (("-X",), ("+Z",)),
    "h": (("+Z",), ("+X",)),
    "s": (("+Y",), ("+Z",)),
    "sdg": (("-Y",), ("+Z",)),
    "sx": (("+X",), ("-Y",)),
    "sxdg": (("+X",), ("+Y",)),
    "sy": (("-Z",), ("+X",)),
    "sydg": (("+Z",), ("-X",)),
    "cx": (("+XX", "+IX"), ("+ZI", "+ZZ")),
    "cy": (("+XY", "+ZX"), ("+ZI", "+ZZ")),
    "cz": (("+XZ", "+ZX"), ("+ZI", "+IZ")),
    "swap": (("+IX", "+XI"), ("+IZ", "+ZI")),
    "iswap": (("+ZY", "+YZ"), ("+IZ", "+ZI")),
    "iswapdg": (("-ZY", "-YZ"), ("+IZ", "+ZI")),
    "ecr": (("-YX", "+IX"), ("-ZI", "+ZY")),
    "dcx": (("+IX", "+XX"), ("+ZZ", "+ZI")),
}
