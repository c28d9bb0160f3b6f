"""A finished picture is fetched by its ticket alone, as it was, and not for ever."""

from __future__ import annotations

import numpy as np
from PIL import Image

from editor_app.downloads import Downloads


def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)


def test_the_file_holds_the_pixels_and_its_name():
    downloads = Downloads()
    found = downloads.find(downloads.add(noise(), "me-edited.png"))
    assert found.name == "me-edited.png"
    assert np.array_equal(np.asarray(Image.open(found.path)), noise())
    downloads.close()


def test_another_ticket_finds_nothing():
    downloads = Downloads()
    ticket = downloads.add(noise(), "a.png")
    assert downloads.find(ticket[:-1]) is None
    assert downloads.find("../" + ticket) is None
    downloads.close()


def test_old_files_are_removed():
    now_sec = [0.0]
    downloads = Downloads(max_age_sec=5, clock=lambda: now_sec[0])
    ticket = downloads.add(noise(), "a.png")
    path = downloads.find(ticket).path
    now_sec[0] = 6
    assert downloads.find(ticket) is None
    assert not path.exists()
    downloads.close()


def test_closing_leaves_no_folder():
    downloads = Downloads()
    path = downloads.find(downloads.add(noise(), "a.png")).path
    downloads.close()
    assert not path.parent.exists()
