"""Searches in packs of objects: they begin at the class that is predicted and where the object is found, and move both."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engines import api
from engines.core.progress import CancelToken
from engines.core.rng import torch_generator
from engines.imaging.convert import to_tensor, to_uint8
from engines.inversion.latent_space import CLASS_LEARNING_RATE, LEARNING_RATE, latent_space, moved
from engines.inversion.methods import METHODS
from engines.inversion.objects import found_box, predicted_label
from engines.inversion.optimisers.adam import AdamWalk
from engines.inversion.optimisers.lbfgs import lbfgs
from engines.inversion.options import InversionOptions
from engines.inversion.projection import Projection, transform_of
from engines.inversion.transforms import Transform, initial_transform, transform_images
from tests.tiny_pack import TINY_CLASSES


class _Models:
    """The pack with some of its parts in other hands."""

    def __init__(self, pack, *, without: tuple[str, ...] = (), **parts) -> None:
        self._pack, self._without = pack, without
        self.__dict__.update(parts)

    def __getattr__(self, name):
        return getattr(self._pack, name)

    def has(self, kind: str) -> bool:
        return kind not in self._without and (kind in self.__dict__ or self._pack.has(kind))


class _SureOf:
    """A class predictor that always names one class."""

    classes = TINY_CLASSES

    def __init__(self, number: int) -> None:
        self._logits = torch.eye(3)[number]

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        return self._logits.expand(len(images), -1)


def _picture(pack, number: int) -> torch.Tensor:
    """A sample [1, 3, 32, 32] of a class."""
    with torch.no_grad():
        z = torch.randn(1, 16, generator=torch_generator(5))
        w = pack.generator.mapping(z, torch.eye(3)[number : number + 1])
        return pack.generator.synthesis(pack.generator.broadcast(w))


def _result(models, crop, method, **options):
    return list(METHODS[method](models, crop, InversionOptions(**options), CancelToken()))[-1].result


# ---- classes ----


@pytest.mark.parametrize("space", ["z", "w", "w+"])
@pytest.mark.parametrize("method", ["adam", "lbfgs", "cma", "cma-adam", "basin-cma"])
def test_every_method_searches_a_class_conditional_pack(class_pack, method, space):
    crop = to_uint8(_picture(class_pack, 1))[0]
    found = _result(class_pack, crop, method, evaluations=40, space=space, transform="both")
    assert found.losses[-1][1] < found.losses[0][1]
    assert found.settings["class"] in TINY_CLASSES


def test_a_pack_with_classes_is_searched_in_z_unless_told_otherwise(class_pack):
    """Where the class can be changed afterwards; packs without classes are searched in the method's own space."""
    crop = to_uint8(_picture(class_pack, 1))[0]
    found = _result(class_pack, crop, "basin-cma", evaluations=40)
    assert found.settings["space"] == "z" and {"z", "class_vector"} <= set(found.settings)
    assert _result(class_pack, crop, "basin-cma", evaluations=40, space="w+").settings["space"] == "w+"


def test_the_search_starts_from_the_class_that_is_predicted(class_pack):
    crop = to_uint8(_picture(class_pack, 0))[0]
    with torch.no_grad():
        number = int(class_pack.class_predictor(to_tensor(crop)).argmax())
    assert torch.equal(predicted_label(class_pack, to_tensor(crop)), torch.eye(3)[number : number + 1])
    projection = Projection(class_pack, crop, InversionOptions(), "z")
    start = projection.start(projection.first_phi, 0)
    embed = class_pack.generator.mapping.embed
    torch.testing.assert_close(start[1][0], embed.weight[:, number] / 3**0.5 + embed.bias)
    assert _result(class_pack, crop, "adam", steps=2, space="z").settings["class"] == TINY_CLASSES[number]


def test_all_views_of_an_object_have_a_say_in_its_class(class_pack):
    """Two views that lean to class 0 a little, and one that is sure of class 1."""
    logits = torch.tensor([[1.0, 0.5, -4.0], [1.0, 0.5, -4.0], [-3.0, 3.0, -4.0]])
    models = _Models(class_pack, class_predictor=lambda views: logits[: len(views)])
    assert predicted_label(models, torch.zeros(2, 3, 32, 32)).tolist() == [[1, 0, 0]]
    assert predicted_label(models, torch.zeros(3, 3, 32, 32)).tolist() == [[0, 1, 0]]


def test_without_a_predictor_it_starts_from_an_even_mixture(class_pack):
    crop = to_uint8(_picture(class_pack, 0))[0]
    blind = _Models(class_pack, without=("class_predictor", "box_detector"))
    projection = Projection(blind, crop, InversionOptions(transform="both"), "z")
    start = projection.start(projection.first_phi, 0)
    torch.testing.assert_close(start[1], class_pack.generator.mapping.class_vectors(torch.full((1, 3), 1 / 3)))
    assert projection.label is None and transform_of(projection.first_phi[0]) == Transform()


def test_the_class_vector_moves_far_more_slowly_and_only_where_it_is_searched(class_pack):
    crop = to_uint8(_picture(class_pack, 0))[0]
    size = float(class_pack.generator.mapping.class_vectors(torch.eye(3)).square().mean().sqrt())
    for searched in (True, False):
        projection = Projection(class_pack, crop, InversionOptions(class_search=searched), "z")
        start = projection.start(projection.first_phi, 0)
        walk = AdamWalk(projection, start)
        for _ in range(3):
            walk.step()
        moves = [float((after - before).abs().max()) for after, before in zip(walk.variables, start, strict=True)]
        assert moves[0] == pytest.approx(3 * LEARNING_RATE, rel=0.2)
        assert moves[1] == (pytest.approx(3 * CLASS_LEARNING_RATE * size, rel=0.2) if searched else 0)
        assert moves[2] == 0
        steps = lbfgs(projection, start)
        last = [next(steps) for _ in range(3)][-1].variables
        assert bool((last[1] != start[1]).any()) == searched


def test_searching_the_class_vector_finds_more_where_the_class_was_mistaken(class_pack):
    crop = to_uint8(_picture(class_pack, 0))[0]
    mistaken = _Models(class_pack, class_predictor=_SureOf(2))
    fixed, searched = (_result(mistaken, crop, "adam", steps=150, space="z", class_search=on) for on in (False, True))
    assert searched.losses[-1][1] < 0.95 * fixed.losses[-1][1]


def test_the_latent_of_the_result_is_told(class_pack):
    crop = to_uint8(_picture(class_pack, 0))[0]
    found = _result(class_pack, crop, "adam", steps=5, space="z")
    with torch.no_grad():
        z, c = (torch.tensor([found.settings[name]]) for name in ("z", "class_vector"))
        w = class_pack.generator.mapping(z, class_vector=c)
    np.testing.assert_allclose(found.w_plus, w.expand(8, -1), atol=1e-5)
    assert "z" not in _result(class_pack, crop, "adam", steps=2, space="w").settings


def test_draws_of_w_have_the_statistics_of_the_class(class_pack):
    label = torch.eye(3)[1:2]
    latent = latent_space(class_pack, "w", label)
    y = torch.randn(4000, len(latent.directions), generator=torch_generator(2))
    with torch.no_grad():
        drawn = latent.codes(moved(latent, latent.origin(), y))[:, 0]
        z = torch.randn(4000, 16, generator=torch_generator(3))
        mapped = class_pack.generator.mapping(z, label.expand(4000, -1))
        of_all = class_pack.generator.mapping(z, torch.eye(3)[torch.arange(4000) % 3])
    assert torch.allclose(drawn.mean(0), mapped.mean(0), atol=0.1 * float(mapped.std()))
    assert torch.allclose(drawn.std(0), mapped.std(0), rtol=0.15, atol=0.02)
    assert (of_all.mean(0) - mapped.mean(0)).abs().max() > 0.1 * float(mapped.std())


@pytest.mark.parametrize("space", ["w", "w+"])
def test_the_middle_of_the_codes_is_the_mean_code_of_the_class(class_pack, space):
    latent = latent_space(class_pack, space, torch.eye(3)[2:])
    middle = latent.codes(latent.origin())[0].mean(0)
    expected = class_pack.statistics["w_class_avg"][2]
    if space == "w+":  # means of the statistics' own 256 codes
        expected = expected + class_pack.statistics["w_plus_mean"].mean(0) - class_pack.statistics["w_avg"]
    torch.testing.assert_close(middle, expected, atol=0.03, rtol=0)


# ---- objects ----


def _detector(*box: float):
    return lambda image: torch.tensor([box]).expand(len(image), -1)


def test_boxes_are_told_in_pixels_and_end_at_the_border(class_pack, tiny_pack):
    crop = np.zeros((32, 32, 3), np.uint8)
    assert found_box(_Models(class_pack, box_detector=_detector(-0.25, 0.25, 0.5, 1.1)), crop) == (0, 8, 16, 32)
    assert found_box(_Models(class_pack, box_detector=_detector(0.99, 0.2, 1.6, 0.5)), crop) is None
    assert found_box(tiny_pack, crop) is None


def test_the_first_transform_brings_the_found_object_to_where_the_generator_paints_its_own(class_pack):
    """A white rectangle where the detector says; after the transform it fills the generator's usual box."""
    crop = np.zeros((32, 32, 3), np.uint8)
    crop[4:12, 18:28] = 255
    usual = (0.25, 0.25, 0.75, 0.65)  # of the rectangle's shape, 5 to 4
    models = _Models(class_pack, box_detector=_detector(18 / 32, 4 / 32, 28 / 32, 12 / 32), object_box=usual)
    projection = Projection(models, crop, InversionOptions(transform="spatial"), "z")
    moved_there = transform_images(to_tensor(crop), [transform_of(projection.first_phi[0])])
    ys, xs = np.nonzero(moved_there[0, 0].numpy() > 0)
    seen = np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]) / 32
    np.testing.assert_allclose(seen, usual, atol=1.01 / 32)
    given = Projection(models, crop, InversionOptions(transform="spatial", mask=(0, 0, 20, 16)), "z")
    assert transform_of(given.first_phi[0]).scale[0] == pytest.approx(initial_transform((0, 0, 20, 16), 32, usual).scale[0]), (
        "a mask that is given comes first"
    )
    still = Projection(models, crop, InversionOptions(transform="colour"), "z")
    assert transform_of(still.first_phi[0]) == Transform()


def test_the_detected_object_is_what_auto_means_for_a_picture_without_a_face(class_pack):
    """A picture twice as wide as high: whichever square is taken, the box lies in it, and is the mask in its pixels."""
    picture = api.Picture(pixels=np.zeros((64, 128, 3), np.uint8), name="wide", notes=())
    found = api.align(class_pack, picture, None)
    x0, y0, x1, y1 = found.alignment.to_crop(np.reshape(found.object_box, (2, 2))).ravel()
    assert 0 <= x0 < x1 <= 32 and 0 <= y0 < y1 <= 32
    inversion = api.finish(api.invert(class_pack, found, method="adam", mask="auto", steps=2, class_search=False))
    assert inversion.mask == pytest.approx((x0, y0, x1, y1)) and inversion.settings["class_search"] is False
