r"""The cost of a noisy circuit at many parameter vectors at once, and its gradient by the adjoint method, for up to 8 qubits.

The state is a vector of Pauli coefficients. A rotation turns it in planes (see :mod:`parasym.circuits.plane`); everything else
is a Pauli transfer matrix on its own qubits, and neighbours on the same two qubits are multiplied beforehand. With
:math:`\lambda` the observable pulled back to behind a rotation and :math:`r` the state there,

.. math:: \frac{\partial C}{\partial a} = \sum_{\text{pairs } (i, j)} \lambda_i r_j - \lambda_j r_i.

This pays for many points and small states. Few points, or large states, go one by one through
:class:`parasym.circuits.point.PointSimulator`, which does the same in fewer and larger operations.

Index conventions: the first axis is the word (see :mod:`parasym.circuits.pauli_vector`), the last the batch. Everything is
float64.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from parasym.circuits.circuit import Circuit
from parasym.circuits.fuse import Block, fuse
from parasym.circuits.observable import PauliSum
from parasym.circuits.operation import Rotation
from parasym.circuits.pauli_vector import initial_vector, observable_vector, words_of
from parasym.circuits.plane import Planes, planes_of
from parasym.circuits.point import PointSimulator
from parasym.core import BadInputError, ShapeError

MOST_QUBITS = 8
MOST_NUMBERS = 2**24
"""Numbers kept at a time: larger batches are cut. 128 MB."""
FEW, SMALL = 12, 4
"""Up to so many points, or on more qubits, points go one by one: on one core a batch of 4 qubits breaks even at 14 points, one of
6 qubits never."""


@dataclass(frozen=True, eq=False)
class Transfer:
    """A circuit with one observable, ready to be evaluated. See :func:`transfer`.

    Attributes:
        circuit: The circuit.
        steps: Rotations and transfer matrices, first to last.
    """

    circuit: Circuit
    steps: tuple[Rotation | Block, ...]

    @cached_property
    def rotations(self) -> tuple[Rotation, ...]:
        """The rotations, in order; their angles are what can be set from outside."""
        return tuple(step for step in self.steps if isinstance(step, Rotation))

    def angles(self, theta: Tensor) -> Tensor:
        """Return the angle of every rotation, of shape ``[*batch, rotations]``.

        Args:
            theta: Parameters of shape ``[*batch, M]``.

        Raises:
            ShapeError: If the last axis has another length.
        """
        self._check(theta)
        return theta.to(torch.float64) @ self.slopes.T + self._offsets

    def cost(self, theta: Tensor) -> Tensor:
        """Return the cost, of shape ``[*batch]``. It is differentiable once, by the adjoint method.

        Args:
            theta: Parameters of shape ``[*batch, M]``.

        Raises:
            ShapeError: If ``theta`` has another length.

        Example:
            >>> from parasym.circuits import Circuit, PauliSum, amplitude_damping, rotation
            >>> circuit = Circuit(1, (rotation("Y", 0, 0), amplitude_damping(0.1, 0)), (PauliSum.from_labels({"Z": 1.0}),))
            >>> transfer(circuit).cost(torch.tensor([[0.0], [3.141592653589793]]))  # the decay lifts -1 to -0.8
            tensor([ 1.0000, -0.8000], dtype=torch.float64)
        """
        self._check(theta)
        if self._one_by_one(theta):
            values = torch.tensor([self._point.cost(row) for row in self._rows(theta)], dtype=torch.float64)
        else:
            angles = self.angles(theta)
            values = _Adjoint.apply(angles.reshape(-1, angles.shape[-1]), self)
        return values.reshape(theta.shape[:-1])  # pyright: ignore[reportOptionalMemberAccess]

    def cost_and_gradient(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Return the cost, of shape ``[*batch]``, and its gradient, of shape ``[*batch, M]``.

        Args:
            theta: Parameters of shape ``[*batch, M]``.

        Raises:
            ShapeError: If ``theta`` has another length.
        """
        self._check(theta)
        theta = theta.detach()
        if self._one_by_one(theta):
            values, slopes = self._each(self._rows(theta))
            found = torch.from_numpy(values), torch.from_numpy(slopes @ self.slopes.numpy())
        else:
            angles = self.angles(theta)
            values, slopes = self._together(angles.reshape(-1, angles.shape[-1]))
            found = values, slopes @ self.slopes
        return found[0].reshape(theta.shape[:-1]), found[1].reshape(theta.shape)

    def terms(self, angles: Tensor) -> Tensor:
        """Return the expectation value of every word of the observable, of shape ``[*batch, terms]``.

        Args:
            angles: Of every rotation, of shape ``[*batch, rotations]``.

        Raises:
            BadInputError: If the observable is not a sum of Pauli words.
        """
        flat, where = angles.reshape(-1, angles.shape[-1]), self._term_rows
        if self._one_by_one(angles):
            values = torch.from_numpy(np.stack([self._point.state(row)[where.numpy()] for row in flat.numpy()], axis=1))
        else:
            values = torch.cat([self.forward(part)[0][where] for part in self._parts(flat)], dim=1)
        return values.T.reshape(*angles.shape[:-1], len(where))

    @cached_property
    def coefficients(self) -> Tensor:
        """The coefficients of the words of the observable, of shape ``[terms]``.

        Raises:
            BadInputError: If the observable is not a sum of Pauli words.
        """
        return torch.tensor([c for c, _ in self._sum.terms], dtype=torch.float64)

    def forward(self, angles: Tensor, *, keep: bool = False) -> tuple[Tensor, list[Tensor]]:
        """Return the final state, of shape ``[4**n, batch]``, and if asked for the state behind every rotation.

        Args:
            angles: Of shape ``[batch, rotations]``.
            keep: Whether to keep them.
        """
        n, batch = self.circuit.num_qubits, len(angles)
        state = self._initial[:, None].repeat(1, batch)
        cos, sin = angles.T.cos(), angles.T.sin()
        kept: list[Tensor] = []
        k = 0
        for step in self.steps:
            if isinstance(step, Block):
                state = step.apply(state, n)
                continue
            state = self._planes[k].turned(state, cos[k], sin[k])
            k += 1
            if keep:
                kept.append(state)
        return state, kept

    def adjoint(self, angles: Tensor) -> tuple[Tensor, Tensor]:
        """Return cost and derivatives by the rotations' angles, of shapes ``[batch]`` and ``[batch, rotations]``.

        Args:
            angles: Of shape ``[batch, rotations]``.
        """
        if not self._one_by_one(angles):
            return self._together(angles)
        values, slopes = self._each(angles.numpy())
        return torch.from_numpy(values), torch.from_numpy(slopes)

    def _one_by_one(self, x: Tensor) -> bool:
        """Return whether parameters or angles of shape ``[*batch, ...]`` go one by one."""
        count = x.shape[:-1].numel()
        return count > 0 and (count <= FEW or self.circuit.num_qubits > SMALL) and not x.requires_grad

    def _check(self, theta: Tensor) -> None:
        if not isinstance(theta, Tensor):
            raise BadInputError(f"Argument `theta` must be a torch tensor, but is a {type(theta).__name__}: use torch.as_tensor.")
        if theta.shape[-1:] != (self.circuit.num_parameters,):
            raise ShapeError(
                f"Argument `theta` must have {self.circuit.num_parameters} angles along its last axis, "
                f"but has shape {tuple(theta.shape)}."
            )

    def _rows(self, theta: Tensor) -> np.ndarray:
        """Return the angles of every rotation, of shape ``[points, rotations]``, without torch."""
        flat = theta.reshape(-1, theta.shape[-1]).to(torch.float64).numpy()
        return flat @ self.slopes.numpy().T + self._offsets.numpy()

    def _each(self, angles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values, slopes = np.empty(len(angles)), np.empty_like(angles)
        for k, row in enumerate(angles):
            values[k], slopes[k] = self._point.cost_and_slopes(row)
        return values, slopes

    def _together(self, angles: Tensor) -> tuple[Tensor, Tensor]:
        found = [self._adjoint(part) for part in self._parts(angles)]
        return torch.cat([v for v, _ in found]), torch.cat([g for _, g in found])

    def _adjoint(self, angles: Tensor) -> tuple[Tensor, Tensor]:
        n = self.circuit.num_qubits
        state, kept = self.forward(angles, keep=True)
        value = self._observable @ state
        back = self._observable[:, None].repeat(1, len(angles))
        cos, sin = angles.T.cos(), angles.T.sin()
        slopes = torch.empty_like(angles.T)
        k = len(kept)
        for step in reversed(self.steps):
            if isinstance(step, Block):
                back = step.apply(back, n, transpose=True)
                continue
            k -= 1
            plane = self._planes[k]
            (a, b), (r, s) = plane.parts(back), plane.parts(kept[k])
            slopes[k] = (a * s - b * r).flatten(0, -2).sum(0)
            back = plane.turned(back, cos[k], -sin[k])
        return value, slopes.T

    def _parts(self, angles: Tensor) -> Sequence[Tensor]:
        return angles.split(max(1, MOST_NUMBERS // (4**self.circuit.num_qubits * (len(self.rotations) + 2))))

    @cached_property
    def slopes(self) -> Tensor:
        """The derivative of every angle by every parameter, of shape ``[rotations, M]``."""
        out = torch.zeros(len(self.rotations), self.circuit.num_parameters, dtype=torch.float64)
        for k, step in enumerate(self.rotations):
            for j, m in step.angle.terms:
                out[k, j] = m
        return out

    @cached_property
    def _offsets(self) -> Tensor:
        return torch.tensor([step.angle.offset for step in self.rotations], dtype=torch.float64)

    @cached_property
    def _planes(self) -> list[Planes]:
        found = {word: planes_of(word, self.circuit.num_qubits) for word in {step.pauli for step in self.rotations}}
        return [found[step.pauli] for step in self.rotations]

    @cached_property
    def _point(self) -> PointSimulator:
        return PointSimulator(self.steps, self.circuit.num_qubits, self._initial.numpy(), self._observable.numpy())

    @cached_property
    def _initial(self) -> Tensor:
        return torch.from_numpy(initial_vector(self.circuit))

    @cached_property
    def _observable(self) -> Tensor:
        return torch.from_numpy(observable_vector(self.circuit.observable, self.circuit.num_qubits))

    @property
    def _sum(self) -> PauliSum:
        observable = self.circuit.observable
        if not isinstance(observable, PauliSum):
            raise BadInputError(
                f"The observable must be a sum of Pauli words to be sampled, but is a {type(observable).__name__}."
            )
        return observable

    @cached_property
    def _term_rows(self) -> Tensor:
        x, z = words_of(self.circuit.num_qubits)
        order = {(int(a), int(b)): k for k, (a, b) in enumerate(zip(x, z, strict=True))}
        return torch.tensor([order[word.x, word.z] for _, word in self._sum.terms])


def transfer(circuit: Circuit) -> Transfer:
    """Return a simulator of a circuit: exact costs of many parameter vectors at once, noise included, and gradients.

    It agrees with PennyLane's ``default.mixed`` and Qiskit Aer's density matrix to rounding; its gradient is exact.

    Args:
        circuit: A circuit with parameters and one observable, on at most 8 qubits.

    Raises:
        BadInputError: If there are more qubits, no parameters, an operation that cannot be simulated, or not one observable.

    Example:
        >>> from parasym.circuits import amplitude_damping, ising_ring, layered, NoiseModel, with_noise
        >>> noise = NoiseModel(after_many=(amplitude_damping(0.02, 0),))
        >>> circuit = with_noise(layered(4, 4, final=True, observables=(ising_ring(4),)), noise)
        >>> values, gradients = transfer(circuit).cost_and_gradient(torch.zeros(64, 20))
        >>> values[0], gradients.shape
        (tensor(-4.0000, dtype=torch.float64), torch.Size([64, 20]))
    """
    if circuit.num_qubits > MOST_QUBITS:
        raise BadInputError(
            f"The circuit has {circuit.num_qubits} qubits, but this simulator takes at most {MOST_QUBITS}. In Python, "
            "`parasym.hop` takes any function of the angles as its cost."
        )
    if circuit.num_parameters == 0:
        raise BadInputError("The circuit must have parameters, but has none.")
    _ = circuit.observable
    return Transfer(circuit, fuse(circuit.operations))


class _Adjoint(torch.autograd.Function):
    """Cost as a function of the rotations' angles for autograd."""

    @staticmethod
    def forward(ctx, angles: Tensor, simulator: Transfer) -> Tensor:  # noqa: ANN001
        if not angles.requires_grad:
            return torch.cat([simulator._observable @ simulator.forward(part)[0] for part in simulator._parts(angles)])
        value, slopes = simulator.adjoint(angles.detach())
        ctx.save_for_backward(slopes)
        return value

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:  # noqa: ANN001
        (slopes,) = ctx.saved_tensors
        return grad[:, None] * slopes, None
