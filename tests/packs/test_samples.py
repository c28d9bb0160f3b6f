"""Samples by seed and class: the same picture everywhere, mixtures between the classes, truncation towards the class."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engines import api
from engines.core.errors import OptionError, PackShapeError
from engines.core.rng import z_for_seeds
from engines.evaluation.judges import samples
from engines.generators.labels import labels_for_seeds
from engines.packs.registry import open_pack
from engines.packs.samples import decided_labels, label_of, sampled_codes
from engines.packs.write import write_component
from engines.training.statistics import latent_statistics
from tests.tiny_pack import TINY_CLASSES, build_tiny_pack


def test_a_label_is_the_class_or_the_mixture(class_pack):
    assert torch.equal(label_of(class_pack, "box"), torch.tensor([0.0, 1.0, 0.0]))
    torch.testing.assert_close(label_of(class_pack, {"ball": 1, "bell": 3}), torch.tensor([0.25, 0.0, 0.75]))


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ("cube", r"no class 'cube'; its classes are ball, box, bell"),
        ({"ball": 1, "cone": 1}, "no class 'cone'"),
        ({"ball": -1, "box": 2}, "weights of at least 0"),
        ({"ball": 0}, "one above 0"),
    ],
)
def test_classes_that_are_not_there_are_named(class_pack, classes, message):
    with pytest.raises(OptionError, match=message):
        api.surprise(class_pack, 0, classes=classes)


def test_a_pack_without_classes_has_none_to_choose(tiny_pack):
    with pytest.raises(OptionError, match="pack tiny has no classes"):
        api.surprise(tiny_pack, 0, classes="ball")


def test_latents_without_gates_decide_nothing(tiny_pack):
    assert decided_labels(tiny_pack, 3, seed=0) == {}


def test_a_seed_gives_one_picture_in_the_facade_and_in_batches(class_pack):
    """Once by hand from the two networks, once by the facade, once in a batch."""
    generator = class_pack.generator
    codes = sampled_codes(class_pack, [4, 5, 6])
    labels = labels_for_seeds([4, 5, 6], 3)
    with torch.inference_mode():
        w = generator.mapping(z_for_seeds([4, 5, 6], 16), labels)
    torch.testing.assert_close(codes, w[:, None].expand(-1, 8, -1))
    batch = samples(class_pack, 3, seed=4)
    for number, seed in enumerate((4, 5, 6)):
        found = api.surprise(class_pack, seed, 1.0)
        assert found.settings["classes"] == {TINY_CLASSES[int(labels[number].argmax())]: 1.0}
        assert np.abs(found.reconstruction.astype(int) - batch[number]).max() <= 1
        asked = api.surprise(class_pack, seed, 1.0, found.settings["classes"])
        assert np.array_equal(asked.reconstruction, found.reconstruction)
    other = api.surprise(class_pack, 4, 1.0, "bell"), api.surprise(class_pack, 4, 1.0, "box")
    assert not np.array_equal(other[0].reconstruction, other[1].reconstruction)


def test_truncation_goes_to_the_mean_of_the_class(class_pack):
    """At 0 every seed of a class has the class's mean code, which is the mean of what the mapping gives for it."""
    generator = class_pack.generator
    for number, name in enumerate(TINY_CLASSES):
        label = torch.eye(3)[number]
        first, second = (api.surprise(class_pack, seed, 0.0, name).w_plus for seed in (1, 2))
        assert np.array_equal(first, second)
        with torch.no_grad():
            mean = generator.mapping(torch.randn(20_000, 16), label.expand(20_000, -1)).mean(0)
        np.testing.assert_allclose(first[0], mean, atol=0.05)
    half = api.surprise(class_pack, 1, 0.5, "box").w_plus
    whole, mean = (api.surprise(class_pack, 1, psi, "box").w_plus for psi in (1.0, 0.0))
    np.testing.assert_allclose(half, (whole + mean) / 2, atol=1e-5)


def test_statistics_without_the_classes_means_are_refused(tmp_path):
    folder = build_tiny_pack(tmp_path / "tiny", TINY_CLASSES)
    pack = open_pack("tiny", tmp_path)
    source = pack.manifest.to_json()["components"]["statistics"]["provenance"]
    plain = latent_statistics(torch.zeros(16), torch.randn(40, 8, 16), rank=8)
    with pytest.raises(PackShapeError, match="w_class_avg is missing"):
        write_component(folder, "statistics", plain, {}, source, half=False)


def test_the_facade_lists_the_classes(class_pack, tiny_pack):
    assert [row.id for row in api.pack_info(class_pack).classes] == list(TINY_CLASSES)
    assert api.pack_info(tiny_pack).classes == ()
