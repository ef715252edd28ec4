"""Draw the picture of the README: two minima of one model, and the segment between them before and after matching."""

from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from torch import Tensor

from parasym.groups import SignFlip

X = torch.linspace(-2, 2, 41, dtype=torch.float64)
TARGET = 1.5 * torch.tanh(1.2 * X)
A, B = torch.tensor([1.6, 1.2], dtype=torch.float64), torch.tensor([-0.9, -1.9], dtype=torch.float64)
RED, BLUE = "#c0392b", "#2471a3"


def loss(w: Tensor) -> Tensor:
    """Mean squared error of ``f(x) = w2 tanh(w1 x)`` at parameters of shape ``[..., 2]``."""
    return ((w[..., 1, None] * torch.tanh(w[..., 0, None] * X) - TARGET) ** 2).mean(-1)


def segment(a: Tensor, b: Tensor) -> Tensor:
    """Fifty points from ``a`` to ``b``."""
    t = torch.linspace(0, 1, 50, dtype=torch.float64)[:, None]
    return a + t * (b - a)


def draw_plane(ax: Axes, moved: Tensor) -> None:
    """The loss over the parameters, the two models, and the one that the group moves."""
    grid = torch.linspace(-2.6, 2.6, 80, dtype=torch.float64)
    w1, w2 = torch.meshgrid(grid, grid, indexing="xy")
    ax.contourf(w1, w2, loss(torch.stack((w1, w2), dim=-1)).log(), levels=12, cmap="Greys_r", alpha=0.6)
    ax.plot(*segment(A, B).T, color=RED, lw=2)
    ax.plot(*segment(A, moved).T, color=BLUE, lw=2)
    for point, name, shift in ((A, "a", (8, -12)), (B, "b", (-14, 6)), (moved, "g·b", (8, 4))):
        ax.plot(*point, "o", color="black", ms=6)
        ax.annotate(name, point.tolist(), xytext=shift, textcoords="offset points", fontsize=12)
    ax.set(xlabel="$w_1$", ylabel="$w_2$", title=r"$f(x) = w_2\,\tanh(w_1 x)$", aspect="equal")


def draw_segments(ax: Axes, moved: Tensor) -> None:
    """The loss along both segments."""
    t = torch.linspace(0, 1, 50)
    ax.plot(t, loss(segment(A, B)), color=RED, lw=2, label="from a to b")
    ax.plot(t, loss(segment(A, moved)), color=BLUE, lw=2, label="from a to g·b")
    ax.set(xlabel="position on the segment", ylabel="loss", title="same function, no barrier")
    ax.legend(frameon=False)
    ax.spines[["top", "right"]].set_visible(False)


def main() -> None:
    """Write ``orbit.svg`` beside this file, the same bytes every time."""
    mpl.use("Agg")
    mpl.rcParams.update({"svg.hashsalt": "parasym", "font.size": 10})
    group = SignFlip(1)
    g = torch.tensor([-1.0], dtype=torch.float64)
    moved = torch.cat((group.act(g, B[:1], 0), group.act(g, B[1:], 0, dual=True)))
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.6), layout="constrained")
    draw_plane(left, moved)
    draw_segments(right, moved)
    figure.savefig(Path(__file__).with_name("orbit.svg"), metadata={"Date": None})


if __name__ == "__main__":
    main()
