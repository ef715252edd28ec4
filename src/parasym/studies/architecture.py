"""The networks of the merging study, in one table."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from parasym.population import TrainingPlan


@dataclass(frozen=True)
class Architecture:
    """A network for 8 by 8 images of ten classes.

    Attributes:
        name: Short name.
        title: Name for people.
        build: Makes the network from its width.
        width: Hidden units or channels.
        narrow: The width at which completeness is counted: the Jacobian of the full one is too large.
        images: Whether it takes images of shape ``[1, 8, 8]`` rather than 64 numbers.
        plan: How it is trained.
    """

    name: str
    title: str
    build: Callable[[int], nn.Module]
    width: int
    narrow: int
    images: bool
    plan: TrainingPlan


def perceptron(activation: Callable[[], nn.Module], depth: int) -> Callable[[int], nn.Module]:
    """Return a builder of fully connected networks from 64 numbers to 10 classes.

    Args:
        activation: Makes the activation.
        depth: Number of hidden layers.
    """

    def build(width: int) -> nn.Module:
        layers: list[nn.Module] = [nn.Linear(64, width), activation()]
        for _ in range(depth - 1):
            layers += [nn.Linear(width, width), activation()]
        return nn.Sequential(*layers, nn.Linear(width, 10))

    return build


def convolutional(width: int) -> nn.Module:
    """Return a convolutional network with batch normalization.

    Args:
        width: Channels of the first layer; the others have twice as many.
    """
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(2 * width),
        nn.ReLU(),
        nn.Conv2d(2 * width, 2 * width, 3, padding=1, bias=False),
        nn.BatchNorm2d(2 * width),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(2 * width, 10),
    )


ARCHITECTURES: tuple[Architecture, ...] = (
    Architecture("mlp-relu", "MLP, ReLU", perceptron(nn.ReLU, 3), 256, 4, False, TrainingPlan(epochs=30, rate=3e-3, decay=1.0)),
    Architecture("mlp-tanh", "MLP, tanh", perceptron(nn.Tanh, 3), 256, 4, False, TrainingPlan(epochs=30, rate=3e-3, decay=1.0)),
    Architecture("cnn-bn", "CNN, BatchNorm", convolutional, 32, 2, True, TrainingPlan(epochs=14, rate=4e-3, decay=1.0)),
)
