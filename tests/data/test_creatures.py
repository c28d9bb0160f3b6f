"""Creatures: classes, attributes and boxes are what the pictures show, and every style is credited."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from engines.core.errors import OptionError
from engines.data.creatures import ATTRIBUTES, CREDITS, STYLES, Creature, counterfactual, labels, render
from engines.data.creatures.background import background
from engines.data.creatures.drawing import SOLID, layer
from engines.data.creatures.palette import oklch_to_srgb, palette
from engines.data.creatures.sampling import LARGE_SIZE
from engines.data.export import export_labelled
from engines.data.registry import data_set
from engines.data.sets import rendered_set

pytest.importorskip("dicebear", reason="pip install -r requirements-train.txt")
pytest.importorskip("dicebear_styles")
pytest.importorskip("resvg_py")

CREATURES, ASTRAY = data_set("creatures"), data_set("creatures-ood")


@pytest.fixture(scope="module")
def creatures() -> list[Creature]:
    return [CREATURES.record("train", index) for index in range(20)]


@pytest.fixture(scope="module")
def astray() -> list[Creature]:
    return [ASTRAY.record("test", index) for index in range(20)]


def _box_of_alpha(creature: Creature, size_px: int) -> np.ndarray:
    solid = layer(creature, size_px)[:, :, 3] >= SOLID
    y, x = np.nonzero(solid)
    return np.array([x.min(), y.min(), x.max() + 1, y.max() + 1]) / size_px


def test_every_style_is_credited_as_its_package_says_and_free():
    from importlib.resources import files

    assert list(CREDITS) == list(STYLES) and len(STYLES) >= 10
    for style, credit in CREDITS.items():
        meta = json.loads(files("dicebear_styles").joinpath(f"{style}.json").read_text("utf-8"))["meta"]
        assert credit.title == meta["source"]["name"] and credit.source == meta["source"]["url"]
        assert credit.creator == meta["creator"]["name"]
        assert credit.licence == meta["license"]["name"] == "CC0 1.0"


def test_colours_agree_with_published_values():
    """The primaries of sRGB in OKLCH, as CSS Color 4 gives them."""
    known = {(0, 0, 0): (0, 0, 0), (1, 1, 1): (1, 0, 0), (1, 0, 0): (0.62796, 0.25768, 29.234)}
    known |= {(0, 1, 0): (0.86644, 0.29483, 142.495), (0, 0, 1): (0.45201, 0.31321, 264.052)}
    for srgb, oklch in known.items():
        np.testing.assert_allclose(oklch_to_srgb(*oklch), srgb, atol=2e-3)


@pytest.mark.parametrize("size_px", [64, 256])
def test_boxes_are_those_of_the_alpha_channel(creatures, astray, size_px):
    """To a pixel of 64: a box's sides fall between pixels, and a faint edge may count on one grid and not on another."""
    for creature in [*creatures, *astray]:
        np.testing.assert_allclose(creature.box, _box_of_alpha(creature, size_px), atol=1 / 64)


def test_boxes_lie_inside_the_picture(creatures, astray):
    for creature in [*creatures, *(replace(c, large=True) for c in creatures), *astray]:
        assert min(creature.box) >= 0 and max(creature.box) <= 1


def test_classes_are_equally_frequent_and_named(creatures):
    assert np.bincount([CREATURES.class_of(creature) for creature in creatures]).tolist() == [2] * len(STYLES)
    assert all(CREATURES.classes[CREATURES.class_of(creature)] == creature.style for creature in creatures)


def test_labels_are_what_the_pictures_show(creatures):
    """Measured on pixels: the corners are background, and red outweighs blue in what is called warm."""
    for creature in creatures:
        picture, shown = render(creature, 64).astype(float), labels(creature)
        # A patch rather than a pixel: textures have two tones.
        corners = np.concatenate([picture[:5, :5].reshape(-1, 3), picture[:5, -5:].reshape(-1, 3)]).mean(0)
        assert shown["Dark_Background"] == (corners.mean() < 110)
        assert shown["Warm_Background"] == (corners[0] > corners[2])
        main = palette(creature.lightness, creature.chroma, creature.hues)["main"]
        red, green, blue = (int(main[i : i + 2], 16) for i in (1, 3, 5))
        assert shown["Warm_Color"] == (red > blue)
        assert shown["Dark_Color"] == (0.299 * red + 0.587 * green + 0.114 * blue < 145)
        x0, y0, x1, y1 = _box_of_alpha(creature, 256)
        assert shown["Large"] == (((x1 - x0) * (y1 - y0)) ** 0.5 > LARGE_SIZE)
        assert shown["Textured_Background"] == (creature.background_kind not in ("flat", "gradient"))
    assert tuple(labels(creatures[0])) == ATTRIBUTES == CREATURES.attributes


def test_attributes_are_free_of_each_other_and_of_the_class():
    """A map between any two needs both with and without the other; drawn from the records alone, which render nothing."""
    table = np.array([list(labels(CREATURES.record("validation", index)).values()) for index in range(60)], float)
    assert (np.abs(table.mean(0) - 0.5) < 0.25).all()
    correlation = np.corrcoef(table.T) - np.eye(len(ATTRIBUTES))
    assert np.abs(correlation).max() < 0.45


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_a_counterfactual_flips_that_label_alone(name, creatures):
    for creature in creatures[:10]:
        before = labels(creature)
        after = labels(counterfactual(creature, name, not before[name]))
        assert {other for other in ATTRIBUTES if after[other] != before[other]} == {name}
        assert counterfactual(creature, name, before[name]) == creature


def test_counterfactuals_leave_the_rest_of_the_picture_alone(creatures):
    for creature in creatures[:10]:
        opaque, clear = (layer(creature, 64)[:, :, 3] == alpha for alpha in (255, 0))
        for name, kept in (("Dark_Background", opaque), ("Textured_Background", opaque), ("Warm_Color", clear)):
            flipped = counterfactual(creature, name, not labels(creature)[name])
            changed = (render(flipped, 64) != render(creature, 64)).any(axis=2)
            assert changed.any() and not (changed & kept).any(), name
        assert np.array_equal(background(creature, 64), background(counterfactual(creature, "Large", False), 64))
    with pytest.raises(OptionError, match="no attribute 'Hat'"):
        counterfactual(creatures[0], "Hat", True)


def test_a_flipped_creature_is_the_mirror_image(creatures):
    for creature in creatures[:10]:
        mirrored = replace(creature, flipped=not creature.flipped, x=round(1 - creature.x, 4))
        assert np.array_equal(layer(mirrored, 64), layer(creature, 64)[:, ::-1])


def test_creatures_astray_are_off_centre_of_other_sizes_and_lit_wrongly(astray):
    scales = np.array([creature.size / LARGE_SIZE for creature in astray])
    assert scales.min() < 0.7 and scales.max() > 1.1 and ((scales >= 0.5) & (scales <= 1.3)).all()
    off = np.array([max(abs(creature.x - 0.5), abs(creature.y - 0.5)) for creature in astray])
    assert np.median(off) > 0.1
    assert all(abs(creature.brightness) >= 0.1 for creature in astray)
    assert {creature.background_kind for creature in astray} == {"flat", "clutter"}
    plain = replace(astray[0], brightness=0.0)
    expected = np.clip(render(plain, 64) * np.exp(astray[0].brightness), 0, 255)
    assert np.abs(render(astray[0], 64) - expected).max() <= 1.5


def test_records_repeat_and_survive_json(creatures, astray):
    assert [CREATURES.record("train", index) for index in range(10)] == creatures[:10]
    assert np.array_equal(render(creatures[3], 64), render(Creature.from_json(creatures[3].to_json()), 64))
    assert all(Creature.from_json(creature.to_json()) == creature for creature in [*creatures, *astray])
    assert json.loads(astray[0].to_json())["box"] == pytest.approx(astray[0].box, abs=1e-4)
    rows = [row.record(split, index).seed for row in (CREATURES, ASTRAY) for split in row.splits for index in range(10)]
    assert len(set(rows)) == len(rows)


def test_a_rendered_set_carries_classes(folder):
    made = rendered_set("creatures", "validation", 12, folder=folder, processes=1)
    assert made.images.shape == (12, 64, 64, 3)
    assert made.classes.dtype.kind == "i" and made.classes.tolist() == [*range(10), 0, 1]
    assert json.loads((folder / "set.json").read_text(encoding="utf-8"))["classes"] == list(STYLES)
    again = rendered_set("creatures", "validation", 5, folder=folder, processes=1)
    assert again.classes.tolist() == [0, 1, 2, 3, 4]


def test_exported_labels_are_0_and_1_alone_and_the_class_is_among_the_factors(tmp_path):
    export_labelled("creatures", 3, tmp_path, size_px=32, processes=1)
    header, *rows = (line.split(",") for line in (tmp_path / "labels.csv").read_text(encoding="utf-8").splitlines())
    assert header == ["file", *ATTRIBUTES]
    assert all(set(row[1:]) <= {"0", "1"} for row in rows)
    lines = (tmp_path / "factors.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["style"] for line in lines] == list(STYLES)[:3]
