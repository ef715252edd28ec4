"""What training a population gives."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from parasym.core import Params


@dataclass(frozen=True)
class Way:
    """How the networks were trained, and why.

    Attributes:
        name: ``"vmap"``, all together, or ``"loop"``, one after the other.
        size: Networks per call of vmap; 1 in a loop.
        seconds: Measured seconds per network and step, by ``"loop"`` and ``"vmap of n"``; empty if nothing was measured.
        reason: Why this way.

    Example:
        >>> print(Way("vmap", 64, {"loop": 1e-3, "vmap of 64": 1e-4}, "faster"))
        vmap of 64 (faster): loop 1 ms, vmap of 64 0.1 ms per network and step
    """

    name: Literal["vmap", "loop"]
    size: int
    seconds: dict[str, float]
    reason: str

    def __str__(self) -> str:
        """Return name, reason and times in one line."""
        title = f"vmap of {self.size}" if self.name == "vmap" else "loop"
        times = ", ".join(f"{name} {1e3 * s:.3g} ms" for name, s in self.seconds.items())
        return f"{title} ({self.reason})" + (f": {times} per network and step" if times else "")


@dataclass(frozen=True, slots=True)
class Record:
    """One epoch of one network.

    Attributes:
        seed: Of the network.
        epoch: From 0.
        loss: Mean loss over the examples as they were seen in training, with augmentation and label smoothing.
        rate: Learning rate of the last step.
        finite: Whether the loss and all parameters are finite.
        validation: Mean loss over the validation set after the epoch; ``None`` without one.
    """

    seed: int
    epoch: int
    loss: float
    rate: float
    finite: bool
    validation: float | None = None

    def values(self) -> tuple[int | float | None, ...]:
        """Return the fields in their order, the last one only if it is there."""
        values = (self.seed, self.epoch, self.loss, self.rate, self.finite)
        return values if self.validation is None else (*values, self.validation)


@dataclass(frozen=True)
class Population:
    """Networks of one architecture, in the order of their seeds.

    Attributes:
        seeds: One per network.
        params: Trained parameters and buffers. A diverged network has those of the epoch in which it diverged.
        initial: Parameters and buffers before the first step.
        history: One record per network and epoch.
        diverged: Whether the loss or a parameter became NaN or infinite; such a network trains no further, and nothing is left
            out.
        way: How they were trained.
        best: With a validation set, the epoch of least validation loss of each network. A network whose plan has patience has
            the parameters of that epoch.
    """

    seeds: tuple[int, ...]
    params: list[Params]
    initial: list[Params]
    history: tuple[Record, ...]
    diverged: tuple[bool, ...]
    way: Way
    best: tuple[int | None, ...] | None = None

    def __len__(self) -> int:
        return len(self.seeds)

    def __iter__(self) -> Iterator[Params]:
        """Yield the trained parameters and buffers of each network."""
        return iter(self.params)

    @property
    def num_diverged(self) -> int:
        """How many networks diverged."""
        return sum(self.diverged)

    def losses(self, seed: int) -> tuple[float, ...]:
        """Return the loss of one network by epoch.

        Args:
            seed: Of the network.
        """
        return tuple(record.loss for record in self.history if record.seed == seed)

    def validation_losses(self, seed: int) -> tuple[float, ...]:
        """Return the loss of one network on the validation set by epoch.

        Args:
            seed: Of the network.
        """
        return tuple(r.validation for r in self.history if r.seed == seed and r.validation is not None)

    def __str__(self) -> str:
        """Return number, divergences and way in one line."""
        return f"{len(self)} networks, {self.num_diverged} diverged; {self.way}"
