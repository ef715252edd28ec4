"""PennyLane's and torch's optimizers with hops: memory is carried, all is counted, and hopping stops when it does not pay."""

import numpy as np
import pytest
import torch

from parasym.circuits import amplitude_damping, depolarizing, transfer
from parasym.core import BadInputError, ShapeError
from parasym.hopping import HoppingOptimizer, RandomElements, hop_parameters_, noisy_orbit
from parasym.hopping.pennylane_optimizer import carry
from tests.hopping.noisy_circuits import after_gates, angles, bare, orbit, trained
from tests.needs import needs

qml = needs("pennylane")
pnp = needs("pennylane.numpy")


def node(gamma: float = 0.1, shots: int | None = None, channel=None, interface: str = "auto"):
    device = qml.device("default.mixed", wires=2, seed=0)

    @qml.qnode(device, interface=interface)
    def energy(x):
        for layer in range(3):
            for q in range(2):
                qml.RY(x[2 * layer + q], wires=q)
            if layer < 2:
                qml.CNOT(wires=[0, 1])
                for q in range(2):
                    (channel or qml.AmplitudeDamping)(gamma, wires=q)
        return qml.expval(qml.PauliZ(0) @ qml.PauliZ(1) + qml.PauliX(0) + qml.PauliX(1))

    return qml.set_shots(energy, shots) if shots else energy


def start():
    return pnp.array([0.9, -0.4, 2.0, 0.3, -1.1, 0.7], requires_grad=True)


@pytest.mark.parametrize("name", ["GradientDescentOptimizer", "AdamOptimizer", "NesterovMomentumOptimizer"])
def test_every_optimizer_steps_and_hops(name):
    energy, x = node(), start()
    found = noisy_orbit(energy, (x,))
    plain, y = getattr(qml, name)(0.1), start()
    optimizer = HoppingOptimizer(getattr(qml, name)(0.1), found, every=5)
    for _ in range(4):
        x, y = optimizer.step(energy, x), plain.step(energy, y)
    assert np.array_equal(x, y), "before the first hop nothing differs"
    for _ in range(4):
        x, value = optimizer.step_and_cost(energy, x)
    assert optimizer.steps == 8
    assert len(optimizer.history) == 1
    assert optimizer.circuits >= 8 + optimizer.history[0].evaluations
    assert np.isfinite(value)
    assert x.requires_grad
    assert optimizer.stepsize == 0.1


def test_a_hop_carries_the_momentum():
    energy, x = node(), start()
    optimizer = HoppingOptimizer(qml.MomentumOptimizer(0.1, momentum=0.9), noisy_orbit(energy, (x,)), every=3)
    for _ in range(3):
        x = optimizer.step(energy, x)
    old = np.array(optimizer.accumulation[0])
    x = optimizer.step(energy, x)
    (made,) = optimizer.history
    assert made.moved
    assert (made.signs == -1).any()
    there = pnp.array(made.angles.numpy(), requires_grad=True)
    assert np.allclose(x, there - 0.1 * qml.grad(energy)(there) - 0.9 * made.signs.numpy() * old, atol=1e-12)


def test_options_of_the_optimizer_do_not_reach_the_objective():
    energy, x = node(), start()
    optimizer = HoppingOptimizer(qml.RotosolveOptimizer(), noisy_orbit(energy, (x,)), every=1)
    for _ in range(2):
        x = optimizer.step(energy, x, nums_frequency={"x": {(k,): 1 for k in range(6)}})
    assert len(optimizer.history) == 1
    seen = []

    def objective(x, scale):
        seen.append(scale)
        return scale * energy(x)

    optimizer = HoppingOptimizer(qml.GradientDescentOptimizer(0.1), noisy_orbit(energy, (start(),)), every=1)
    for _ in range(2):
        optimizer.step(objective, start(), scale=2.0)
    assert len(optimizer.history) == 1
    assert set(seen) == {2.0}


def test_it_stops_when_a_hop_finds_nothing():
    energy, x = node(0.1, channel=qml.DepolarizingChannel), start()
    optimizer = HoppingOptimizer(qml.GradientDescentOptimizer(0.1), noisy_orbit(energy, (x,)), every=1)
    for _ in range(5):
        x = optimizer.step(energy, x)
    assert len(optimizer.history) == 1
    assert not optimizer.hopping


def test_shots_are_counted():
    energy, x = node(shots=50), start()
    optimizer = HoppingOptimizer(
        qml.GradientDescentOptimizer(0.1), noisy_orbit(energy, (x,)), selector=RandomElements(4), every=1
    )
    for _ in range(2):
        x = optimizer.step(energy, x)
    assert optimizer.circuits > 2 * 12
    assert optimizer.shots == 50 * optimizer.circuits
    assert optimizer.history[0].evaluations >= 1 + 4 + 6


def test_two_arguments_and_data_that_does_not_move():
    @qml.qnode(qml.device("default.mixed", wires=2))
    def energy(a, data, b):
        qml.RY(data, wires=0)
        for w in (a, b):
            qml.RY(w[0], wires=0)
            qml.RY(w[1], wires=1)
            qml.CNOT(wires=[0, 1])
            qml.AmplitudeDamping(0.2, wires=1)
        return qml.expval(qml.PauliZ(1))

    a, b = pnp.array([0.8, -1.4], requires_grad=True), pnp.array([-2.8, -2.9], requires_grad=True)
    data = pnp.array(0.4, requires_grad=False)
    optimizer = HoppingOptimizer(qml.AdamOptimizer(0.1), noisy_orbit(energy, (a, data, b)), every=1)
    for _ in range(3):
        a, data, b = optimizer.step(energy, a, data, b)
    assert data == 0.4
    assert any(made.moved for made in optimizer.history)


def test_momenta_change_sign_and_squares_stay():
    adam, signs = qml.AdamOptimizer(0.1), {0: torch.tensor([1.0, -1.0])}
    adam.accumulation = {"fm": [np.array([2.0, 3.0])], "sm": [np.array([4.0, 9.0])], "t": 1}
    carry(adam, 1, signs)
    assert adam.fm[0].tolist() == [2.0, -3.0], "planted fault: a forgotten sign would leave 3"
    assert adam.sm[0].tolist() == [4.0, 9.0]
    momentum = qml.NesterovMomentumOptimizer(0.1)
    momentum.accumulation = [np.array([2.0, 3.0])]
    carry(momentum, 1, signs)
    assert momentum.accumulation[0].tolist() == [2.0, -3.0]
    squares = qml.RMSPropOptimizer(0.1)
    squares.accumulation = [np.array([2.0, 3.0])]
    carry(squares, 1, signs)
    assert squares.accumulation[0].tolist() == [2.0, 3.0]


def test_a_memory_that_is_not_known_is_reset():
    class Hoarder(qml.GradientDescentOptimizer):
        accumulation = "all there was"

        def reset(self):
            self.accumulation = None

    hoarder = Hoarder(0.1)
    carry(hoarder, 1, {0: torch.tensor([1.0, -1.0])})
    assert hoarder.accumulation is None


def test_bad_input():
    energy, x = node(), start()
    found = noisy_orbit(energy, (x,))
    with pytest.raises(BadInputError, match="`step` and `step_and_cost`"):
        HoppingOptimizer(object(), found)
    with pytest.raises(BadInputError, match="at least 1"):
        HoppingOptimizer(qml.AdamOptimizer(), found, every=0)
    optimizer = HoppingOptimizer(qml.AdamOptimizer(), noisy_orbit(node(), (x,)), every=1)
    optimizer.steps = 1
    with pytest.raises(BadInputError, match="must be trainable"):
        optimizer.step(energy, pnp.array(x, requires_grad=False))
    with pytest.raises(ShapeError, match="must have the shapes"):
        hop_parameters_(found, energy, [torch.zeros(2)])


def test_a_depolarized_adam_of_torch_goes_the_same_way_after_any_element():
    """Where noise preserves the symmetry the path after a hop is the image of the path without: only if momenta are carried."""
    clean = transfer(bare())
    found = orbit()

    def path(hop_at: int | None, carried: bool = True):
        x = angles(12).requires_grad_(True)
        optimizer = torch.optim.Adam([x], lr=0.1)
        for step in range(20):
            if step == hop_at:
                # A cost that prefers some other point: only the element is of interest here.
                made = hop_parameters_(
                    found,
                    transfer(found.circuit).cost,
                    [x],
                    optimizer=optimizer if carried else None,
                    generator=torch.Generator().manual_seed(0),
                )
                assert made.moved
            optimizer.zero_grad()
            clean.cost(x).backward()
            optimizer.step()
        return float(clean.cost(x).detach())

    assert path(10) == pytest.approx(path(None), abs=1e-10)
    assert abs(path(10, carried=False) - path(None)) > 1e-4, "planted fault: momentum signs forgotten"


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam, torch.optim.RMSprop, torch.optim.Adagrad, torch.optim.NAdam])
def test_state_of_torch_optimizers(kind):
    found, x = orbit(), trained().clone().requires_grad_(True)
    options = {"lr": 0.01} | ({"momentum": 0.9} if kind in {torch.optim.SGD, torch.optim.RMSprop} else {})
    optimizer = kind([x], **options)
    transfer(found.circuit).cost(x).backward()
    optimizer.step()
    before = {k: v.clone() for k, v in optimizer.state[x].items() if isinstance(v, torch.Tensor)}
    made = hop_parameters_(
        found, transfer(found.circuit).cost, [x], optimizer=optimizer, generator=torch.Generator().manual_seed(0)
    )
    assert made.moved
    assert torch.equal(x.detach(), made.angles)
    for name, value in before.items():
        wanted = value * made.signs if name in {"momentum_buffer", "exp_avg"} else value
        assert torch.equal(optimizer.state[x][name], wanted), name


def test_state_that_is_not_understood_is_refused():
    found, x = orbit(), trained().clone().requires_grad_(True)
    optimizer = torch.optim.LBFGS([x], max_iter=2)

    def closure():
        optimizer.zero_grad()
        loss = transfer(found.circuit).cost(x)
        loss.backward()
        return loss

    optimizer.step(closure)
    with pytest.raises(BadInputError, match="LBFGS remembers"):
        hop_parameters_(found, transfer(found.circuit).cost, [x], optimizer=optimizer)


def test_qnode_with_the_torch_interface():
    energy = node(interface="torch")
    x = torch.tensor(start().tolist(), dtype=torch.float64, requires_grad=True)
    made = hop_parameters_(noisy_orbit(energy, (x,)), energy, [x], generator=torch.Generator().manual_seed(0))
    assert made.after < made.before
    assert float(energy(x).detach()) == pytest.approx(made.after, abs=1e-10)


def test_noise_given_as_a_model_for_a_circuit_without_channels():
    found = noisy_orbit(bare(3, 2), noise=after_gates(amplitude_damping(0.1, 0)))
    assert found.cosets.order > 1
    assert noisy_orbit(bare(3, 2), noise=after_gates(depolarizing(0.1, 0))).cosets.order == 1
