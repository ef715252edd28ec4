"""Why a pass on tensors without numbers is given up; the model is exported, or passed over again, instead."""

from parasym.symmetry import Uncovered


class Untraceable(Exception):
    """The model must be exported instead.

    Attributes:
        bugs: Operations whose rule failed in the pass.
    """

    bugs: tuple[Uncovered, ...] = ()


class WrittenInto(Exception):
    """Something unknown is written into a constant, which must have no numbers from the start of the next pass.

    Attributes:
        constant: The number of the operation that made it, or the name of the buffer.
    """

    def __init__(self, constant: int | str) -> None:
        super().__init__(constant)
        self.constant = constant
