"""How an edit goes back into its photo: the two ways of pasting, with masks and transforms of the picture."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from engines import api
from engines.core.errors import OptionError
from engines.imaging.align import Alignment, align_whole
from engines.imaging.convert import to_tensor, to_uint8
from engines.imaging.paste import pasted_region
from engines.imaging.seam import seam
from engines.inversion.transforms import Transform
from engines.packs.load import Pack
from engines.session.export import exported
from engines.session.object_edit import ObjectEdit
from engines.session.regions import region_of, within_regions
from engines.session.state import EditStep


@pytest.fixture
def photo(tmp_path) -> api.Picture:
    rng = np.random.default_rng(3)
    pixels = np.asarray(Image.fromarray(rng.integers(60, 190, (10, 15, 3), dtype=np.uint8)).resize((300, 200)))
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return api.read_image(tmp_path / "photo.png")


@pytest.fixture
def perfect(tiny_pack, photo) -> api.Inversion:
    """An inversion whose reconstruction is the crop itself, as tuning makes it."""
    inversion = api.finish(api.invert(tiny_pack, photo, method="encoder", face=None))
    return dataclasses.replace(inversion, reconstruction=inversion.crop)


def test_a_perfect_reconstruction_is_blended_without_a_seam(photo, perfect):
    pasted = exported(photo.pixels, perfect, perfect.reconstruction, "poisson")
    region = pasted_region(200, 300, Alignment.from_json(perfect.alignment))
    assert abs(seam(photo.pixels, pasted, region)) < 0.02
    # At 32 px the crop has lost the photo's finest detail, not more.
    crop, _ = align_whole(pasted, 32)
    assert np.abs(crop.astype(int) - perfect.crop).mean() < 4


def test_detail_is_the_default_and_poisson_where_there_is_a_transform(tiny_pack, photo, perfect):
    frame = dataclasses.replace(api.render(tiny_pack, perfect, {}), image=np.full((32, 32, 3), 90, np.uint8))
    moved = dataclasses.replace(perfect, transform=Transform((1.1, 1.2), (0.1, 0.0), 0.2).to_json())
    for inversion, usual, other in ((perfect, "detail", "poisson"), (moved, "poisson", "detail")):
        given = {blend: api.export(tiny_pack, inversion, frame, photo, blend=blend) for blend in (None, *api.BLENDS)}
        assert np.array_equal(given[None], given[usual])
        assert not np.array_equal(given[None], given[other])
    with pytest.raises(OptionError, match="blend='sharp': use one of detail, poisson, mixed"):
        api.export(tiny_pack, perfect, frame, photo, blend="sharp")


@pytest.mark.parametrize("blend", ["detail", "poisson"])
def test_a_photo_in_black_and_white_stays_so(tiny_pack, photo, blend):
    grey = dataclasses.replace(photo, pixels=np.repeat(photo.pixels[..., :1], 3, axis=2))
    inversion = api.finish(api.invert(tiny_pack, grey, method="encoder", face=None))
    frame = api.render(tiny_pack, inversion, {"Male": 2.0})
    assert np.ptp(frame.image.astype(int) - inversion.reconstruction, axis=2).max() > 2, "the generator paints in colour"
    pasted = api.export(tiny_pack, inversion, frame, grey, blend=blend)
    assert np.ptp(pasted, axis=2).max() == 0 and not np.array_equal(pasted, grey.pixels)
    region = pasted_region(200, 300, Alignment.from_json(inversion.alignment))
    assert np.array_equal(pasted[~region], grey.pixels[~region])


class _Regional(Pack):
    """A pack whose region network knows where some attributes show, whatever the picture."""

    def __init__(self, pack: Pack, **rows: tuple[str, ...]) -> None:
        self.__dict__ |= pack.__dict__
        cells = np.array([[list(map(float, row)) for row in grid] for grid in rows.values()], np.float32)
        sides = pack.manifest.resolution // cells.shape[1]
        shares = torch.from_numpy(cells.repeat(sides, axis=1).repeat(sides, axis=2))
        self._network = SimpleNamespace(attributes=tuple(rows), probabilities=lambda image: shares[None])
        self._name = repr(rows)

    @property
    def region_network(self) -> SimpleNamespace:
        return self._network

    def has(self, kind: str) -> bool:
        return kind == "region_network" or super().has(kind)

    def component_sha256(self, kind: str) -> str:
        return self._name if kind == "region_network" else super().component_sha256(kind)


def test_an_edit_stays_in_the_region_of_its_attributes(tiny_pack, photo, perfect):
    pack = _Regional(tiny_pack, Eyeglasses=("1000",) * 4, Smiling=("0100",) * 4)
    glasses, smile, beard = {"Eyeglasses": 2.0}, {"Smiling": -2.0}, {"Beard": 2.0}

    def changed(edits: dict[str, float], blend: str = "detail", where=pack) -> np.ndarray:
        """Columns of the photo that change; its middle square, columns 50 to 250, is the frame."""
        frame = api.render(where, perfect, edits)
        return (api.export(where, perfect, frame, photo, blend=blend) != photo.pixels).any(axis=(0, 2))

    anywhere = changed(glasses, where=tiny_pack)
    assert anywhere[200:240].any()
    # The first quarter, and what the resampling reaches.
    inside = changed(glasses)
    assert inside[60:90].any() and not inside[140:].any()
    both = changed(glasses | smile)
    assert both[110:140].any() and not both[190:].any()
    assert np.array_equal(changed(beard), changed(beard, where=tiny_pack)), "where a beard shows is not known"
    beyond = changed(glasses | beard)
    assert beyond[190:].any() and not np.array_equal(beyond, changed(glasses))
    assert np.array_equal(changed(glasses, "poisson"), changed(glasses, "poisson", where=tiny_pack))


def test_edits_made_together_lie_over_one_another(tiny_pack, photo):
    """In a smaller region nothing is seen of an edit with a larger one, which moves every pixel of the generator's picture."""
    pack = _Regional(tiny_pack, Eyeglasses=("1100", "1100", "0000", "0000"), Smiling=("0000", "0000", "0000", "0001"))
    inversion = api.finish(api.invert(tiny_pack, photo, method="encoder", face=None))
    glasses, smile = {"Eyeglasses": 0.1}, {"Smiling": -0.05}
    unedited, small = (api.render(pack, inversion, alphas).image.astype(np.float32) for alphas in ({}, smile))
    frames = [api.render(pack, inversion, glasses | smile)]
    for first, second in ((glasses, ("Smiling", -0.05)), (smile, ("Eyeglasses", 0.1))):
        frames.append(api.render(pack, inversion, first, steps=[EditStep(*second)]))
    for frame in frames:
        kept = within_regions(pack, inversion, frame)
        assert np.abs(frame.image - small).mean() > 1
        assert np.array_equal(kept[:16, :16], frame.image[:16, :16])
        assert np.array_equal(kept[24:, 24:], small[24:, 24:])
        assert np.array_equal(kept[:16, 16:], unedited[:16, 16:]) and np.array_equal(kept[16:, :24], unedited[16:, :24])
    assert (small != unedited)[24:, 24:].any()


def test_an_edit_reaches_where_its_attribute_shows_in_what_smaller_ones_have_painted(tiny_pack, perfect):
    """Bangs, and a colour of hair: on the right in the photo, and in the upper half of the picture with bangs."""
    pack = _Regional(tiny_pack, Eyeglasses=("10", "10"), Smiling=("01", "01"))
    told = pack.region_network.probabilities
    light = np.full_like(perfect.crop, 250)
    inversion = dataclasses.replace(perfect, crop=light, reconstruction=light)
    full = api.render(pack, inversion, {"Eyeglasses": 1.0}).image
    bangs, both = (api.render(pack, inversion, {"Eyeglasses": 0.9, "Smiling": colour}) for colour in (0.0, 2.0))
    left = np.abs(bangs.image.astype(int) - 250).max(axis=2)[:, :12]
    assert left.min() > 60, "painted anew"

    def probabilities(image: torch.Tensor) -> torch.Tensor:
        shares = told(image).clone()
        if np.array_equal(to_uint8(image)[0], full):
            shares[0, 1] = torch.arange(32)[:, None] < 16
        return shares

    pack.region_network.probabilities = probabilities
    kept = within_regions(pack, inversion, both)
    assert (both.image != bangs.image)[:, :12].any(axis=(1, 2)).all()
    # The tenth column from the border of what was painted anew.
    assert np.array_equal(kept[:16, :10], both.image[:16, :10].astype(np.float32))
    assert np.array_equal(kept[16:, :10], bangs.image[16:, :10].astype(np.float32))
    assert np.array_equal(kept[:, 16:], both.image[:, 16:].astype(np.float32))


def test_what_moves_the_object_has_no_region(tiny_pack, perfect):
    pack = _Regional(tiny_pack, Eyeglasses=("10", "00"))
    for where, edit in ((pack, ObjectEdit(truncation=0.5)), (tiny_pack, ObjectEdit())):
        frame = api.render(where, perfect, {"Eyeglasses": 1.0}, object_edit=edit)
        assert within_regions(where, perfect, frame) is frame.image
    unedited = api.render(pack, perfect, {})
    assert within_regions(pack, perfect, unedited) is unedited.image


def test_the_network_looks_at_the_picture_once(tiny_pack, perfect):
    pack, asked = _Regional(tiny_pack, Eyeglasses=("10", "01")), []
    told = pack.region_network.probabilities
    pack.region_network.probabilities = lambda image: asked.append(image) or told(image)
    other = np.array(perfect.crop)[::-1]
    for picture in (perfect.crop, perfect.crop, other, perfect.crop):
        region_of(pack, picture, "Eyeglasses")
    assert [tuple(image.shape) for image in asked] == [(1, 3, 32, 32)] * 2
    assert np.array_equal(to_uint8(asked[0])[0], perfect.crop) and np.array_equal(to_uint8(asked[1])[0], other)


@pytest.mark.parametrize("blend", ["detail", "poisson"])
def test_without_a_transform_or_with_the_one_that_changes_nothing_it_is_the_same(photo, perfect, blend):
    edited = np.clip(perfect.crop.astype(int) + 30, 0, 255).astype(np.uint8)
    still = dataclasses.replace(perfect, transform=Transform().to_json())
    assert np.array_equal(exported(photo.pixels, perfect, edited, blend), exported(photo.pixels, still, edited, blend))


@pytest.mark.parametrize("blend", ["detail", "poisson"])
def test_a_transform_is_undone(photo, perfect, blend):
    """T(crop) as a reconstruction, and T(edited crop) as its edit, give about what crop and edited crop give."""
    edited = perfect.crop.copy()
    edited[10:20, 12:22] = np.clip(edited[10:20, 12:22].astype(int) + 50, 0, 255)
    transform = Transform((0.8, 0.9), (0.1, -0.05), -0.3)

    def painted(picture: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return to_uint8(transform.apply(to_tensor(picture)))[0]

    mask = (6.0, 6.0, 26.0, 26.0)
    plain = dataclasses.replace(perfect, mask=mask)
    moved = dataclasses.replace(plain, reconstruction=painted(perfect.crop), transform=transform.to_json())
    expected = exported(photo.pixels, plain, edited, blend).astype(int)
    found = exported(photo.pixels, moved, painted(edited), blend).astype(int)
    change = np.abs(expected - photo.pixels).mean()
    assert np.abs(found - expected).mean() < 0.35 * change
    assert abs((found - expected).mean()) < 0.1 * change
    wrong = exported(photo.pixels, plain, painted(edited), blend).astype(int)
    assert np.abs(wrong - expected).mean() > 0.7 * change


def test_only_the_mask_and_a_strip_around_it_are_replaced(photo, perfect):
    masked = dataclasses.replace(perfect, mask=(8.0, 8.0, 20.0, 24.0))
    pasted = exported(photo.pixels, masked, np.zeros((32, 32, 3), np.uint8), "poisson")
    changed = (pasted != photo.pixels).any(axis=2)
    # The middle square of 300 x 200 begins at column 50; a crop pixel spans 6.25 of the photo's. The strip has .12 of 12.
    rows, columns = np.nonzero(changed)
    assert 50 + (8 - 1.44) * 6.25 - 1 <= columns.min() < 50 + 8 * 6.25
    assert 50 + 20 * 6.25 < columns.max() <= 50 + (20 + 1.44) * 6.25
    assert (8 - 1.44) * 6.25 - 1 <= rows.min() < 8 * 6.25 and 24 * 6.25 < rows.max() <= (24 + 1.44) * 6.25


def test_a_moved_object_is_blended_where_it_was_and_where_it_is(photo, perfect):
    """The mask is the left half of the crop; the object now also lies on the right, in a frame twice as fine."""
    masked = dataclasses.replace(perfect, mask=(4.0, 4.0, 14.0, 28.0), transform=Transform((0.5, 0.5)).to_json())
    image = np.full((32, 32, 3), 230, np.uint8)
    alignment = Alignment.from_json(perfect.alignment)

    def changed(**options) -> tuple[float, float, float, float]:
        """Bounds of what has changed, in pixels of the crop."""
        rows, columns = np.nonzero((exported(photo.pixels, masked, image, "poisson", **options) != photo.pixels).any(axis=2))
        (x0, y0), (x1, y1) = alignment.to_crop(np.array([(columns.min(), rows.min()), (columns.max() + 1, rows.max() + 1)]))
        return x0, y0, x1, y1

    # The frame covers the crop's 8 to 24: of the mask 8 to 14 can be seen, and the strip around it, .12 of 10.
    assert changed() == pytest.approx((8, 8, 14 + 1.2, 24), abs=0.5)
    # Frame pixels 16 to 24 are the crop's 16 to 20: mask and box together span 16.
    assert changed(object_box=(16.0, 8.0, 24.0, 24.0)) == pytest.approx((8, 8, 20 + 0.12 * 16, 24), abs=0.5)
