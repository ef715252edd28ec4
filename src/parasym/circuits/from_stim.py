"""Read Clifford blocks from stim."""

from typing import Any

from parasym.circuits.operation import Tableau
from parasym.core import BadInputError


def from_stim(tableau: Any, qubits: tuple[int, ...], *, name: str = "tableau") -> Tableau:
    """Return a Clifford block from a ``stim.Tableau``, of any size.

    Args:
        tableau: The tableau.
        qubits: The qubit of each of its own.
        name: What to call it.

    Raises:
        BadInputError: If it has another number of qubits.
    """
    if len(tableau) != len(qubits):
        raise BadInputError(f"The tableau has {len(tableau)} qubits, but argument `qubits` is {qubits}.")
    xs, zs = ([str(out(k)).replace("_", "I") for k in range(len(qubits))] for out in (tableau.x_output, tableau.z_output))
    return Tableau(qubits, tuple(xs), tuple(zs), name)
