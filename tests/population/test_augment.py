"""Augmentation is decided per example, from the network's own generator."""

import torch
from torch.nn.functional import pad

from parasym.population import Chain, RandomCrop, RandomFlip, TrainingPlan, train_population
from parasym.population.augment import augment_all
from tests.population.networks import alone, convolutional, images

BOTH = Chain((RandomCrop(padding=2), RandomFlip()))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_every_crop_is_a_window_and_windows_differ():
    x, _ = images()
    crop = RandomCrop(padding=2)
    found, corners = crop(x, generator()), crop.draw(len(x), generator())
    wide = pad(x, [2, 2, 2, 2])
    for k, (row, column) in enumerate(corners.tolist()):
        assert torch.equal(found[k], wide[k, :, row : row + 6, column : column + 6])
    assert len({tuple(c) for c in corners.tolist()}) > 5, "one decision for the whole batch"
    assert corners.min() == 0
    assert corners.max() == 4


def test_every_example_is_mirrored_or_not():
    x, _ = images()
    found = RandomFlip()(x, generator())
    kept = [bool(torch.equal(a, b)) for a, b in zip(found, x, strict=True)]
    mirrored = [bool(torch.equal(a, b.flip(-1))) for a, b in zip(found, x, strict=True)]
    assert all(a != b for a, b in zip(kept, mirrored, strict=True))
    assert 4 < sum(mirrored) < 20


def test_a_chain_is_one_after_the_other():
    x, _ = images()
    same = generator()
    assert torch.equal(BOTH(x, generator()), RandomFlip()(RandomCrop(padding=2)(x, same), same))


def test_all_networks_at_once_are_each_alone():
    x, _ = images()
    stacked = torch.stack([x, x + 1])
    together = augment_all(BOTH, stacked, [generator(1), generator(2)])
    plain = augment_all(lambda part, g: BOTH(part, g), stacked, [generator(1), generator(2)])
    assert torch.equal(together, plain)
    assert torch.equal(together[1], BOTH(x + 1, generator(2)))


def test_in_training():
    x, y = images()
    plan = TrainingPlan(epochs=2, batch=8, rate=1e-2)
    for way in ("vmap", "loop"):
        found = train_population(convolutional, x, y, seeds=(4, 5), plan=plan, augment=BOTH, way=way)
        for name, value in alone(convolutional, 5, plan, x, y, change=BOTH).named_parameters():
            torch.testing.assert_close(found.params[1][name], value.detach(), rtol=1e-3, atol=1e-4)
    without = train_population(convolutional, x, y, seeds=(5,), plan=plan)
    assert not torch.allclose(without.params[0]["0.weight"], found.params[1]["0.weight"], atol=1e-4)
