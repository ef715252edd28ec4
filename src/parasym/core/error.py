"""The errors of the package: one base class, few children."""


class SymmetryError(ValueError):
    """Base class of every error that parasym raises on purpose."""


class ShapeError(SymmetryError):
    """An argument has a shape that does not fit; the message names both shapes."""


class BadInputError(SymmetryError):
    """A user's argument cannot be used; the message names it and the remedy."""


class CheckpointError(BadInputError):
    """A checkpoint is missing, corrupt, unsafe, or does not fit the model."""


class CaptureError(SymmetryError):
    """A model cannot be captured as a graph; the message says why and what to do."""


class InternalError(SymmetryError):
    """A bug in parasym; the message says where, and asks to report it."""


class InternalWarning(UserWarning):
    """A bug in parasym that a result survives: what it concerns is pinned and listed in ``symmetry.uncovered``."""
