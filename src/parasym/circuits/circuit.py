"""A parametrized quantum circuit as plain data."""

from dataclasses import dataclass
from math import prod

from parasym.circuits.observable import Observable, PauliSum, StateProjector
from parasym.circuits.operation import Channel, Opaque, Operation, Rotation
from parasym.circuits.state import InitialState, ProductState, StabilizerState, ZeroState
from parasym.core import BadInputError


@dataclass(frozen=True)
class Circuit:
    r"""A circuit :math:`U(\theta)`, the state :math:`\rho_0` it starts from, and the observable :math:`O` that is measured.

    .. math:: C(\theta) = \operatorname{Tr}\bigl(O\, U(\theta)\, \rho_0\, U(\theta)^\dagger\bigr)

    Conventions: qubit 0 is the most significant bit of a basis state; a rotation is :math:`\exp(-i a P/2)`; operations
    are applied first to last. The parameters form one vector :math:`\theta` of length ``num_parameters``; ``tensors``
    says which named tensors it is when they are flattened and joined.

    Attributes:
        num_qubits: Number of qubits ``n``.
        operations: The operations.
        observables: What is measured; the whole state counts if there is none.
        initial: The state at the start.
        frozen: Indices of parameters that do not move: data, or angles kept fixed at any value.
        tensors: Names and shapes of the parameter tensors; one vector ``angles`` by default.

    Raises:
        BadInputError: If something lies on a missing qubit, or the parameters do not fit ``tensors``.

    Example:
        >>> from parasym.circuits import PauliSum, gate, rotation
        >>> circuit = Circuit(2, (rotation("Y", 0, 0), gate("cx", 0, 1)), (PauliSum.from_labels({"IZ": 1.0}),))
        >>> circuit.num_parameters, circuit.rotations[0].pauli
        (1, Pauli(x=1, z=1))
    """

    num_qubits: int
    operations: tuple[Operation, ...]
    observables: tuple[Observable, ...] = ()
    initial: InitialState = ZeroState()
    frozen: tuple[int, ...] = ()
    tensors: tuple[tuple[str, tuple[int, ...]], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "frozen", tuple(sorted(set(self.frozen))))
        used = {j for op in self.operations for j in parameters_of(op)} | set(self.frozen)
        if not self.tensors:
            object.__setattr__(self, "tensors", (("angles", (1 + max(used, default=-1),)),))
        if any(not 0 <= j < self.num_parameters for j in used):
            raise BadInputError(f"Parameter {max(used)} does not exist: tensors {self.tensors} hold {self.num_parameters}.")
        for k, op in enumerate(self.operations):
            if not self._fits(op.qubits):
                self._refuse(op.qubits, f"Operation {k}, {describe(op)},")
        for observable in self.observables:
            self._check_observable(observable)
        self._check_initial()

    @property
    def num_parameters(self) -> int:
        """Length of the parameter vector."""
        return sum(prod(shape) for _, shape in self.tensors)

    @property
    def rotations(self) -> tuple[Rotation, ...]:
        """All rotations, in order."""
        return tuple(op for op in self.operations if isinstance(op, Rotation))

    @property
    def noisy(self) -> bool:
        """Whether a noise channel is among the operations."""
        return any(isinstance(op, Channel) for op in self.operations)

    @property
    def observable(self) -> Observable:
        """The one observable.

        Raises:
            BadInputError: If there is none, or more than one.
        """
        if len(self.observables) != 1:
            raise BadInputError(
                f"The circuit must have one observable, but has {len(self.observables)}. Several can be added up into one; a "
                "Qiskit circuit takes it as an argument, on the command line as `example_inputs` in its file."
            )
        return self.observables[0]

    def to_json(self) -> str:
        """Return the circuit as JSON; :meth:`from_json` reads it back."""
        from parasym.circuits.json import dumps

        return dumps(self)

    @staticmethod
    def from_json(text: str) -> "Circuit":
        """Return the circuit written by :meth:`to_json`.

        Args:
            text: JSON.

        Raises:
            BadInputError: If the text is not such JSON.
        """
        from parasym.circuits.json import loads

        return loads(text)

    def __str__(self) -> str:
        """Return one line per operation."""
        head = f"Circuit of {self.num_qubits} qubits with {self.num_parameters} parameters"
        return "\n".join([head, *(f"  {describe(op)}" for op in self.operations)])

    def _fits(self, qubits: tuple[int, ...]) -> bool:
        return len(set(qubits)) == len(qubits) and all(0 <= q < self.num_qubits for q in qubits)

    def _refuse(self, qubits: tuple[int, ...], what: str) -> None:
        raise BadInputError(f"{what} must act on different qubits of 0 to {self.num_qubits - 1}, but acts on {qubits}.")

    def _check_observable(self, observable: Observable) -> None:
        if isinstance(observable, StateProjector):
            if len(observable.vector) != 2**self.num_qubits:
                raise BadInputError(f"A projector must have {2**self.num_qubits} amplitudes, but has {len(observable.vector)}.")
            return
        pairs = observable.terms if isinstance(observable, PauliSum) else observable.stabilizers
        for _, word in pairs:
            if not self._fits(word.qubits):
                self._refuse(word.qubits, "An observable")

    def _check_initial(self) -> None:
        if isinstance(self.initial, StabilizerState):
            for label in self.initial.stabilizers:
                if len(label.lstrip("+-")) != self.num_qubits:
                    raise BadInputError(f"Stabilizer `{label}` must have {self.num_qubits} letters.")
        if isinstance(self.initial, ProductState) and len(self.initial.bloch) != self.num_qubits:
            raise BadInputError(
                f"A product state of {self.num_qubits} qubits cannot have {len(self.initial.bloch)} Bloch vectors."
            )


def parameters_of(op: Operation) -> tuple[int, ...]:
    """Return the indices of the parameters on which an operation depends.

    Args:
        op: Any operation.
    """
    if isinstance(op, Rotation):
        return op.angle.parameters
    return op.parameters if isinstance(op, Opaque) else ()


def describe(op: Operation) -> str:
    """Return an operation in a few words, such as ``R[ZZ](0.5 t3) on 0, 1``.

    Args:
        op: Any operation.
    """
    where = ", ".join(str(q) for q in op.qubits)
    if not isinstance(op, Rotation):
        return f"{op.name} on {where}"
    parts = [f"{'' if m == 1 else f'{m:g} '}t{j}" for j, m in op.angle.terms]
    parts += [f"{op.angle.offset:g}"] if op.angle.offset or not parts else []
    letters = "".join(op.pauli.letter(q) for q in op.qubits)
    return f"R[{letters}]({' + '.join(parts)}) on {where}"
