"""Rendered sets and exports on disk: complete, resumable, extensible, never mixed."""

from __future__ import annotations

import csv
import json
import math
import re

import numpy as np
import pytest
from PIL import Image

from engines.core.errors import Cancelled, OptionError
from engines.core.progress import CancelToken
from engines.data.export import export_labelled
from engines.data.faces import ATTRIBUTES, Portrait, attributes, counterfactual, reshoot, sample
from engines.data.registry import data_set, set_with_attributes
from engines.data.sets import rendered_set
from engines.data.workers import in_processes

FACES, FACES_OOD = data_set("faces"), data_set("faces-ood")


def test_a_set_holds_pictures_labels_and_factors(fake_renderer, folder):
    made = rendered_set("faces", "train", 11, folder=folder, processes=1)
    assert made.images.shape == (11, 128, 128, 3) and made.images.dtype == np.uint8
    assert made.attributes == ATTRIBUTES and "CC0" in made.licence and made.classes is None
    assert json.loads((folder / "set.json").read_text(encoding="utf-8")) == {
        "name": "faces", "split": "train", "renderer": 1, "size_px": 128, "attributes": list(ATTRIBUTES),
        "licence": "CC0-1.0 geometry (MakeHuman/MPFB2 head, Face Units by Mika Suominen); pictures rendered by this project",
    }, "sets that were rendered before must stay readable"  # fmt: skip
    for index in (0, 7, 10):
        portrait = sample([1, index])
        assert made.records[index] == portrait
        assert np.array_equal(made.images[index], fake_renderer(portrait))
        assert made.labels[index].tolist() == list(attributes(portrait).values())


def test_a_finished_set_is_not_rendered_again(fake_renderer, folder):
    rendered_set("faces", "test", 9, folder=folder, processes=1)
    before = fake_renderer.calls
    assert len(rendered_set("faces", "test", 5, folder=folder, processes=1).images) == 5
    assert fake_renderer.calls == before == 9


def test_a_set_grows_and_keeps_its_rows(fake_renderer, folder):
    first = rendered_set("faces", "validation", 6, folder=folder, processes=1)
    kept = np.array(first.images)
    grown = rendered_set("faces", "validation", 20, folder=folder, processes=1)
    assert fake_renderer.calls == 20
    assert np.array_equal(grown.images[:6], kept)
    assert grown.labels.shape == (20, len(ATTRIBUTES)) and len(grown.records) == 20


def test_a_set_goes_on_after_its_files_were_cut_off(fake_renderer, folder):
    """As a kill in the middle of a write leaves them: half a line, and pictures without a line."""
    whole = np.array(rendered_set("faces", "train", 12, folder=folder, processes=1).images)
    lines = (folder / "factors.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "factors.jsonl").write_bytes(b"".join(lines[:5]) + lines[5][:100])
    np.load(folder / "images.npy", mmap_mode="r+")[5:] = 0
    (folder / "labels.npy").unlink()
    before = fake_renderer.calls
    again = rendered_set("faces", "train", 12, folder=folder, processes=1)
    assert fake_renderer.calls - before == 7
    assert np.array_equal(again.images, whole)
    assert (folder / "factors.jsonl").read_bytes() == b"".join(lines)


def test_cancelling_keeps_what_is_finished(fake_renderer, folder):
    token, seen = CancelToken(), []

    def progress(record):
        seen.append(record.step)
        token.cancel()

    with pytest.raises(Cancelled):
        rendered_set("faces", "train", 30, folder=folder, processes=1, progress=progress, cancel=token)
    assert seen == [8]
    rendered_set("faces", "train", 30, folder=folder, processes=1, progress=lambda record: seen.append(record.step))
    assert seen[1:] == [16, 24, 30] and fake_renderer.calls == 30


def test_a_folder_of_another_split_is_refused(fake_renderer, folder):
    rendered_set("faces", "train", 3, folder=folder, processes=1)
    with pytest.raises(OptionError, match="holds another set"):
        rendered_set("faces", "test", 3, folder=folder, processes=1)


def test_rows_of_another_renderer_are_not_extended(fake_renderer, folder):
    rendered_set("faces", "train", 3, folder=folder, processes=1)
    other = "".join(sample([99, index]).to_json() + "\n" for index in range(3))
    (folder / "factors.jsonl").write_text(other, encoding="utf-8")
    with pytest.raises(OptionError, match="another version"):
        rendered_set("faces", "train", 4, folder=folder, processes=1)


def test_two_writers_do_not_meet(fake_renderer, folder):
    fcntl = pytest.importorskip("fcntl")
    folder.mkdir()
    with (folder / "rendering.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(OptionError, match="Another process is rendering"):
            rendered_set("faces", "train", 3, folder=folder, processes=1)
    assert len(rendered_set("faces", "train", 3, folder=folder, processes=1).images) == 3


@pytest.mark.parametrize(
    ("name", "split", "n", "words"),
    [
        ("cats", "train", 1, "no rendered set 'cats'; choose one of faces, faces-ood, multimnist"),
        ("faces", "holdout", 1, "no split"),
        ("multimnist", "reshoots", 1, "no split 'reshoots' of multimnist; choose one of train, validation, test"),
        ("faces", "train", 0, "at least one"),
    ],
)
def test_wrong_names_are_refused(name, split, n, words, folder):
    with pytest.raises(OptionError, match=words):
        rendered_set(name, split, n, folder=folder)


def test_a_set_is_found_by_what_it_has_labels_for():
    assert set_with_attributes(("Beard", "Male")).name == "faces"
    assert set_with_attributes(("Digits_3",)).name == "multimnist"
    assert set_with_attributes(("Large",)).name == "creatures"
    with pytest.raises(OptionError, match="No rendered set has labels for all of Digits_3, Male"):
        set_with_attributes(("Male", "Digits_3"))


def test_no_portrait_is_in_two_splits():
    rows = [data_set(name) for name in ("faces", "faces-ood")]
    seen = [row.record(split, index).to_json() for row in rows for split in row.splits for index in range(25)]
    seen += [data_set("faces").exported(seed, index).to_json() for seed in (0, 1) for index in range(25)]
    assert len(set(seen)) == len(seen)


def test_a_reshoot_row_shows_the_training_row_again():
    first, second = FACES.record("train", 4), FACES.record("reshoots", 4)
    assert second == reshoot(first, [5, 4])
    assert second.local == first.local and second.gender == first.gender and second.yaw != first.yaw


def test_accessories_are_only_out_of_distribution():
    assert {FACES.record(split, index).ood for split in FACES.splits for index in range(12)} == {"none"}
    assert {FACES_OOD.record("test", index).ood for index in range(4)} == {"beanie", "cap", "headscarf", "earrings"}
    seen = [FACES.record(split, index) for split in FACES.splits for index in range(300)]
    dyed, turned, harsh = (FACES_OOD.record("test", index) for index in (4, 5, 6))
    assert dyed.hair_color not in {portrait.hair_color for portrait in seen}
    assert abs(turned.yaw) > max(abs(portrait.yaw) for portrait in seen)
    assert harsh.light_size < min(portrait.light_size for portrait in seen)
    assert harsh.ambient < min(portrait.ambient for portrait in seen)


def test_processes_return_results_in_order():
    assert list(in_processes(math.sqrt, [16.0, 9.0, 4.0, 1.0], processes=2)) == [4.0, 3.0, 2.0, 1.0]


def test_an_export_is_complete_and_goes_on(fake_renderer, tmp_path):
    made = export_labelled("faces", 5, tmp_path, size_px=64, seed=3, counterfactuals=["Bald", "Smiling"], processes=1)
    assert (made.n, made.rendered) == (5, 15)
    with (tmp_path / "labels.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    lines = (tmp_path / "factors.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(rows) == len(lines) == 5
    for index, (row, line) in enumerate(zip(rows, lines, strict=True)):
        portrait = Portrait.from_json(line)
        labels = attributes(portrait)
        assert row == {"file": f"{index:06d}.png", **{name: str(int(labels[name])) for name in ATTRIBUTES}}
        flipped = counterfactual(portrait, "Bald", not labels["Bald"])
        for path, shown in ((tmp_path / "images", portrait), (tmp_path / "counterfactuals" / "Bald", flipped)):
            with Image.open(path / row["file"]) as image:
                assert np.array_equal(np.asarray(image), fake_renderer(shown, 64))
    (tmp_path / "images" / "000002.png").unlink()
    again = export_labelled("faces", 6, tmp_path, size_px=64, seed=3, counterfactuals=["Bald", "Smiling"], processes=1)
    assert again.rendered == 1 + 3


def test_two_exports_are_not_mixed(fake_renderer, tmp_path):
    export_labelled("faces", 1, tmp_path, size_px=64, processes=1)
    with pytest.raises(OptionError, match="seed 0"):
        export_labelled("faces", 1, tmp_path, size_px=64, seed=1, processes=1)


@pytest.mark.parametrize("text", ["{", "[1]", "\ud800"])
def test_a_damaged_record_of_an_export_is_named(fake_renderer, tmp_path, text):
    path = tmp_path / "export.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(OptionError, match=f"--out: {re.escape(str(path))} cannot be read"):
        export_labelled("faces", 1, tmp_path, size_px=64, processes=1)
    assert [each.name for each in tmp_path.iterdir()] == ["export.json"]


@pytest.mark.parametrize(
    ("options", "words"),
    [({"size_px": 32}, "64 to 512"), ({"counterfactuals": ["Hat"]}, "no attribute Hat"), ({"n": 0}, "At least one")],
)
def test_wrong_export_options_are_refused(options, words, tmp_path):
    arguments = {"n": 1, **options}
    with pytest.raises(OptionError, match=words):
        export_labelled("faces", out_dir=tmp_path, **arguments)
    assert not list(tmp_path.iterdir())


@pytest.mark.train
def test_a_true_set_renders(renderer, folder):
    made = rendered_set("faces-ood", "test", 2, folder=folder, processes=1)
    assert np.array_equal(made.images[1], renderer(FACES_OOD.record("test", 1)))
    assert made.images.std() > 20
