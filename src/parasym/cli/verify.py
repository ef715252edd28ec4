"""`parasym verify`: whether a symmetry is true, and all of it."""

import json
from typing import Annotated, Literal

import torch
import typer

from parasym.circuits.source import is_circuit
from parasym.cli.circuit import CircuitSubject, NoiseOption, circuit_subject, find_in_circuit, parse_noise
from parasym.cli.data import DataOption, ensure_one
from parasym.cli.options import (
    InputOption,
    JsonOption,
    ModelArgument,
    ParamsOption,
    SeedOption,
    SymmetryOption,
    TrainOption,
    TrustOption,
    UntieOption,
)
from parasym.cli.outcome import Outcome, execute
from parasym.cli.parameters import read_fitted, read_symmetry, read_told
from parasym.cli.progress import working
from parasym.cli.screen import tell
from parasym.cli.subject import Subject, blaming_inputs, ensure_values, find_symmetry, load, load_subject
from parasym.core import BadInputError, Params
from parasym.report import report_tables
from parasym.symmetry import Symmetry
from parasym.verify import verify as prove

Dtype = Literal["float64", "float32"]


def verify(
    model: ModelArgument,
    inputs: InputOption = None,
    data: DataOption = None,
    symmetry: SymmetryOption = None,
    params: ParamsOption = None,
    noise: NoiseOption = None,
    samples: Annotated[int, typer.Option("--samples", min=1, help="At how many points elements are tried.")] = 3,
    dtype: Annotated[Dtype, typer.Option("--dtype", help="Precision of the proof.")] = "float64",
    complete: Annotated[bool, typer.Option("--complete/--no-complete", help="Count the continuous directions too.")] = True,
    untie: UntieOption = False,
    train: TrainOption = False,
    trust: TrustOption = False,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Verify a symmetry: sample elements, act, compare outputs, and count what is left unexplained.

    Example:
        parasym verify net.py:build --input 8x3x32x32 --symmetry symmetry.json --params a.safetensors
    """

    def job() -> Outcome:
        ensure_one(inputs or [], data)
        loaded = load(model, trust=trust, inputs=bool(inputs or data))
        if is_circuit(loaded.model):
            circuit = circuit_subject(loaded, model, inputs or [], noise or [], data=data, seed=seed)
            claim = find_in_circuit(circuit) if symmetry is None else read_symmetry(symmetry)
            if dtype != "float64":
                raise BadInputError(f"Circuits are verified in float64 only, but --dtype is {dtype}.")
            return _verify_circuit(circuit, claim, None if params is None else read_told(params).params, samples, complete, seed)
        if parse_noise(noise or []) is not None:
            raise BadInputError(f"Option --noise is for circuits, but `{model}` is a {type(loaded.model).__name__}.")
        subject = load_subject(model, inputs or [], data=data, seed=seed, train=train, loaded=loaded)
        tell(subject.notes)
        ensure_values(subject)
        given = None if params is None else read_fitted([params], subject.model, untie=untie)[0].params
        found = find_symmetry(subject) if symmetry is None else read_symmetry(symmetry)
        return _verify(subject, found, given, samples, getattr(torch, dtype), complete, seed)

    execute(job, as_json=as_json)


def _verify_circuit(
    subject: CircuitSubject, symmetry: Symmetry, params: Params | None, samples: int, complete: bool, seed: int
) -> Outcome:
    with working("Verifying"):
        report = prove(
            subject.model,
            symmetry,
            subject.call.args,
            subject.call.kwargs,
            params=params,
            samples=samples,
            generator=torch.Generator().manual_seed(seed),
            complete=complete,
            noise=subject.noise,
        )
    return Outcome(report.holds, json.loads(report.to_json()), report_tables(report))


def _verify(
    subject: Subject,
    symmetry: Symmetry,
    params: Params | None,
    samples: int,
    dtype: torch.dtype,
    complete: bool,
    seed: int,
) -> Outcome:
    model = subject.model if subject.program is None else subject.program
    with working("Verifying"), blaming_inputs(subject):
        report = prove(
            model,
            symmetry,
            subject.call,
            params=params,
            samples=samples,
            generator=torch.Generator().manual_seed(seed),
            dtype=dtype,
            complete=complete,
        )
    return Outcome(report.holds, json.loads(report.to_json()), report_tables(report))
