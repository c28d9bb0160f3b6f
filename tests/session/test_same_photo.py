"""An edit goes back into its own photo and into no other."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from PIL import Image

from editor_app.preview import make_preview
from engines import api
from engines.core.errors import OptionError
from engines.session import same_photo
from engines.session.same_photo import check_same_photo


def _photo(seed: int, name: str = "photo.png", size: tuple[int, int] = (1500, 1000)) -> api.Picture:
    """Large blotches under noise, as different from one seed to the next as photographs are."""
    rng = np.random.default_rng(seed)
    blotches = Image.fromarray(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)).resize(size, Image.Resampling.BICUBIC)
    noise = rng.integers(-40, 41, (size[1], size[0], 3))
    return api.Picture(np.clip(np.asarray(blotches) + noise, 0, 255).astype(np.uint8), name)


@pytest.fixture
def inversion(tiny_pack) -> api.Inversion:
    return api.finish(api.invert(tiny_pack, _photo(0), method="encoder", face=None))


def test_its_own_photo_is_taken_read_again_or_made_smaller_for_the_screen(inversion):
    check_same_photo(_photo(0), inversion)
    preview = make_preview(_photo(0), inversion, longest_px=180)
    check_same_photo(preview.picture, preview.inversion)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_another_photo_of_the_same_size_is_refused(tiny_pack, inversion, seed):
    frame = api.render(tiny_pack, inversion, {})
    with pytest.raises(OptionError, match=r"other\.png is not the photo that was inverted: give the same photo"):
        api.export(tiny_pack, inversion, frame, _photo(seed, "other.png"))


def test_another_size_is_named(inversion):
    with pytest.raises(OptionError, match=r"small\.png has 150 x 100 pixels, the inverted photo had 1500 x 1000"):
        check_same_photo(_photo(0, "small.png", (150, 100)), inversion)


def test_a_photo_is_looked_at_once_for_an_inversion(inversion, monkeypatch):
    photo, looks = _photo(0), []
    monkeypatch.setattr(same_photo, "resample", lambda *given: looks.append(given) or inversion.crop)
    for _ in range(3):
        check_same_photo(photo, inversion)
    assert len(looks) == 1
    check_same_photo(dataclasses.replace(photo), inversion)
    assert len(looks) == 2
