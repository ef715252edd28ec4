"""What is done to a network before it is trained, and how many parameters that leaves."""

import pytest
import torch

from parasym.breaking import frozen_tensors, trainable_count
from parasym.core import BadInputError
from parasym.data import Images, block_model, normalised
from parasym.find import find
from parasym.groups import Permutation
from parasym.studies.paper_network import NETWORKS, Data, OnGraph, augmentation, examples, network_named, to_device
from parasym.studies.variant import VARIANTS, variant_named, width_of_as_many


def images(channels: int = 1, size: int = 28, name: str = "mnist5k") -> Images:
    x, y = torch.rand(4, channels, size, size, generator=torch.Generator().manual_seed(0)), torch.arange(4)
    return normalised(name, x, y, x, y)


@pytest.mark.parametrize(
    ("network", "data", "counts"),
    [
        ("mlp", images(), (935434, 834570)),
        ("resnet20", images(3, 32), (272474, 230026)),
        ("resnet8", images(3, 32), (78042, 60634)),
    ],
)
@pytest.mark.filterwarnings("ignore:.*is frozen as a whole")
def test_counts_of_the_paper(network: str, data: Images, counts: tuple[int, int]):
    found = [trainable_count(variant_named(v).make(network_named(network), data, 1.0, 0)) for v in ("standard", "w")]
    assert tuple(found) == counts


@pytest.mark.parametrize("name", ["mlp", "resnet20"])
def test_other_inputs_and_widths_freeze_the_same_parts(name: str):
    network, data = network_named(name), images(1, 8)
    plain, w = (trainable_count(variant_named(v).make(network, data, 0.5, 0)) for v in ("standard", "w"))
    assert 0.75 < w / plain < 0.93


def test_as_many_has_about_as_many():
    network, data = network_named("mlp"), images()
    wanted = trainable_count(variant_named("w").make(network, data, 1.0, 3))
    found = trainable_count(variant_named("as-many").make(network, data, 1.0, 3))
    assert found == pytest.approx(wanted, rel=2e-3)
    assert 0.9 < width_of_as_many(network, data, 1.0, seed=3) < 0.95
    assert trainable_count(variant_named("half").make(network, data, 1.0, 3)) < 0.6 * wanted


def test_the_symmetry_is_there_and_gone():
    network, data = network_named("mlp"), images(1, 8)
    orders = {
        v: find(variant_named(v).make(network, data, 1 / 64, 0), (data.train_images[:2],)).order
        for v in ("standard", "w", "sigma")
    }
    # LayerNorm keeps a common sign of a layer and of its gain: FiGLU comes after it, so three of those are left.
    assert orders == {"standard": 8 * 40320**3, "w": 1, "sigma": 8}


def test_what_is_fixed_comes_from_the_seed_and_not_from_the_initial_weights():
    network, data = network_named("mlp"), images(1, 8)

    def frozen(seed: int, initial: int) -> torch.Tensor:
        torch.manual_seed(initial)
        model = variant_named("w").make(network, data, 1 / 64, seed)
        return torch.cat([entries.frozen.flatten() for *_, entries in frozen_tensors(model)])

    assert torch.equal(frozen(0, 1), frozen(0, 2))
    assert not torch.equal(frozen(0, 1), frozen(1, 1))


def made(name: str, network: str, data: Data, initial: int, seed: int = 3, width: float = 1 / 16) -> torch.nn.Module:
    torch.manual_seed(initial)
    return network_named(network).on(variant_named(name).make(network_named(network), data, width, seed), data).eval()


ON = {
    "mlp": images(1, 8),
    "small-mlp": images(1, 8),
    "resnet8": images(1, 8),
    "resnet20": images(1, 8),
    "graph": block_model(nodes=80),
}


@pytest.mark.parametrize("network", ON)
def test_an_anchored_network_starts_as_the_w_asymmetric_one_and_trains_all_of_it(network: str):
    data, width = ON[network], 0.5
    w, anchor = (made(name, network, data, 7, width=width) for name in ("w", "anchor"))
    x = examples(data)[0][:4]
    assert torch.equal(anchor(x), w(x))
    plain = made("standard", network, data, 7, width=width)
    assert {n: p.shape for n, p in anchor.named_parameters()} == {n: p.shape for n, p in plain.named_parameters()}
    assert list(frozen_tensors(anchor)) == []
    assert trainable_count(anchor) == trainable_count(plain) > trainable_count(w)
    assert not torch.equal(anchor(x), plain(x))
    before = {n: p.detach().clone() for n, p in anchor.named_parameters()}
    optimizer = torch.optim.SGD(anchor.parameters(), lr=0.1, weight_decay=0.1)
    anchor(x).logsumexp(1).sum().backward()
    optimizer.step()
    for name, *_, entries in frozen_tensors(w):
        was, now = before[name], anchor.get_parameter(name)
        constant = ~entries.mask
        assert bool((was[constant] == entries.frozen[constant]).all())
        assert bool((now[constant] != was[constant])[entries.frozen[constant] != 0].all())


def test_two_anchored_networks_share_the_constants_and_nothing_else():
    a, b = (made("anchor", "mlp", ON["mlp"], initial) for initial in (1, 2))
    for name, *_, entries in frozen_tensors(made("w", "mlp", ON["mlp"], 1)):
        same = a.get_parameter(name) == b.get_parameter(name)
        assert torch.equal(same, ~entries.mask)


def test_a_shared_start_comes_from_the_pair_alone():
    a, b = (dict(made("shared-start", "mlp", ON["mlp"], initial).named_parameters()) for initial in (1, 2))
    assert all(torch.equal(a[n], b[n]) for n in a)
    other = dict(made("shared-start", "mlp", ON["mlp"], 1, seed=4).named_parameters())
    assert not torch.equal(a["linears.0.weight"], other["linears.0.weight"])
    plain = dict(made("standard", "mlp", ON["mlp"], 1).named_parameters())
    assert a["linears.0.weight"].std().item() == pytest.approx(plain["linears.0.weight"].std().item(), rel=0.1)


@pytest.mark.parametrize("network", ON)
@pytest.mark.parametrize(("name", "scale"), [("w-zero", 0.0), ("w-0.1", 0.1), ("w-0.3", 0.3), ("w-3", 3.0)])
def test_constants_of_other_sizes_are_at_the_same_places(network: str, name: str, scale: float):
    w, other = ({n: e for n, *_, e in frozen_tensors(made(v, network, ON[network], 7, width=0.5))} for v in ("w", name))
    assert list(w) == list(other)
    for key, entries in other.items():
        assert torch.equal(entries.mask, w[key].mask)
        assert w[key].frozen.abs().max() > 0
        torch.testing.assert_close(entries.frozen, scale * w[key].frozen, rtol=2**-7, atol=0)


def test_the_theorem_holds_without_constants_of_any_size():
    data = images(1, 8)
    model = made("w-zero", "mlp", data, 0, width=1 / 64)
    permutations = find(model, (data.train_images[:2],)).only(Permutation)
    assert permutations.order == 1
    assert find(made("anchor", "mlp", data, 0, width=1 / 64), (data.train_images[:2],)).only(Permutation).order == 40320**3


@pytest.mark.filterwarnings("ignore:.*is frozen as a whole")
def test_a_layer_that_would_be_zero_as_a_whole_is_refused():
    with pytest.raises(BadInputError, match="`stem` would be frozen at zero as a whole"):
        variant_named("w-zero").make(network_named("resnet8"), images(3, 32), 1.0, 0)


def test_he_normal_changes_the_scale_of_the_initial_weights():
    network, data = network_named("resnet8"), images(3, 8)
    torch.manual_seed(0)
    plain, he = (variant_named(v).make(network, data, 1.0, 0) for v in ("standard", "kaiming"))
    ratio = he.get_parameter("stem.weight").std() / plain.get_parameter("stem.weight").std()
    assert float(ratio.detach()) == pytest.approx(6**0.5, rel=0.15)


def test_a_graph_network_is_a_function_of_nodes():
    graph = block_model(nodes=80)
    network = network_named("graph")
    model = network.on(network.build(graph, 1 / 16), graph).eval()
    assert isinstance(model, OnGraph)
    x, y, _, _ = examples(graph)
    whole = model.net(graph.x, graph.edges)
    torch.testing.assert_close(model(x), whole[x])
    assert len(y) == 40
    found = find(model, (x[:4],))
    assert sorted(f.wire.size for f in found.factors if type(f.group).__name__ == "Permutation") == [16, 16, 16]
    assert to_device(graph, "cpu").fingerprint == graph.fingerprint


def test_only_cifar_is_augmented():
    assert augmentation(network_named("resnet20"), images(3, 32, "cifar10")) is not None
    assert augmentation(network_named("resnet20"), images(1, 8, "digits")) is None
    assert augmentation(network_named("mlp"), images(3, 32, "cifar10")) is None


def test_a_network_on_the_wrong_kind_of_data_says_so():
    with pytest.raises(BadInputError, match="takes images, but data `blocks` is a graph"):
        network_named("mlp").build(block_model(nodes=80), 1.0)
    with pytest.raises(BadInputError, match="takes a graph, but data `mnist5k` is images"):
        network_named("graph").build(images(), 1.0)


def test_unknown_names_list_the_known_ones():
    with pytest.raises(BadInputError, match="Known are mlp, small-mlp, resnet20"):
        network_named("vgg")
    with pytest.raises(BadInputError, match="Known are standard, sigma, w"):
        variant_named("syre")


def test_names_are_unique():
    assert len({n.name for n in NETWORKS}) == len(NETWORKS)
    assert len({v.name for v in VARIANTS}) == len(VARIANTS)
