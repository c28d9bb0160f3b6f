"""The bundled pack ``creatures``: classes are told, objects change class, colour and size, and go back into their pictures."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import torch
from PIL import Image

from engines import api
from engines.data.sets import RenderedSet, rendered_set
from engines.inversion.objects import found_box
from engines.inversion.transforms import Transform
from engines.predictors.boxes import box_overlap
from tests.ui.pictures import png

if importlib.util.find_spec("resvg_py") is None:  # found, never imported
    pytest.skip("pip install -r requirements-train.txt", allow_module_level=True)

COUNT = 40


@pytest.fixture(scope="module")
def pack() -> api.Pack:
    return api.open_pack("creatures")


@pytest.fixture(scope="module")
def held_out(tmp_path_factory) -> RenderedSet:
    """Pictures that nothing was trained on, every class in a tenth of them."""
    return rendered_set("creatures", "test", COUNT, folder=tmp_path_factory.mktemp("creatures"), processes=1)


@pytest.fixture(scope="module")
def inversions(pack, held_out) -> list[api.Inversion]:
    return [api.finish(api.invert(pack, _picture(image), method="encoder")) for image in held_out.images]


def _picture(pixels: np.ndarray) -> api.Picture:
    return api.read_image(png(pixels))


def _overlap(box: tuple[float, ...], other: tuple[float, ...]) -> float:
    return float(box_overlap(torch.tensor([box]), torch.tensor([other]))[0])


def test_classes_of_held_out_pictures_are_told(pack, held_out):
    told = [api.classes_of(pack, api.align(pack, _picture(image), None)) for image in held_out.images]
    names = [row.id for row in api.pack_info(pack).classes]
    right = [max(shares, key=shares.get) == names[number] for shares, number in zip(told, held_out.classes, strict=True)]
    assert np.mean(right) >= 0.95


def test_a_morph_is_seen_as_the_other_class(pack, inversions):
    names = [row.id for row in api.pack_info(pack).classes]
    seen = []
    for number, inversion in enumerate(inversions):
        wanted = names[(number + 3) % len(names)]
        frame = api.render(pack, inversion, {}, object_edit=api.ObjectEdit(class_id=wanted))
        seen.append(max(frame.classes, key=frame.classes.get) == wanted)
    assert np.mean(seen) >= 0.65


def test_sliders_turn_answers_and_keep_the_class(pack, held_out, inversions):
    warm = list(held_out.attributes).index("Warm_Color")
    kept = []
    for inversion, labels in zip(inversions, held_out.labels, strict=True):
        before = api.render(pack, inversion, {})
        frame = api.render(pack, inversion, {"Warm_Color": -1.0 if labels[warm] else 1.0})
        kept.append(
            (
                (frame.attributes["Warm_Color"] > 0.5) != bool(labels[warm]),
                max(frame.classes, key=frame.classes.get) == max(before.classes, key=before.classes.get),
            )
        )
    turned, same = np.mean(kept, axis=0)
    assert turned >= 0.9 and same >= 0.75


def test_the_frame_is_brought_to_an_object_off_the_middle(pack, held_out):
    """Pictures reduced and set beside the middle of a flat one: where the object lies there is known."""
    found = []
    for index in (0, 3, 8):
        small = np.asarray(Image.fromarray(held_out.images[index]).resize((44, 44), Image.Resampling.LANCZOS))
        pixels = np.full((64, 64, 3), small[0, 0])
        pixels[2:46, 18:62] = small
        x0, y0, x1, y1 = (44 * edge for edge in held_out.records[index].box)
        box = (18 + x0, 2 + y0, 18 + x1, 2 + y1)
        search = api.invert(pack, _picture(pixels), method="adam", transform="spatial", mask=box, evaluations=60)
        inversion = api.finish(search)
        back = np.linalg.inv(np.vstack([Transform.from_json(inversion.transform).matrix(64), (0, 0, 1)]))
        x0, y0, x1, y1 = found_box(pack, inversion.reconstruction)
        there = [(back @ (x, y, 1))[:2] for x, y in ((x0, y0), (x1, y1))]
        found.append(_overlap((*there[0], *there[1]), box))
    assert np.mean(found) >= 0.7


def test_an_object_that_grows_is_not_cut_off_when_it_is_pasted(pack, held_out):
    large = list(held_out.attributes).index("Large")
    left = []
    for index in np.flatnonzero(~held_out.labels[:, large])[:6]:
        picture = _picture(held_out.images[index])
        inversion = api.finish(api.invert(pack, picture, method="adam", steps=1, mask="auto"))
        frame = api.render(pack, inversion, {"Large": 1.5})
        pasted = api.export(pack, inversion, frame, picture, blend="poisson")
        wanted = found_box(pack, frame.image)
        assert _overlap(wanted, inversion.mask) < 0.7, "it has grown"
        left.append(_overlap(found_box(pack, pasted), wanted))
    assert np.mean(left) >= 0.85


@pytest.mark.parametrize("blend", ["poisson", "mixed"])
def test_a_photos_ground_stays_and_takes_no_edit_of_the_ground_to_the_object(pack, held_out, blend):
    picture = _picture(held_out.images[0])
    inversion = api.finish(api.invert(pack, picture, method="adam", steps=1, mask="auto"))

    def pasted(edits: dict[str, float], how: str = blend, **options) -> np.ndarray:
        return api.export(pack, inversion, api.render(pack, inversion, edits, **options), picture, blend=how)

    for dark in (-1.0, 1.0):
        assert np.array_equal(pasted({"Dark_Background": dark}), pasted({}))
        assert np.array_equal(pasted({"Dark_Background": dark, "Warm_Color": 1.0}), pasted({"Warm_Color": 1.0}))
    step = api.EditStep("Dark_Background", 1.0)
    assert np.array_equal(pasted({"Warm_Color": 1.0}, steps=[step]), pasted({"Warm_Color": 1.0}))
    assert not np.array_equal(pasted({"Warm_Color": 1.0}), pasted({}))
    assert not np.array_equal(pasted({"Dark_Background": -1.0}, "detail"), pasted({}, "detail"))
