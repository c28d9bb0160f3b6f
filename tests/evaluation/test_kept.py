"""Results that are kept, whatever happens to their files; and the share of the work that one call does."""

from __future__ import annotations

import argparse
import shutil
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from engines.core.errors import OptionError
from engines.core.paths import PACKS_VARIABLE, data_dir
from engines.evaluation.kept import Kept, kept_folder
from engines.evaluation.work_share import WorkShare, add_share_arguments
from engines.imaging.grids import save_png
from engines.packs.registry import open_pack
from engines.packs.write import write_component


@dataclass(frozen=True)
class Figures:
    error: float
    steps: int
    tuned: bool = False


PICTURE = np.random.default_rng(0).integers(0, 256, (12, 12, 3), dtype=np.uint8)


def test_a_result_comes_back_as_it_was(tmp_path):
    kept = Kept(tmp_path / "runs", Figures)
    assert kept.get("a") is None
    figures = Figures(0.1 + 0.2, 7, tuned=True)
    kept.keep("a", figures, PICTURE)
    kept.keep("b", Figures(float("inf"), 0), PICTURE[::-1])
    found, picture = Kept(tmp_path / "runs", Figures).get("a")
    assert found == figures and np.array_equal(picture, PICTURE)
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["a.png", "b.png"]
    kept.keep("a", Figures(0.5, 8), PICTURE)
    assert kept.get("a")[0] == Figures(0.5, 8)
    for _ in range(2):
        kept.forget("a")
    assert kept.get("a") is None and kept.get("b")[0].error == float("inf")


def test_a_damaged_file_counts_as_none(tmp_path):
    kept, path = Kept(tmp_path, Figures), tmp_path / "a.png"
    kept.keep("a", Figures(0.25, 3), PICTURE)
    data = path.read_bytes()
    middle = len(data) // 2
    for damaged in (b"", data[:20], data[:middle], data[:-60], data[:middle] + bytes(40) + data[middle + 40 :], b"0" * 400):
        path.write_bytes(damaged)
        assert kept.get("a") is None, len(damaged)
    save_png(path, PICTURE)
    assert kept.get("a") is None, "a picture without figures"
    Kept(tmp_path, WorkShare).keep("a", WorkShare(1, 2, None), PICTURE)
    assert kept.get("a") is None, "other figures"


def test_the_folder_is_named_by_all_that_decides(tiny_packs_dir, tmp_path, monkeypatch):
    folder = tmp_path / "packs" / "tiny"
    shutil.copytree(tiny_packs_dir / "tiny", folder)
    monkeypatch.setenv(PACKS_VARIABLE, str(folder.parent))

    def name(*deciding, what="runs", kinds=("generator", "encoder", "class_predictor")):
        return kept_folder(open_pack("tiny"), what, kinds, deciding)

    first = name("adam", 0, None)
    assert first == name("adam", 0, None) and first.parent == data_dir() / "evaluations" / "tiny"
    others = [name("adam", 1, None), name("adam", 0, 0), name("cma", 0, None), name("adam", 0), name("adam", 0, None, what="x")]
    assert len({first, *others}) == 6

    _changed(folder, "edit_maps")
    assert name("adam", 0, None) == first, "edit maps take no part"
    _changed(folder, "encoder")
    assert name("adam", 0, None) != first
    assert name(kinds=("generator",)) != name(kinds=("encoder",))


def _changed(folder, kind: str) -> None:
    pack = open_pack("tiny")
    network, source = getattr(pack, kind), pack.manifest.to_json()["components"][kind]
    other = type(network).from_config(source["config"])
    with torch.no_grad():
        other.load_state_dict({name: tensor + 1 for name, tensor in network.state_dict().items()})
    write_component(folder, kind, other, source["config"], source["provenance"], half=False)


def _share(*words: str) -> WorkShare:
    parser = argparse.ArgumentParser()
    add_share_arguments(parser, then="end")
    return WorkShare.of(parser.parse_args(list(words)))


def test_every_picture_belongs_to_one_part():
    parts = [[i for i in range(10) if _share("--part", f"{number}/3").has(i)] for number in (1, 2, 3)]
    assert parts == [[0, 3, 6, 9], [1, 4, 7], [2, 5, 8]]
    assert all(_share().has(i) for i in range(10))


def test_nothing_is_begun_after_the_minutes(monkeypatch):
    """Begun at 0; looked at after 30, 60, 90 and 120 seconds."""
    clock = iter(range(0, 1000, 30))
    monkeypatch.setattr("engines.evaluation.work_share.time.monotonic", lambda: float(next(clock)))
    assert list(_share("--minutes", "2").in_time("abcdefgh")) == ["a", "b", "c"]
    assert list(_share().in_time("abcdefgh")) == list("abcdefgh")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--part", "3/2"), "--part 3/2: give I/N"),
        (("--part", "0/2"), "--part 0/2: give I/N"),
        (("--part", "half"), "--part half: give I/N"),
        (("--minutes", "-1"), "--minutes -1: give a number above 0"),
        (("--minutes", "nan"), "--minutes nan: give a number above 0"),
    ],
)
def test_shares_that_mean_nothing_are_refused(words, message):
    with pytest.raises(OptionError, match=message):
        _share(*words)
