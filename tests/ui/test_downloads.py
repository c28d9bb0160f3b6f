"""A finished picture is fetched by its ticket alone, as it was, and not for ever."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
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


def test_old_files_are_removed_though_nobody_asks():
    now_sec = [0.0]
    downloads = Downloads(max_age_sec=5, clock=lambda: now_sec[0])
    path = downloads.find(downloads.add(noise(), "a.png")).path
    now_sec[0] = 6
    downloads.sweep()
    assert not path.exists()
    downloads.close()


def test_the_oldest_make_room_and_the_newest_stays():
    downloads = Downloads(max_bytes=5000)
    tickets = [downloads.add(noise(), "a.png") for _ in range(4)]
    assert [downloads.find(ticket) is not None for ticket in tickets] == [False, False, True, True]
    small = Downloads(max_bytes=10)
    assert small.find(small.add(noise(), "a.png")) is not None
    for each in (downloads, small):
        each.close()


def test_half_a_file_is_removed(monkeypatch: pytest.MonkeyPatch):
    downloads = Downloads()
    folder = downloads.find(downloads.add(noise(), "a.png")).path.parent

    def full(image: Image.Image, path: Path, *_: object, **__: object) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(OSError, match="No space"):
        downloads.add(noise(), "b.png")
    assert len(list(folder.iterdir())) == 1
    downloads.close()
