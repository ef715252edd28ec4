"""Figures as self-contained SVG: interpolation curves, and weights before and after matching."""

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MplFigure
from matplotlib.text import Text
from matplotlib.ticker import PercentFormatter
from numpy.typing import ArrayLike

from parasym.core import one_line

INK, GRID = "#1f2933", "#e4e7eb"
WIDTH = 7.4
"""Of a figure, in inches."""

NAIVE, MATCHED = "#c2542d", "#1f5fa8"

STYLE: dict[Any, Any] = {
    "axes.edgecolor": "#9aa5b1",
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "figure.facecolor": "none",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "lines.linewidth": 2.0,
    "svg.fonttype": "path",
    "svg.hashsalt": "parasym",
    "text.color": INK,
    "text.parse_math": False,  # a name with dollars is a name
    "xtick.color": "#52606d",
    "ytick.color": "#52606d",
}


@dataclass(frozen=True)
class Figure:
    """A picture with its words.

    Attributes:
        svg: The picture.
        alt: What it shows, for those who cannot see it.
        caption: The sentence below.
        inline: Whether links in it should work on a page.
    """

    svg: str
    alt: str
    caption: str = ""
    inline: bool = False


@dataclass(frozen=True)
class Curve:
    """Many runs of one quantity along the same points.

    Attributes:
        name: For the legend.
        color: A hex color.
        points: Of shape ``[k]``.
        losses: Of shape ``[runs, k]``.
        accuracies: Of shape ``[runs, k]``.
        dashed: Whether to dash the line.
    """

    name: str
    color: str
    points: ArrayLike
    losses: ArrayLike
    accuracies: ArrayLike
    dashed: bool = False


def interpolation_figure(curves: Sequence[Curve], *, title: str, caption: str = "") -> Figure:
    """Return loss and accuracy along the segment between two networks, one line and band per curve.

    Lines are means over the runs; bands reach from the smallest to the largest run.

    Args:
        curves: What to draw; all on the same data.
        title: Named in the alternative text.
        caption: The sentence below.
    """
    with drawing(2.9) as (canvas, made):
        left, right = canvas.subplots(1, 2)
        for curve in curves:
            _band(left, curve, np.asarray(curve.losses))
            _band(right, curve, np.asarray(curve.accuracies))
        left.set_title("test loss")
        right.set_title("test accuracy")
        right.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        left.set_ylim(bottom=0)
        for axes in (left, right):
            axes.set_xlabel("share of network B")
            axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["A", "¼", "½", "¾", "B"])
            axes.set_xlim(0, 1)
        handles, names = left.get_legend_handles_labels()
        canvas.legend(handles, names, loc="outside upper left", ncols=len(curves), handlelength=2.2)
    middle = "; ".join(f"{c.name}: {_middle(c.losses):.3g} loss, {100 * _middle(c.accuracies):.1f} % accuracy" for c in curves)
    return Figure(
        made[0], f"{title}: loss and accuracy along the segment between two networks. At the midpoint, {middle}.", caption
    )


def fields_figure(rows: Sequence[tuple[str, np.ndarray]], *, alt: str, caption: str = "") -> Figure:
    """Return weights as small images: one row per network, one column per hidden unit.

    Args:
        rows: A label and images of shape ``[units, height, width]``; all on one color scale.
        alt: What the picture shows.
        caption: The sentence below.
    """
    limit = max(float(np.quantile(np.abs(images), 0.995)) for _, images in rows)
    count = len(rows[0][1])
    with drawing(WIDTH / (count + 3.2) * len(rows) + 0.1) as (canvas, made):
        grid = canvas.subplots(len(rows), count, squeeze=False)
        for line, (label, images) in zip(grid, rows, strict=True):
            for axes, image in zip(line, images, strict=True):
                axes.imshow(image, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
                axes.set_xticks([])
                axes.set_yticks([])  # and so no grid
                axes.spines[:].set_visible(False)
            line[0].set_ylabel(label, rotation=0, ha="right", va="center")
    return Figure(made[0], alt, caption)


def correlation_figure(panels: Sequence[tuple[str, np.ndarray]], *, alt: str, caption: str = "") -> Figure:
    """Return matrices of correlations between the units of two networks, side by side on one color scale.

    Args:
        panels: A title and a matrix with entries between -1 and 1.
        alt: What the picture shows.
        caption: The sentence below.
    """
    with drawing(3.5) as (canvas, made):
        axes = canvas.subplots(1, len(panels), squeeze=False)[0]
        picture = None
        for ax, (title, matrix) in zip(axes, panels, strict=True):
            picture = ax.imshow(matrix, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
            ax.set_title(title)
            ax.set_xlabel("unit of network B")
            ax.grid(visible=False)
        axes[0].set_ylabel("unit of network A")
        if picture is not None:
            canvas.colorbar(picture, ax=list(axes), shrink=0.8, label="correlation")
    return Figure(made[0], alt, caption)


def _band(axes: Axes, curve: Curve, values: np.ndarray) -> None:
    style = "--" if curve.dashed else "-"
    axes.plot(curve.points, values.mean(axis=0), style, color=curve.color, label=curve.name)
    axes.fill_between(curve.points, values.min(axis=0), values.max(axis=0), color=curve.color, alpha=0.13, linewidth=0)


def _middle(runs: ArrayLike) -> float:
    values = np.asarray(runs)
    return float(values[:, values.shape[1] // 2].mean())


@contextmanager
def drawing(
    height: float, width: float = WIDTH, *, letters: Literal["path", "none"] = "path"
) -> Iterator[tuple[MplFigure, list[str]]]:
    """Give a canvas in the house style, and a list to which its SVG is added when the body has ended.

    Args:
        height: In inches.
        width: In inches.
        letters: ``path`` to draw them, the same everywhere; ``none`` for text in the reader's font, which can be searched.

    Yields:
        The canvas, and the list.
    """
    made: list[str] = []
    # No pyplot: it keeps global state and a list of open figures.
    with mpl.rc_context({**STYLE, "svg.fonttype": letters}):
        canvas = MplFigure(figsize=(width, height), layout="constrained")
        yield canvas, made
        for text in canvas.findobj(Text):
            assert isinstance(text, Text)
            text.set_text("\n".join(map(one_line, text.get_text().split("\n"))))
        buffer = io.StringIO()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)  # drawn as a box
            canvas.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = buffer.getvalue()
    made.append(text[text.index("<svg") :])
