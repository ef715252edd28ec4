"""Gates of several angles as Pauli rotations, up to a global phase."""

from math import pi

from parasym.circuits.angle import Angle, angle_of
from parasym.circuits.operation import Rotation, controlled_rotation, rotation

Angles = tuple[Angle | float, ...]


def euler(first: Angle | float, second: Angle | float, third: Angle | float, qubit: int) -> tuple[Rotation, ...]:
    """Return rotations about Z, Y and Z, in the order in which they act.

    Args:
        first: Angle about Z that acts first.
        second: Angle about Y.
        third: Angle about Z that acts last.
        qubit: The qubit.
    """
    return rotation("Z", qubit, angle_of(first)), rotation("Y", qubit, angle_of(second)), rotation("Z", qubit, angle_of(third))


def u3(theta: Angle | float, phi: Angle | float, lam: Angle | float, qubit: int) -> tuple[Rotation, ...]:
    """Return the gate U3 (Qiskit's U): rotations about Z by ``lam``, Y by ``theta``, Z by ``phi``.

    Args:
        theta: Angle about Y.
        phi: Angle about Z that acts last.
        lam: Angle about Z that acts first.
        qubit: The qubit.
    """
    return euler(lam, theta, phi, qubit)


def u2(phi: Angle | float, lam: Angle | float, qubit: int) -> tuple[Rotation, ...]:
    """Return the gate U2: U3 with ``theta`` a quarter turn.

    Args:
        phi: Angle about Z that acts last.
        lam: Angle about Z that acts first.
        qubit: The qubit.
    """
    return euler(lam, pi / 2, phi, qubit)


def controlled_euler(angles: Angles, control: int, target: int) -> tuple[Rotation, ...]:
    """Return controlled rotations about Z, Y and Z.

    Args:
        angles: The three angles, the first acts first.
        control: The control qubit.
        target: The target qubit.
    """
    return tuple(
        part
        for letter, angle in zip("ZYZ", angles, strict=True)
        for part in controlled_rotation(letter, control, target, angle_of(angle))
    )


def controlled_phase(angle: Angle | float, a: int, b: int) -> tuple[Rotation, ...]:
    r"""Return :math:`\operatorname{diag}(1, 1, 1, e^{i\phi})` as rotations about Z, Z and ZZ by half angles.

    Args:
        angle: The phase.
        a: A qubit.
        b: Another qubit.
    """
    half = angle_of(angle).scaled(0.5)
    return rotation("Z", a, half), rotation("Z", b, half), rotation("ZZ", (a, b), half.scaled(-1.0))


def ising_xy(angle: Angle | float, a: int, b: int) -> tuple[Rotation, ...]:
    r"""Return :math:`\exp(i\phi(XX + YY)/4)`.

    Args:
        angle: The angle.
        a: A qubit.
        b: Another qubit.
    """
    half = angle_of(angle).scaled(-0.5)
    return rotation("XX", (a, b), half), rotation("YY", (a, b), half)
