from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from engines.imaging.grids import encode_jpeg, picture_grid, save_png


def flat(level: int, height: int = 4, width: int = 6) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


def test_pictures_lie_in_rows_and_columns_on_white():
    grid = picture_grid([[flat(10), flat(20)], [flat(30)]], pad_px=3)
    assert grid.shape == (4 + 3 + 4, 6 + 3 + 6, 3)
    assert (grid[:4, :6] == 10).all() and (grid[:4, 9:] == 20).all() and (grid[7:, :6] == 30).all()
    assert (grid[4:7] == 255).all() and (grid[7:, 6:] == 255).all()


def test_smaller_pictures_are_centred_in_their_cells():
    grid = picture_grid([[flat(10, 6, 6), flat(20, 2, 4)]], pad_px=0)
    assert (grid[2:4, 7:11] == 20).all()
    assert (grid[:, 6:] == 20).sum() == 2 * 4 * 3


def test_labels_are_written_below_their_pictures_and_cut_to_fit():
    pictures = [[flat(128, 32, 48), flat(128, 32, 48)]]
    plain = picture_grid(pictures)
    grid = picture_grid(pictures, labels=[["Smiling", ""]])
    assert np.array_equal(grid[:32], plain)
    band = grid[32:]
    assert band[:, :48].min() < 80
    assert (band[:, 48:] == 255).all()
    long = picture_grid(pictures, labels=[["a label far too long for its cell", ""]])
    assert long.shape == grid.shape
    assert (long[32:, 48:] == 255).all() and (long[32:, :1] == 255).all()


def test_grids_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="at least one"):
        picture_grid([[]])
    with pytest.raises(ValueError, match="shape of rows"):
        picture_grid([[flat(1)]], labels=[["a", "b"]])


def test_saved_pictures_come_back_exactly_and_leave_nothing_else(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (9, 5, 3), dtype=np.uint8)
    save_png(tmp_path / "new" / "a.png", pixels)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "new" / "a.png")), pixels)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.png"]


def test_jpegs_keep_colour_at_full_resolution():
    stripes = np.zeros((16, 16, 3), np.uint8)
    stripes[:, ::2] = (255, 0, 0)
    stripes[:, 1::2] = (0, 0, 255)
    decoded = np.asarray(Image.open(io.BytesIO(encode_jpeg(stripes, quality=95))))
    assert np.abs(decoded.astype(int) - stripes).mean() < 12
