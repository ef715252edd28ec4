"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

_MODEL_HELP = "package.module:factory or file.py:factory (Python, which is run), or file.pt2 (read as data)."
ModelArgument = Annotated[str, typer.Argument(help=_MODEL_HELP)]
ModelOption = Annotated[str, typer.Option("--model", "-m", help=_MODEL_HELP)]
TrustOption = Annotated[bool, typer.Option("--trust", help="Let torch.export load a .pt2, which runs code that the file holds.")]
InputOption = Annotated[
    list[str] | None,
    typer.Option(
        "--input", "-i", help="Shape of an argument: 1x3x224x224, 1x16:int64<1000 for tokens, mask=1x16:bool by name. Repeatable."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else.")]
SeedOption = Annotated[int, typer.Option("--seed", help="Seed of everything random.")]
TrainOption = Annotated[bool, typer.Option("--train-mode", help="Look at the model in training mode (batch statistics).")]
UntieOption = Annotated[
    bool,
    typer.Option("--untie", help="Where names that the model ties differ in a file, go on with a model in which they are two."),
]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace an output that exists.")]
ParamsOption = Annotated[
    Path | None,
    typer.Option(
        "--params",
        "-p",
        help="Checkpoint with the parameters: safetensors, a file of torch.save, or a folder of several. No code in it runs.",
    ),
]
SymmetryOption = Annotated[
    Path | None, typer.Option("--symmetry", "-s", help="A symmetry written by `parasym find -o`; found anew if left out.")
]
