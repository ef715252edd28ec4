"""The study of minima hopping: its records, budgets, claims, and what the claims would say of a fault."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from parasym.circuits import CircuitCost, find_circuit, transfer
from parasym.core import BadInputError, child_generator
from parasym.hopping import OrbitPoints
from parasym.report import study_figure
from parasym.studies.harness import run_task
from parasym.studies.symh import ADAM, LBFGS, SYMH, SymhSettings, run_symh, symh_tasks
from parasym.studies.symh_adam import AdamRun
from parasym.studies.symh_circuit import Problem, degenerate_circuit, random_starts
from parasym.studies.symh_descent import BudgetSpentError, Meter, descend
from parasym.studies.symh_summary import summarize_symh


def tiny(index: int):
    return symh_tasks(SYMH.presets["tiny"][index])[0]


@pytest.fixture(scope="module")
def rows():
    return [run_task(SYMH, tiny(k), {}) for k in range(3)]


def test_a_task_gives_the_same_records_again(rows):
    again = run_symh(tiny(2), None, "cpu")
    assert [r["excess"] for r in again] == [r["excess"] for r in rows[2].records]
    assert rows[2].data == ""


def test_every_method_stays_within_the_budget(rows):
    for row, methods in ((rows[1], ADAM), (rows[2], LBFGS)):
        assert {r["method"] for r in row.records} == set(methods)
        task = row.task
        budget = task["steps"] * 2 * task["qubits"] * (task["layers"] + 1)
        slack = 1 + 60 if task["optimizer"] == "adam" else 0  # the last comparison of a hop or restart is finished
        assert all(0 < r["circuits"] <= budget + slack for r in row.records)
        assert all(len(r["curve"]) == 31 for r in row.records)


def test_all_methods_start_alike_and_energies_are_above_the_ground(rows):
    starts = {}
    for r in rows[1].records:
        assert r["excess"] > 0
        starts.setdefault(r["seed"], set()).add(round(r["curve"][0], 9))
    assert all(len(values) == 1 for values in starts.values())


def test_one_level_under_pauli_noise_many_under_amplitude_damping(rows):
    levels = {r["method"]: r for r in rows[0].records}
    assert levels["without noise"]["order"] == 16
    assert levels["dephasing"]["levels"] == levels["depolarizing"]["levels"] == 1
    assert levels["amplitude damping"]["levels"] > 4


@pytest.mark.parametrize("layers", [2, 3, 4])
def test_the_degenerate_circuit_has_as_many_points_as_published(layers):
    assert find_circuit(degenerate_circuit(layers, 0)).order == 2 ** (4 * (layers - 1))


def test_the_claims_and_the_fault_they_would_catch(rows):
    summary = summarize_symh(rows)
    assert len(summary.parts) == 3
    degeneracy = summary.parts[0]
    assert {claim.verdict for claim in degeneracy.claims} == {"unsure"}, "one target settles nothing"
    many = [replace_record(r, seed=seed, spread=r["spread"] * (1 + seed / 100)) for r in rows[0].records for seed in range(20)]
    assert verdicts(rows[0], many) == {"dephasing": "yes", "depolarizing": "yes", "amplitude damping": "yes"}
    spread = [replace_record(r, spread=1e-3) if r["method"] == "dephasing" else r for r in many]
    assert verdicts(rows[0], spread)["dephasing"] == "no", "planted fault: dephasing that breaks"
    once = [replace_record(r, spread=1e-3) if (r["method"], r["seed"]) == ("dephasing", 7) else r for r in many]
    assert verdicts(rows[0], once)["dephasing"] == "unsure", "planted fault: one target that breaks"
    assert all(claim.ours is not None for part in summary.parts for claim in part.claims)
    for part in summary.parts:
        assert part.axis in study_figure(part, quantity="x").caption


def test_a_method_that_changes_nothing_is_not_said_to_help(rows):
    same = []
    by_seed = {r["seed"]: r for r in rows[1].records if r["method"] == "none"}
    for r in rows[1].records:
        same.append(r | {"excess": by_seed[r["seed"]]["excess"]})
    claims = summarize_symh([replace(rows[1], records=tuple(same))]).parts[0].claims
    assert {(claim.verdict, claim.reason) for claim in claims} == {("unsure", "no difference at all")}


def verdicts(row, records):
    part = summarize_symh([replace(row, records=tuple(records))]).parts[0]
    return {claim.a: claim.verdict for claim in part.claims}


def replace_record(record, **changes):
    return record | changes


def test_hops_carry_the_momentum(monkeypatch):
    """Without noise a scattered run must follow the image of the plain one; were the signs forgotten it would not."""
    problem = Problem("ising", 3, 2, "ry-cx", 0.05)
    orbit = problem.orbit()
    clean = transfer(find_clean(orbit.circuit))
    run = AdamRun(clean, orbit, shots=None, first=0, count=2, steps=18, blocks=3, rate=0.1)
    plain, scattered = run.run("none"), run.run("scatter")
    assert np.allclose([o.cost for o in plain], [o.cost for o in scattered], atol=1e-10)
    monkeypatch.setattr("parasym.hopping.points.OrbitPoints.signs", lambda self, c: torch.ones(len(c), len(self.angles)))
    assert not np.allclose([o.cost for o in plain], [o.cost for o in run.run("scatter")], atol=1e-4)


def test_steps_are_those_of_adam():
    problem = Problem("ising", 3, 2, "ry-cx", 0.05)
    orbit = problem.orbit()
    simulator = transfer(orbit.circuit)
    run = AdamRun(simulator, orbit, shots=None, first=0, count=2, steps=9, blocks=1, rate=0.1)
    run.run("none")
    theta = random_starts(2, simulator.circuit.num_parameters, seed=0, label="start")
    adam, cost = torch.optim.Adam([theta], lr=0.1), CircuitCost(simulator)
    for _ in range(9):
        theta.grad = cost.gradient(theta)
        adam.step()
    torch.testing.assert_close(run.theta, theta, rtol=0, atol=1e-12)


def test_a_meter_keeps_exact_costs_whatever_was_measured_and_spends_all_it_has():
    simulator = transfer(Problem("ising", 3, 2, "ry-cx", 0.05).orbit().circuit)
    x = random_starts(1, simulator.circuit.num_parameters, seed=0, label="start")[0]
    for shots in (10, None):
        meter = Meter(simulator, shots, 10_000, child_generator(0, "meter"))
        measured, ((_, exact),) = meter.value(x.numpy()), meter.seen
        assert exact == pytest.approx(float(simulator.cost(x)), abs=1e-12)
        assert (abs(measured - exact) > 1e-3) == (shots is not None)
    meter = Meter(simulator, None, meter.cost.per_gradient, child_generator(0, "meter"))
    meter.slope(x.numpy())
    for spend in (meter.slope, meter.value):
        with pytest.raises(BudgetSpentError):
            spend(x.numpy())


def test_restarts_go_on_until_the_budget_is_spent_and_a_plain_descent_ends():
    orbit = Problem("ising", 3, 2, "ry-cx", 0.05).orbit()
    simulator, budget = transfer(orbit.circuit), 3000
    plain, again = (descend(method, simulator, orbit, shots=None, seed=0, budget=budget) for method in ("none", "restarts"))
    assert plain.circuits < budget / 2
    assert budget - 1 - 2 * len(simulator.rotations) < again.circuits <= budget
    assert again.cost <= plain.cost


def test_hops_come_after_ten_iterations_if_not_later():
    orbit = Problem("ising", 3, 2, "ry-cx", 0.05).orbit()
    simulator = transfer(orbit.circuit)
    found = descend("scatter", simulator, orbit, shots=None, seed=0, budget=3000)
    meter = Meter(simulator, None, 3000, child_generator(0, "by hand"))
    start = random_starts(1, simulator.circuit.num_parameters, seed=0, label="start")[0].numpy()
    by_hand = minimize(meter.value, start, jac=meter.slope, method="L-BFGS-B", options={"maxiter": 10})
    points = OrbitPoints(orbit.cosets, lambda _: 0.0, torch.from_numpy(by_hand.x))
    chosen = torch.randint(2, (1, points.rank), generator=child_generator(0, "scatter"))
    minimize(meter.value, points.at(chosen)[0].numpy(), jac=meter.slope, method="L-BFGS-B")
    assert by_hand.nit == 10
    assert found.circuits == meter.cost.circuits
    assert meter.best is not None
    assert found.cost == pytest.approx(float(simulator.cost(meter.best[1])), abs=1e-12)


def find_clean(circuit):
    from parasym.circuits import without_noise

    return without_noise(circuit)


def test_shots_reach_the_optimizer(rows):
    exact, sampled = (run_symh(task, None, "cpu") for task in symh_tasks(SYMH.presets["tiny"][1]))
    assert all(a["excess"] != b["excess"] for a, b in zip(exact, sampled, strict=True))


def test_presets_name_real_tasks():
    for name, entries in SYMH.presets.items():
        tasks = [task for entry in entries for task in symh_tasks(entry)]
        assert len({str(asdict(task)) for task in tasks}) == len(tasks), name
        assert name == "tiny" or all(e.seeds >= 20 for e in entries)


def test_bad_settings():
    good = SymhSettings("ising-4-ry-cx", 2, (0.02,))
    for bad, words in (
        (replace(good, optimizer="sgd"), "adam, lbfgs"),
        (replace(good, seeds=0), "at least one seed"),
        (replace(good, shots=(-1,)), "at least 1, or 0"),
        (replace(good, architecture="xy-4-ry-cx"), "`xy` is unknown"),
    ):
        with pytest.raises(BadInputError, match=words):
            symh_tasks(bad)
