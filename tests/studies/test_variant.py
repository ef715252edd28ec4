"""What is done to a network before it is trained, and how many parameters that leaves."""

import pytest
import torch

from parasym.breaking import frozen_tensors, trainable_count
from parasym.core import BadInputError
from parasym.data import Images, block_model, normalised
from parasym.find import find
from parasym.studies.paper_network import NETWORKS, OnGraph, augmentation, examples, network_named, to_device
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
