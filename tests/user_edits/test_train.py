"""A user's edit from codes and from pictures: what it learns, what it keeps, and what it refuses."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engines import api
from engines.core.errors import Cancelled, OptionError, RunError
from engines.core.paths import PACKS_VARIABLE, data_dir
from engines.core.progress import Progress
from engines.data.label_table import read_label_table
from engines.packs import user_edit_files
from engines.packs.user_edits import EDIT_NAME, LEAST, edits_folder, fitting_edits, open_networks
from engines.training.lw_map import LwOptions
from engines.training.lw_recipe import Recipe
from engines.training.user_edit import Training
from engines.user_edits.codes_file import CodesFile
from engines.user_edits.encoding import encode_pictures
from engines.user_edits.pictures import from_table
from engines.user_edits.train import NewEdit, train_from_codes, train_from_pictures
from tests.user_edits.planted import code_score, planted_codes, planted_pictures, sample_codes, write_folder

QUICK = Training(Recipe(LwOptions(steps=20, batch=128, rank=4, components=8), change=0.8), classifier_steps=150)


def ignore(record: Progress) -> None:
    pass


def _codes(pack, n: int = 120, seed: int = 1) -> CodesFile:
    codes, has = planted_codes(pack, n, seed)
    return CodesFile(codes, ("Hat",), has[:, None])


def _train(pack, file: CodesFile | None = None, **changes):
    new = replace(NewEdit("Hat", training=QUICK), **changes)
    return train_from_codes(pack, _codes(pack) if file is None else file, "Hat", new, progress=ignore)[0]


@pytest.fixture
def hat_pictures(tiny_pack, tmp_path):
    pictures, has = planted_pictures(tiny_pack, 48)
    table = write_folder(tmp_path / "mine", pictures, has)
    return from_table(read_label_table(table), table.parent, "Hat", ())


def test_the_map_flips_the_planted_rule_both_ways(tiny_pack):
    """At twice the maps' own unit, slider 2.0 without calibration, new codes cross the rule, and along its axis above all.

    The tiny pack's random encoder does not see the axis in pictures, so that strength 1 says nothing here.
    """
    networks = open_networks(_train(tiny_pack, _codes(tiny_pack, 500)))
    fresh = sample_codes(tiny_pack, 200, 7)
    score = code_score(tiny_pack, fresh)
    for place, sign in enumerate((1.0, -1.0)):
        start = fresh[torch.from_numpy((score > 0) == (sign < 0))]
        with torch.inference_mode():
            moved = networks.maps.edit(start, {"Hat": 2 * sign / float(networks.maps.scale[0, place])})
        assert ((code_score(tiny_pack, moved) > 0) == (sign > 0)).mean() > 0.85
        change = (moved - start).mean(0).flatten()
        along = [float(change @ axis / axis.square().sum()) for axis in tiny_pack.statistics["w_plus_factors"][:8]]
        assert int(np.argmax(np.abs(along))) == 1 and along[1] * sign > 0
    with torch.inference_mode():
        told = networks.classifier(fresh)[:, 0].numpy() > 0
    assert (told == (score > 0)).mean() > 0.9


def test_the_pack_shows_and_paints_it_and_stays_as_it_was(tiny_pack):
    before = {path: path.read_bytes() for path in tiny_pack.folder.iterdir()}
    plain = api.pack_info(tiny_pack)
    _train(tiny_pack, name="Party hat")
    info = api.pack_info(tiny_pack)
    assert info.attributes[: len(plain.attributes)] == plain.attributes
    (new,) = info.attributes[len(plain.attributes) :]
    assert (new.id, new.name, new.own, new.alpha_min, new.calibrated_alpha) == ("Party_hat", "Party hat", True, -2.0, 1.0)
    assert info in api.list_packs()

    person = api.surprise(tiny_pack, 3)
    still, moved = api.render(tiny_pack, person, {}), api.render(tiny_pack, person, {"Party_hat": 1.5})
    assert np.array_equal(still.image, person.reconstruction) and not np.array_equal(moved.image, still.image)
    (row,) = [row for row in api.report(tiny_pack, person, moved) if row.id == "Party_hat"]
    networks = open_networks(fitting_edits(tiny_pack.manifest, None)["Party_hat"])
    with torch.inference_mode():
        image = torch.from_numpy(moved.image.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
        read = float(networks.classifier.probabilities(tiny_pack.encoder(image)))
    assert row.after == pytest.approx(read, abs=1e-5) and row.name == "Party hat"
    assert {path: path.read_bytes() for path in tiny_pack.folder.iterdir()} == before


def test_it_is_applied_after_the_packs_edits_on_the_layers_asked_for(tiny_pack):
    edit = _train(tiny_pack)
    person = api.surprise(tiny_pack, 3)
    frame = api.render(tiny_pack, person, {"Hat": 0.7, "Smiling": 1.0}, layers=(2, 5))
    w = torch.from_numpy(person.w_plus.copy())[None]
    with torch.inference_mode():
        w = tiny_pack.edit_maps.edit(w, {"Smiling": 1.0}, (2, 5))
        w = open_networks(edit).maps.edit(w, {"Hat": 0.7}, (2, 5))
        expected = tiny_pack.generator.synthesis(w, noise_mode="const")
    assert np.array_equal(frame.image, (expected[0].permute(1, 2, 0).clamp(-1, 1) + 1).mul(127.5).round().byte().numpy())
    with pytest.raises(OptionError, match="Hat=3"):
        api.render(tiny_pack, person, {"Hat": 3.0})


def test_pictures_give_an_edit_with_its_page(tiny_pack, hat_pictures):
    edit, run = train_from_pictures(tiny_pack, hat_pictures, NewEdit("Hat", training=QUICK), aligned=True, progress=ignore)
    page = (edit.folder / "report.md").read_text()
    assert "![" in page and "picture_change" in page and "48 pictures" in page
    assert {"add.png", "remove.png", "table.csv", "result.json"} <= {path.name for path in edit.folder.iterdir()}
    for direction in ("add", "remove"):
        figures = edit.figures[direction]
        assert figures["n"] == round(0.2 * 24) and 0 <= figures["attribute_preservation"] <= 1
    assert not (run / "checkpoint.pt").exists() and (run / "config.json").exists()
    assert edit.folder == data_dir() / "edits" / "tiny" / "Hat"


def test_a_page_users_edit_is_seen_by_nobody_else(tiny_pack):
    token, stranger = "a-secret-of-many-letters", "another-secret-of-letters"
    mine, other = (api.open_pack("tiny", user=each) for each in (token, stranger))
    edit = _train(mine)
    assert [a.id for a in api.pack_info(mine).attributes if a.own] == ["Hat"]
    for pack in (tiny_pack, other):
        assert not [a.id for a in api.pack_info(pack).attributes if a.own]
        with pytest.raises(OptionError, match="unknown attribute 'Hat'"):
            api.check_edits(pack, {"Hat": 1.0})
        with pytest.raises(OptionError, match="no edit 'Hat'"):
            api.remove_edit(pack, "Hat")
    assert token not in str(edit.folder)
    _train(other)
    assert api.remove_edit(mine, "Hat").id == "Hat"
    assert not [a for a in api.pack_info(mine).attributes if a.own]
    assert [a.id for a in api.pack_info(other).attributes if a.own] == ["Hat"]
    with pytest.raises(OptionError, match="secret"):
        api.open_pack("tiny", user="../../x")


def test_other_weights_of_the_pack_need_another_training(tiny_pack):
    edit = _train(tiny_pack)
    path = edit.folder / EDIT_NAME
    value = json.loads(path.read_text())
    value["bound"]["encoder"] = "0" * 64
    path.write_text(json.dumps(value))
    assert not [a for a in api.pack_info(tiny_pack).attributes if a.own]
    with pytest.raises(OptionError, match="another encoder of the pack tiny and no longer fits; train it again"):
        api.check_edits(tiny_pack, {"Hat": 1.0})
    ((_, problem),) = api.user_edits("tiny")
    assert "no longer fits" in problem and problem.endswith("edits remove Hat --pack tiny.")


def test_what_to_do_about_a_page_users_edit_names_the_user(tiny_pack):
    edit = _train(api.open_pack("tiny", user="a-secret-of-many-letters"))
    (edit.folder / EDIT_NAME).write_text("{")
    ((_, problem),) = api.user_edits("tiny")
    assert problem.endswith(f"edits remove Hat --pack tiny --user {edit.user}.")


HUGE = json.dumps({"format": 1, "id": "Hat", "pack": "tiny", "alpha_min": -(10**400), "alpha_max": 1, "calibrated_alpha": 1})


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}', '{"format": 9}', "\x00" * 10, '{"a":' * 5000, HUGE])
def test_a_damaged_record_is_told_and_harms_nothing_else(tiny_pack, text):
    edit = _train(tiny_pack)
    (edit.folder / EDIT_NAME).write_text(text)
    assert len(api.pack_info(tiny_pack).attributes) == len(tiny_pack.manifest.attributes)
    ((_, problem),) = api.user_edits("tiny")
    assert "damaged" in problem
    assert api.remove_edit(tiny_pack, "Hat").damage


def test_damaged_weights_are_told(tiny_pack):
    edit = _train(tiny_pack)
    path = edit.folder / edit.file
    path.write_bytes(path.read_bytes()[:-8] + b"12345678")
    with pytest.raises(OptionError, match="Hat: the weights of this edit of yours cannot be read"):
        open_networks(replace(edit, folder=edit.folder.parent / "Hat" / "."))


class _Stop(Exception):
    pass


def test_an_interrupted_training_is_gone_on_with_to_the_same_edit(tiny_pack, hat_pictures, tmp_path):
    whole, _ = train_from_pictures(
        tiny_pack, hat_pictures, NewEdit("Hat", training=QUICK, run=tmp_path / "whole"), aligned=True, progress=ignore
    )
    expected = (whole.folder / whole.file).read_bytes()
    api.remove_edit(tiny_pack, "Hat")
    new = NewEdit("Hat", training=QUICK, run=tmp_path / "parts")

    def until(stage: str, step: int):
        def stop(record: Progress) -> None:
            if record.stage.startswith(stage) and record.step >= step:
                raise _Stop

        return stop

    for number, stop in enumerate((until("Encoding", 16), until("Training the latent", 120), until("Fitting", 10))):
        with pytest.raises(_Stop):
            train_from_pictures(tiny_pack, hat_pictures, replace(new, resume=number > 0), aligned=True, progress=stop)
        assert not fitting_edits(tiny_pack.manifest, None)
    stages = set()
    resumed, _ = train_from_pictures(
        tiny_pack, hat_pictures, replace(new, resume=True), aligned=True, progress=lambda record: stages.add(record.stage)
    )
    assert (resumed.folder / resumed.file).read_bytes() == expected
    assert not any(stage.startswith("Training") for stage in stages), "the classifier was finished before"
    with pytest.raises(RunError, match="no checkpoint"):
        train_from_pictures(tiny_pack, hat_pictures, replace(new, name="Cap", resume=True), aligned=True, progress=ignore)


def test_cancelling_leaves_no_edit(tiny_pack, hat_pictures):
    cancel = api.CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        api.train_edit(tiny_pack, hat_pictures, "Hat", aligned=True, cancel=cancel)
    assert not list((data_dir() / "edits").glob("**/*")) if (data_dir() / "edits").exists() else True


@pytest.mark.parametrize(
    ("name", "edit_id", "said"),
    [
        ("Smiling", None, "has an attribute of this name already"),
        ("smiling", None, "has an attribute of this name already"),
        ("My smile", "SMILING", "has an attribute of this name already"),
        ("", None, "name of 1 to 40"),
        ("x" * 41, None, "name of 1 to 40"),
        ("two\nlines", None, "name of 1 to 40"),
        ("Hat", "../up", "use up to 40 letters"),
        ("Hat", ".users", "use up to 40 letters"),
    ],
)
def test_names_that_cannot_be(tiny_pack, name, edit_id, said):
    with pytest.raises(OptionError, match=said):
        _train(tiny_pack, name=name, id=edit_id)


def test_a_name_is_taken_once(tiny_pack):
    _train(tiny_pack)
    with pytest.raises(OptionError, match="there is an edit of this name already"):
        _train(tiny_pack)
    with pytest.raises(OptionError, match="there is an edit of this name already"):
        _train(tiny_pack, id="hAT")


def test_a_name_in_any_letters_has_an_id(tiny_pack):
    edit = _train(tiny_pack, name="Шляпа")
    assert edit.id.startswith("edit-") and edit.name == "Шляпа"


def _with(file: CodesFile, count: int) -> CodesFile:
    """All codes without the attribute and `count` with it."""
    has = file.labels[:, 0]
    chosen = np.sort(np.concatenate([np.flatnonzero(has)[:count], np.flatnonzero(~has)]))
    return CodesFile(file.codes[torch.from_numpy(chosen)], file.attributes, file.labels[chosen])


def test_too_few_examples(tiny_pack):
    file = _codes(tiny_pack)
    with pytest.raises(OptionError, match=f"no picture with the attribute; at least {LEAST} with it and {LEAST} without"):
        _train(tiny_pack, _with(file, 0))
    with pytest.raises(OptionError, match=f"3 pictures with the attribute and \\d+ without; at least {LEAST} of each"):
        _train(tiny_pack, _with(file, 3))


def test_the_least_number_of_examples_is_enough(tiny_pack):
    codes, has = planted_codes(tiny_pack, 80)
    chosen = np.sort(np.concatenate([np.flatnonzero(has)[:LEAST], np.flatnonzero(~has)[:LEAST]]))
    edit = _train(tiny_pack, CodesFile(codes[torch.from_numpy(chosen)], ("Hat",), has[chosen, None]))
    assert edit.figures["add"]["n"] == 2


def test_a_pack_without_latent_classifier_learns_too(tiny_packs_dir, tmp_path, monkeypatch):
    packs = tmp_path / "packs"
    shutil.copytree(tiny_packs_dir, packs)
    path = packs / "tiny" / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["components"]["latent_classifier"]
    path.write_text(json.dumps(manifest))
    monkeypatch.setenv(PACKS_VARIABLE, str(packs))
    pack = api.open_pack("tiny")
    networks = open_networks(_train(pack))
    codes = sample_codes(pack, 20, 7)
    change = code_score(pack, networks.maps.edit(codes, {"Hat": 1.0})) - code_score(pack, codes)
    assert (change > 0).all()


def test_pictures_that_cannot_be_used_are_skipped_and_named(tiny_pack, hat_pictures, tmp_path):
    broken = Path(hat_pictures.paths[5])
    broken.write_bytes(b"no picture")
    edit, _ = train_from_pictures(tiny_pack, hat_pictures, NewEdit("Hat", training=QUICK), aligned=True, progress=ignore)
    assert edit.provenance["skipped"] == 1 and "000005.png is" in (edit.folder / "report.md").read_text()
    # Without faces in them none of these pictures can be aligned.
    with pytest.raises(OptionError, match=r"none of the 48 pictures can be used; the first: 000000\.png: no face was"):
        train_from_pictures(tiny_pack, hat_pictures, NewEdit("Cap", training=QUICK), aligned=False, progress=ignore)


def test_every_picture_is_told_and_may_be_the_last(tiny_pack, hat_pictures):
    told = []

    def stop(record: Progress) -> None:
        told.append(record.step)
        if record.step == 3:
            raise _Stop

    with pytest.raises(_Stop):
        encode_pictures(tiny_pack, hat_pictures, aligned=True, progress=stop)
    assert told == [0, 1, 2, 3]


def test_an_edit_that_is_removed_twice_at_once_is_gone_and_that_is_said(tiny_pack, monkeypatch):
    edit = _train(tiny_pack)
    monkeypatch.setattr(user_edit_files, "all_user_edits", lambda pack_id: [edit])
    api.remove_edit(tiny_pack, "Hat")
    with pytest.raises(OptionError, match="there is no edit 'Hat' of yours for the pack tiny; there are: none"):
        api.remove_edit(tiny_pack, "Hat")


def test_an_edit_that_is_removed_while_it_is_written_is_no_fault(tiny_pack, monkeypatch):
    monkeypatch.setattr(user_edit_files, "all_user_edits", lambda pack_id: [])
    with pytest.raises(OptionError, match="removed as soon as it was written"):
        _train(tiny_pack)


def test_what_was_interrupted_long_ago_is_removed_when_edits_are_listed(tiny_pack):
    home = edits_folder("tiny", None)
    for name in (".new-0011", ".gone-0011", ".new-fresh"):
        (home / name).mkdir(parents=True)
        (home / name / "add.png").write_bytes(b"a picture")
        if name != ".new-fresh":
            os.utime(home / name, (0, 0))
    api.user_edits("tiny")
    assert [path.name for path in home.iterdir()] == [".new-fresh"]
