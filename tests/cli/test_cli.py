"""The command line, run as people run it: exit status, what stands on stdout and stderr, and what lies in the folders."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engines import api
from engines.core.paths import data_dir
from tests.cli.running import ROOT, as_process, command, json_of, only_error
from tests.tiny_pack import TINY_ATTRIBUTES


@pytest.fixture
def pictures(tiny_pack, tmp_path) -> list[Path]:
    """Three samples of the generator, two of them with the same name in different folders."""
    paths = [tmp_path / "in" / "one.png", tmp_path / "in" / "two.png", tmp_path / "in" / "again" / "one.jpg"]
    for seed, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(api.surprise(tiny_pack, seed).reconstruction).resize((64, 64)).save(path)
    return paths


# ---- packs ----


def test_packs_lists_the_packs_in_the_public_shape(tiny_pack):
    (pack,) = json_of(as_process("packs", "--json"))["packs"]
    assert {"id", "title", "resolution", "latent_shape", "attributes", "methods", "bytes"} <= set(pack)
    assert (pack["id"], pack["resolution"], pack["latent_shape"]) == ("tiny", 32, [8, 16])
    assert [attribute["id"] for attribute in pack["attributes"]] == list(TINY_ATTRIBUTES)
    assert {"id", "name", "alpha_min", "alpha_max", "calibrated_alpha"} <= set(pack["attributes"][0])


def test_packs_without_json_is_for_people(tiny_pack):
    done = command("packs")
    assert done.returncode == 0
    assert "tiny: Tiny test pack, 32 px" in done.stdout
    assert done.stderr == ""


def test_packs_starts_fast_because_it_imports_no_torch(tiny_pack):
    code = "import sys; from engines.cli.main import main; main(['packs']); print([m for m in sys.modules if m == 'torch'])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


# ---- sample ----


def test_sample_writes_what_surprise_shows(tiny_pack, tmp_path):
    result = json_of(
        command("sample", "--pack", "tiny", "--n", 5, "--seed", 40, "--truncation", 0.7, "--out", tmp_path, "--json")
    )
    assert [Path(file).name for file in result["files"]] == [f"00000{i}.png" for i in range(5)]
    for i, file in enumerate(result["files"]):
        assert np.array_equal(np.asarray(Image.open(file)), api.surprise(tiny_pack, 40 + i, 0.7).reconstruction)
    grid = Image.open(result["grid"])
    assert Path(result["grid"]).name == "grid.png"
    # Three columns, two rows.
    assert grid.width >= 3 * 32 > 2 * 32
    assert 2 * 32 <= grid.height < 3 * 32


# ---- invert ----


def test_invert_writes_a_folder_for_every_picture(tiny_pack, pictures, tmp_path):
    out = tmp_path / "out"
    done = command("invert", *pictures, "--pack", "tiny", "--method", "iterated-encoder", "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    results = json_of(done)["results"]
    assert sorted(path.name for path in out.iterdir()) == ["one", "one-2", "two"]
    assert [result["image"] for result in results] == [str(path) for path in pictures]
    for result, folder in zip(results, ("one", "two", "one-2"), strict=True):
        assert sorted(path.name for path in (out / folder).iterdir()) == [
            "aligned.png",
            "inversion.safetensors",
            "reconstruction.png",
            "result.json",
        ]
        assert json.loads((out / folder / "result.json").read_text()) == result
        crop, reconstruction = (np.asarray(Image.open(result[key])) / 127.5 for key in ("aligned", "reconstruction"))
        assert result["mse"] == pytest.approx(np.square(crop - reconstruction).mean(), rel=1e-4)
        assert (result["method"], result["steps"], result["perceptual_kind"]) == ("iterated-encoder", 3, "pack")
        assert result["seconds"] > 0
        assert isinstance(result["warnings"], list)
        inversion = api.load_inversion(result["inversion"], tiny_pack)
        assert np.array_equal(inversion.reconstruction, np.asarray(Image.open(result["reconstruction"])))


def test_a_search_tells_what_it_looked_at(tiny_pack, pictures, tmp_path):
    words = ("--method", "adam", "--space", "w", "--transform", "both", "--mask", "10,10,50,50", "--outside-weight", 0.1)
    words = ("invert", pictures[0], "--pack", "tiny", "--no-encoder-start", "--evaluations", 90, *words)
    (result,) = json_of(command(*words, "--out", tmp_path / "out", "--json"))["results"]
    assert result["evaluations"] >= 90
    assert set(result["transform"]) == {"scale", "shift", "brightness"}
    assert len(result["mask"]) == 4
    assert result["perceptual_kind"] == "pack"
    settings = api.load_inversion(result["inversion"]).settings
    assert (settings["space"], settings["encoder_start"], settings["outside_weight"]) == ("w", False, 0.1)
    done = command("edit", result["inversion"], "--pack", "tiny", "--set", "Male=1", "--out", tmp_path / "x.png", "--json")
    assert {key: json_of(done)[key] for key in ("evaluations", "mask")} == {key: result[key] for key in ("evaluations", "mask")}


def test_inverting_again_gives_the_same_and_replaces_the_files(tiny_pack, pictures, tmp_path):
    words = ("invert", pictures[0], "--pack", "tiny", "--steps", 4, "--out", tmp_path / "out", "--json")
    first = json_of(command(*words))["results"][0]
    kept = Path(shutil.copy(first["inversion"], tmp_path / "first.safetensors"))
    second = json_of(command(*words))["results"][0]
    assert {**second, "seconds": 0} == {**first, "seconds": 0}
    one, other = api.load_inversion(kept), api.load_inversion(second["inversion"])
    assert one.id == other.id
    assert one.w_plus.tobytes() == other.w_plus.tobytes()
    assert one.seconds != other.seconds, "the file is the second run's"


def test_a_bad_picture_does_not_lose_the_others(tiny_pack, pictures, tmp_path):
    bad = tmp_path / "broken.png"
    bad.write_bytes(b"this is no picture")
    out = tmp_path / "out"
    done = command("invert", pictures[0], bad, pictures[1], "--pack", "tiny", "--method", "encoder", "--out", out, "--json")
    assert str(bad) in only_error(done)
    assert [Path(result["image"]).name for result in json_of(done)["results"]] == ["one.png", "two.png"]
    assert sorted(path.name for path in out.iterdir()) == ["one", "two"]


# ---- edit ----


def _edit(*words: str | Path) -> dict:
    done = command("edit", *words, "--json")
    assert done.returncode == 0, done.stderr
    return json_of(done)


def test_what_an_edit_could_not_do_is_told(tiny_pack, pictures, tmp_path):
    words = (pictures[0], "--pack", "tiny", "--method", "encoder", "--mask", "1,1,9,9", "--set", "Male=1")
    done = command("edit", *words, "--out", tmp_path / "x.png")
    assert done.returncode == 0 and "warning: The method encoder has no use for mask; " in done.stdout


def test_an_edit_as_needed_takes_nothing_away_that_is_not_there(tiny_pack, pictures, tmp_path):
    words = (pictures[0], "--pack", "tiny", "--method", "encoder")
    seen = _edit(*words, "--set", "Male=0", "--out", tmp_path / "as-it-is.png")["before"]
    asked = (*words, "--set", f"{min(seen, key=seen.get)}=-1")
    full = _edit(*asked, "--out", tmp_path / "full.png")
    fitting = _edit(*asked, "--as-needed", "--out", tmp_path / "fitting.png")
    assert (full["as_needed"], fitting["as_needed"]) == (False, True)
    as_it_is, plain, needed = (np.asarray(Image.open(tmp_path / f"{n}.png"), int) for n in ("as-it-is", "full", "fitting"))
    assert np.abs(needed - as_it_is).mean() < np.abs(plain - as_it_is).mean()


def test_a_report_without_a_folder_goes_where_trials_go(tiny_pack, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = command("evaluate", "photos", "--pack", "tiny", "--edits", "Smiling=1", "--method", "encoder")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs" / "reports" / "photos-tiny" / "report.md").is_file()


def test_edit_adds_and_removes(tiny_pack, pictures, tmp_path):
    out = tmp_path / "edited.png"
    for attribute, alpha in (("Smiling", 1.0), ("Smiling", -1.0)):
        source = (pictures[0], "--method", "encoder", "--pack", "tiny")
        result = _edit(*source, "--set", f"{attribute}={alpha}", "--out", out)
        assert set(result["before"]) == set(result["after"]) == set(TINY_ATTRIBUTES)
        assert (result["after"][attribute] - result["before"][attribute]) * alpha > 0
        assert -1 <= result["identity_similarity"] < 1
        assert result["seconds"] > 0
        assert result["out"] == str(out)
        assert Image.open(out).size == (32, 32)


@pytest.fixture
def saved(tiny_pack, pictures, tmp_path) -> dict:
    done = command("invert", pictures[0], "--pack", "tiny", "--method", "encoder", "--out", tmp_path / "saved", "--json")
    return json_of(done)["results"][0]


def test_no_strength_gives_the_reconstruction(saved, tmp_path):
    out = tmp_path / "same.png"
    result = _edit(saved["inversion"], "--pack", "tiny", "--set", "Male=0", "--out", out)
    assert np.array_equal(np.asarray(Image.open(out)), np.asarray(Image.open(saved["reconstruction"])))
    assert result["before"] == result["after"]
    assert result["identity_similarity"] == 1


def test_an_inversion_and_its_picture_give_the_same_edit(saved, pictures, tmp_path):
    edit = ("--pack", "tiny", "--set", "Male=1.5", "--set", "Beard=-0.5")
    one, other = tmp_path / "one.png", tmp_path / "other.png"
    _edit(saved["inversion"], *edit, "--out", one)
    # Assignments may also follow one --set, and the source may stand behind them.
    words = ("--pack", "tiny", "--method", "encoder", "--out", other, "--set", "Male=1.5", "Beard=-0.5", pictures[0])
    _edit(*words)
    assert np.array_equal(np.asarray(Image.open(one)), np.asarray(Image.open(other)))


def test_paste_back_gives_the_whole_photo(saved, pictures, tmp_path):
    out = tmp_path / "whole.png"
    source = (pictures[0], "--pack", "tiny", "--method", "encoder")
    _edit(*source, "--set", "Male=0", "--paste-back", "--out", out)
    assert np.array_equal(np.asarray(Image.open(out)), np.asarray(Image.open(pictures[0])))
    _edit(*source, "--set", "Male=2", "--paste-back", "--out", out)
    edited = np.asarray(Image.open(out))
    assert edited.shape == (64, 64, 3)
    assert not np.array_equal(edited, np.asarray(Image.open(pictures[0])))
    again = tmp_path / "again.png"
    _edit(saved["inversion"], "--pack", "tiny", "--set", "Male=2", "--paste-back", "--picture", pictures[0], "--out", again)
    assert np.array_equal(np.asarray(Image.open(again)), edited)


def test_blend_says_how_to_paste_back(saved, pictures, tmp_path):
    whole = (saved["inversion"], "--pack", "tiny", "--set", "Male=1", "--paste-back", "--picture", pictures[0])
    shown = {}
    for blend in ((), ("--blend", "detail"), ("--blend", "poisson")):
        _edit(*whole, *blend, "--out", tmp_path / "pasted.png")
        shown[blend] = np.asarray(Image.open(tmp_path / "pasted.png"))
    default, detail, poisson = shown.values()
    assert np.array_equal(default, detail)
    assert poisson.shape == detail.shape and not np.array_equal(poisson, detail)


def test_layers_are_counted_with_both_ends(saved, tmp_path):
    edit = (saved["inversion"], "--pack", "tiny", "--set", "Male=2")
    files = {name: tmp_path / f"{name}.png" for name in ("all", "whole", "one")}
    _edit(*edit, "--out", files["all"])
    _edit(*edit, "--layers", "0-7", "--out", files["whole"])
    _edit(*edit, "--layers", "7", "--out", files["one"])
    everything, whole, one = (np.asarray(Image.open(file)) for file in files.values())
    assert np.array_equal(everything, whole)
    assert not np.array_equal(everything, one)


# ---- data ----


def test_data_writes_pictures_labels_and_counterfactuals(tmp_path):
    words = ("data", "faces", "--n", 1, "--size", 64, "--counterfactuals", "Eyeglasses", "--processes", 1, "--out", tmp_path)
    result = json_of(command(*words, "--json"))
    assert result["n"] == 1
    assert result["seconds"] > 0
    table = (tmp_path / "labels.csv").read_text().splitlines()
    assert table[0].startswith("file,")
    (row,) = (line.split(",") for line in table[1:])
    assert row[0] == "000000.png"
    assert set(row[1:]) == {"0", "1"}
    assert len((tmp_path / "factors.jsonl").read_text().splitlines()) == 1
    folders = ("images", "counterfactuals/Eyeglasses")
    picture, flipped = (np.asarray(Image.open(tmp_path / folder / "000000.png")) for folder in folders)
    assert picture.shape == (64, 64, 3)
    assert not np.array_equal(picture, flipped)


# ---- what goes wrong ----


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ((), "packs, sample"),
        (("pack",), "did you mean packs"),
        (("packs", "--nosuch"), "--nosuch"),
        (("sample", "--pack", "tiny", "--out", "x", "--n", "0"), "--n"),
        (("sample", "--pack", "tiny", "--out", "x", "--n", "many"), "not a whole number"),
        (("sample", "--pack", "tiny"), "--out"),
        (("sample", "--pack", "nosuch", "--out", "x"), "nosuch"),
        (("sample", "--pack", "tiny", "--out", "x", "--device", "tpu"), "tpu"),
        (("invert", "nosuch.png", "--pack", "tiny", "--out", "x"), "nosuch.png"),
        (("invert", "a.png", "--pack", "tiny", "--method", "encode", "--out", "x"), "did you mean encoder"),
        (("invert", "a.png", "--pack", "tiny", "--seconds", "nan", "--out", "x"), "--seconds"),
        (("invert", "a.png", "--pack", "tiny", "--evaluations", "0", "--out", "x"), "--evaluations"),
        (("invert", "a.png", "--pack", "tiny", "--space", "s", "--out", "x"), "--space"),
        (("invert", "a.png", "--pack", "tiny", "--transform", "all", "--out", "x"), "--transform"),
        (("invert", "a.png", "--pack", "tiny", "--mask", "1,2,3", "--out", "x"), "neither auto nor four numbers"),
        (("invert", "a.png", "--pack", "tiny", "--outside-weight", "2", "--out", "x"), "use 0 to 1"),
        (("edit", "a.safetensors", "--pack", "tiny", "--no-encoder-start", "--out", "x.png"), "--no-encoder-start"),
        (("edit", "a.png", "--pack", "tiny", "--set", "Eyeglasess=1", "--out", "x.png"), "did you mean Eyeglasses"),
        (("edit", "a.png", "--pack", "tiny", "--set", "Male=lots", "--out", "x.png"), "Male=lots"),
        (("edit", "a.png", "--pack", "tiny", "--set", "Male=9", "--out", "x.png"), "between -2 and 2"),
        (("edit", "a.png", "--pack", "tiny", "--set", "Male=1", "--set", "Male=2", "--out", "x.png"), "twice"),
        (("edit", "a.png", "--pack", "tiny", "--set", "Male=1", "--out", "x.xyz"), "x.xyz"),
        (("edit", "a.png", "--pack", "tiny", "--layers", "4-9", "--out", "x.png"), "layers 0 to 7"),
        (("edit", "a.png", "--pack", "tiny", "--blend", "poisson", "--out", "x.png"), "add --paste-back"),
        (("edit", "a.png", "--pack", "tiny", "--blend", "glue", "--paste-back", "--out", "x.png"), "glue"),
        (("edit", "--pack", "tiny", "--set", "Male=1", "--out", "x.png"), "SOURCE"),
        (("edit", "nosuch.safetensors", "--pack", "tiny", "--out", "x.png"), "nosuch.safetensors"),
        (("data", "faces", "--n", "2", "--size", "9999", "--out", "x"), "9999"),
        (("data", "landscapes", "--n", "2", "--out", "x"), "landscapes"),
        (("train",), "encoder, predictors"),
        (("train", "gam"), "did you mean gan"),
        (("evaluate", "edit", "--out", "x"), "did you mean edits"),
        (("sample", "--pack", "tiny", "--out", "x", "--seed", "-1"), "--seed"),
    ],
)
def test_bad_input_is_one_line_and_status_2(tiny_pack, tmp_path, monkeypatch, words, text):
    monkeypatch.chdir(tmp_path)
    done = command(*words)
    assert text in only_error(done)
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_a_process_ends_in_the_same_way(tiny_pack, tmp_path):
    done = as_process(
        "edit", tmp_path / "nosuch.png", "--pack", "tiny", "--set", "Male=1", "--out", tmp_path / "x.png", "--json"
    )
    assert "nosuch.png" in only_error(done)
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1


def test_a_damaged_inversion_is_named(saved, tmp_path):
    path = Path(saved["inversion"])
    path.write_bytes(path.read_bytes()[:500])
    out = tmp_path / "x.png"
    assert str(path) in only_error(command("edit", path, "--pack", "tiny", "--set", "Male=1", "--out", out))
    assert not out.exists()


def test_a_folder_that_cannot_be_made_is_named(tiny_pack, pictures, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert "file" in only_error(command("sample", "--pack", "tiny", "--n", 1, "--out", blocked / "below"))


def test_an_interrupt_ends_with_130_and_leaves_nothing_half_written(tiny_pack, pictures, tmp_path):
    out = tmp_path / "out"
    words = ["invert", str(pictures[0]), "--pack", "tiny", "--seconds", "60", "--out", str(out)]
    # Under a shell that started the tests in the background, interrupts are ignored, and children inherit that.
    heard = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    process = subprocess.Popen([sys.executable, "-m", "engines", *words], cwd=ROOT, stderr=subprocess.PIPE, text=True, **heard)
    assert "Refining" in process.stderr.readline()
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    rest = process.communicate(timeout=30)[1]
    assert process.returncode == 130
    assert "Traceback" not in rest
    assert not out.exists() or list(out.rglob("*")) == []


def test_a_reader_that_goes_away_is_no_fault(tiny_pack):
    process = subprocess.Popen(
        [sys.executable, "-m", "engines", "packs"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.close()
    error = process.stderr.read()
    assert process.wait(timeout=60) == 0
    assert error == ""


# ---- help, data folder ----


def test_help_names_everycommand():
    done = command("--help")
    assert done.returncode == 0
    for name in ("packs", "sample", "data", "invert", "edit", "train", "evaluate", "benchmark"):
        assert f"  {name} " in done.stdout
        assert command(name, "--help").returncode == 0


def test_the_option_names_the_data_folder(tiny_pack, tmp_path):
    assert command("packs", "--data-dir", tmp_path / "kept").returncode == 0
    assert data_dir() == tmp_path / "kept"
