"""`parasym hop`: from a point to a better one of its orbit, and what hopping is worth."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from torch import Tensor

from parasym.checkpoint import atomic_write, ensure_writable, write_checkpoint
from parasym.circuits import Circuit, CircuitCost, Transfer, transfer
from parasym.circuits.execute import pack, unpack
from parasym.circuits.shots import checked_shots
from parasym.circuits.source import foreign_kind, is_circuit
from parasym.cli.circuit import CircuitSubject, NoiseOption, circuit_subject
from parasym.cli.options import ForceOption, InputOption, JsonOption, ModelArgument, ParamsOption, SeedOption
from parasym.cli.outcome import Outcome, execute
from parasym.cli.parameters import read_told
from parasym.cli.progress import working
from parasym.cli.subject import load
from parasym.core import BadInputError, child_generator
from parasym.hopping import SELECTORS, AbstractSelector, NoisyOrbit, OrbitPoints, WalshDecode, noisy_orbit
from parasym.hopping import hop as make_hop
from parasym.hopping.random_elements import all_coordinates, draw
from parasym.report import HopResult, hop_page, hop_table, render_page, rich_table, runs_table
from parasym.studies import AdamRun

METHODS: Mapping[str, str] = {"no hops": "none", "Walsh decode": "decode", "random restarts": "restarts"}
MOST_POINTS = 4096


def hop(
    model: ModelArgument,
    inputs: InputOption = None,
    params: ParamsOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the new parameters to this safetensors file.")
    ] = None,
    report: Annotated[Path | None, typer.Option("--report", help="Write an HTML page with histogram and curves here.")] = None,
    noise: NoiseOption = None,
    selector: Annotated[
        str, typer.Option("--selector", help=f"How a better point is looked for: {', '.join(SELECTORS)}.")
    ] = "walsh",
    shots: Annotated[int | None, typer.Option("--shots", help="Shots per Pauli word; exact values if left out.")] = None,
    starts: Annotated[
        int,
        typer.Option("--starts", min=0, help="Also optimize from so many random starts, with and without hops, on one budget."),
    ] = 0,
    steps: Annotated[int, typer.Option("--steps", min=3, help="The budget of those, in gradients.")] = 90,
    seed: SeedOption = 0,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Hop to a better one of the points that are equivalent without noise. Exit code 0: a better one was found, 1: none was.

    Example:
        parasym hop circuit.py:qnode --noise depolarizing:0.01 --shots 1000 --report hop.html
    """

    def job() -> Outcome:
        checked_shots(shots)
        if selector not in SELECTORS:
            raise BadInputError(f"Selector `{selector}` is unknown. Known are {', '.join(SELECTORS)}.")
        for path in (output, report):
            if path is not None:
                ensure_writable(path, force=force)
        loaded = load(model)
        if not is_circuit(loaded.model):
            raise BadInputError(f"Model `{model}` must be a circuit to hop, but is a {type(loaded.model).__name__}.")
        subject = circuit_subject(loaded, model, inputs or [], noise or [], seed=seed)
        with working("Finding the symmetry"):
            orbit = noisy_orbit(subject.model, subject.call.args, subject.call.kwargs, noise=subject.noise)
            simulator = transfer(orbit.circuit)
        theta = _start(subject, orbit.circuit, params, seed)
        with working("Hopping"):
            found = _found(subject.spec, orbit, simulator, theta, selector, shots, starts, steps, seed)
        shown: list[Any] = [rich_table(hop_table(found)), *([rich_table(runs_table(found))] if found.runs else [])]
        if output is not None:
            write_checkpoint(output, unpack(orbit.circuit, found.made.angles), force=force)
            shown.append(f"Parameters: {output}")
        if report is not None:
            html = render_page(hop_page(found, command=f"parasym hop {shlex.quote(model)}"))
            atomic_write(report, lambda file: file.write_text(html, encoding="utf-8"), force=force)
            shown.append(f"Page: {report}")
        return Outcome("yes" if found.made.moved else "no", _data(found), tuple(shown))

    execute(job, as_json=as_json)


def _start(subject: CircuitSubject, circuit: Circuit, params: Path | None, seed: int) -> Tensor:
    """Return the angles to start from: those of a file, or the example arguments of a QNode, or random ones."""
    if params is not None:
        return pack(circuit, read_told(params).params)
    if foreign_kind(subject.model) == "QNode":
        from parasym.circuits.from_pennylane import bind_call

        values = bind_call(subject.model, subject.call.args, dict(subject.call.kwargs)).values
        return torch.cat([torch.as_tensor(np.asarray(values[name], dtype=float)).reshape(-1) for name, _ in circuit.tensors])
    return 2 * torch.pi * torch.rand(circuit.num_parameters, generator=child_generator(seed, "start"), dtype=torch.float64)


def _found(
    name: str,
    orbit: NoisyOrbit,
    simulator: Transfer,
    theta: Tensor,
    selector: str,
    shots: int | None,
    starts: int,
    steps: int,
    seed: int,
) -> HopResult:
    made = make_hop(
        orbit.symmetry,
        CircuitCost(simulator, shots=shots, generator=child_generator(seed, "shots")),
        theta,
        selector=_selector(selector, orbit),
        cosets=orbit.cosets,
        generator=child_generator(seed, "hop"),
    )
    points = OrbitPoints(orbit.symmetry, lambda _: 0.0, theta)
    everything = 2**points.rank <= MOST_POINTS
    coordinates = (
        all_coordinates(points.rank) if everything else draw(MOST_POINTS, points.rank, generator=child_generator(seed, "orbit"))
    )
    costs = simulator.cost(points.at(coordinates)).numpy()
    runs, circuits = {}, {}
    if starts:
        if orbit.circuit.frozen:
            raise BadInputError(
                "Option --starts draws all parameters at random, but this circuit has data among them: leave it out."
            )
        run = AdamRun(simulator, orbit, shots=shots, first=seed, count=starts, steps=steps, blocks=3, rate=0.1)
        for title, method in METHODS.items():
            outcomes = run.run(method)
            runs[title] = np.array([outcome.curve for outcome in outcomes])
            circuits[title] = float(np.mean([outcome.circuits for outcome in outcomes]))
    how = "exact values" if shots is None else f"{shots} shots per Pauli word"
    note = f"Adam, rate 0.1, {how}; a budget of {steps} gradients by the shift rule, hops or restarts after each third."
    return HopResult(name, orbit, made, costs, runs, circuits, note)


def _selector(name: str, orbit: NoisyOrbit) -> AbstractSelector:
    return orbit.decode if SELECTORS[name] is WalshDecode else SELECTORS[name]()


def _data(found: HopResult) -> dict[str, Any]:
    made = found.made
    return {
        "order": found.orbit.symmetry.order,
        "surviving": found.orbit.surviving.order,
        "cosets": found.orbit.cosets.order,
        "before": made.before,
        "after": made.after,
        "moved": made.moved,
        "evaluations": made.evaluations,
        "angles": made.angles.tolist(),
        "spread": float(found.costs.max() - found.costs.min()),
        "ends": {name: values[:, -1].tolist() for name, values in found.runs.items()},
    }
