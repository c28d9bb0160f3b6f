"""The evaluation commands from end to end: the tiny pack, a few real renders, true counterfactuals."""

from __future__ import annotations

import csv
import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from engines.core.errors import OptionError
from engines.core.paths import DATA_DIR_VARIABLE, PACKS_VARIABLE
from engines.editing.shared_maps import SharedMaps
from engines.evaluation import edits, generator, inversion, pasted, predictors
from engines.evaluation.benchmarks import inversion as inversion_benchmark
from engines.evaluation.benchmarks import live, render
from engines.evaluation.photos import installed_photos
from engines.packs.write import write_component
from engines.predictors.regions import RegionNetwork
from tests.command_run import run_command
from tests.tiny_pack import TINY_ATTRIBUTES

pytestmark = pytest.mark.train

N = 6


@pytest.fixture(scope="module")
def renders(tmp_path_factory) -> Path:
    """One data folder for all tests of this module: pictures are rendered once."""
    return tmp_path_factory.mktemp("renders")


@pytest.fixture(autouse=True)
def _shared_renders(renders, tiny_pack, monkeypatch):
    monkeypatch.setenv(DATA_DIR_VARIABLE, str(renders))


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "table.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


EDIT_WORDS = ("--n", str(N), "--attributes", "Eyeglasses,Smiling", "--per-attribute", "3", "--sweep", "2", "--processes", "1")


def test_edits_give_every_figure_that_scripts_rely_on_and_the_same_bytes_again(tmp_path, renders):
    result = run_command(edits, *EDIT_WORDS, out=tmp_path / "one")
    kept = sorted((renders / "cache" / "counterfactuals").iterdir())
    stamps = [path.stat().st_mtime_ns for path in kept]
    assert run_command(edits, *EDIT_WORDS, out=tmp_path / "two") == result
    assert _contents(tmp_path / "one") == _contents(tmp_path / "two")
    assert [path.stat().st_mtime_ns for path in kept] == stamps, "the second run renders nothing"

    assert json.loads((tmp_path / "one" / "result.json").read_text())["result"] == result
    assert set(result) <= {"Eyeglasses", "Smiling", "mean"} and "mean" in result
    keys = {"target_change", "attribute_preservation", "identity", "counterfactual_distance", "unedited_distance", "alpha", "n"}
    edited = [(a, d, f) for a, ds in result.items() for d, fs in ds.items() for f in fs.values()]
    assert edited and all(keys <= set(figures) for _, _, figures in edited)
    assert sum(figures["n"] for a, _, figures in edited if a != "mean") == result["mean"]["both"]["LW"]["n"]
    assert keys | {"attribute", "direction", "family", "command"} <= set(_rows(tmp_path / "one")[0])
    assert {"edits-LW.png", "curves.png", "curves-by-attribute.png"} <= set(_contents(tmp_path / "one"))


def test_edits_in_photos_are_judged_with_and_without_their_regions(tiny_pack, tmp_path, monkeypatch):
    words = ("--n", str(N), "--attributes", "Eyeglasses,Smiling", "--per-attribute", "2", "--processes", "1")
    with pytest.raises(OptionError, match="pack tiny does not know where its attributes show: train regions comes first"):
        run_command(pasted, *words, out=tmp_path / "none")
    shutil.copytree(tiny_pack.folder, tmp_path / "packs" / "tiny")
    monkeypatch.setenv(PACKS_VARIABLE, str(tmp_path / "packs"))
    network = RegionNetwork(("Smiling", "Eyeglasses"), (8, 8))
    with torch.no_grad():
        network.output.weight.zero_()
        network.output.bias.copy_(torch.tensor([20.0, -20.0]))
    provenance = tiny_pack.manifest.components["attribute_predictor"].provenance
    folder, config = tmp_path / "packs" / "tiny", network.config_json()
    write_component(folder, "region_network", network, config, asdict(provenance), half=True)
    result = run_command(pasted, *words, out=tmp_path / "out")
    nowhere, everywhere = result["Eyeglasses"], result["Smiling"]
    # A region that is empty gives the photo back, one that is the whole frame changes nothing about the edit.
    assert nowhere["distance_region"] == nowhere["distance_unedited"] != nowhere["distance_everywhere"]
    assert nowhere["stray_region"] == 0 < nowhere["stray_everywhere"]
    assert everywhere["distance_region"] == everywhere["distance_everywhere"]
    assert everywhere["stray_region"] == everywhere["stray_everywhere"]
    assert result["mean"]["stray_region"] == pytest.approx(everywhere["stray_region"] / 2, rel=1e-4)
    assert result["mean"]["n"] == nowhere["n"] + everywhere["n"]
    assert {"pasted.png", "report.md", "table.csv"} <= set(_contents(tmp_path / "out"))


def test_the_distance_to_the_truth_is_that_of_the_renders(tmp_path):
    """Again by hand for one edit, from the facade of the data: the same portrait, the attribute flipped."""
    from engines.data import faces
    from engines.data.sets import rendered_set
    from engines.evaluation.judges import Judges, fitted
    from engines.packs.registry import open_pack

    words = ("--n", str(N), "--attributes", "Smiling", "--sweep", "0", "--processes", "1")
    result = run_command(edits, *words, out=tmp_path)["Smiling"]
    shown = rendered_set("faces", "test", N)
    k = shown.attributes.index("Smiling")
    judges = Judges(open_pack("tiny"))
    for direction, value in (("add", True), ("remove", False)):
        chosen = [i for i in range(N) if shown.labels[i, k] != value]
        if not chosen:
            assert direction not in result
            continue
        truths = fitted(np.stack([faces.render(faces.counterfactual(shown.records[i], "Smiling", value)) for i in chosen]), 32)
        pictures = fitted(np.asarray(shown.images), 32)
        reconstructions = judges.pictures(judges.codes(pictures))[chosen]
        distance = np.mean(((reconstructions.astype(float) - truths) / 127.5) ** 2)
        assert result[direction]["LW"]["unedited_distance"] == pytest.approx(distance, rel=1e-4)
        assert result[direction]["LW"]["n"] == len(chosen)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--attributes", "Smile"), "--attributes Smile: pack tiny has edits for Eyeglasses"),
        (("--method", "best"), "--method best: pack tiny offers encoder"),
        (("--alpha", "0"), "--alpha above 0"),
        (("--n", "0"), "--n 0: at least one picture"),
        (("--compare", "LT"), "write FAMILY=DIR"),
        (("--compare", "LW=somewhere"), "not LW"),
        (("--layers", "LT=0-3"), "--layers LT=0-3: write FAMILY=A-B with layers from 0 to 7; families are LW"),
        (("--layers", "LW=3-8"), "layers from 0 to 7"),
        (("--families", "LW,LW"), "name each family once"),
        (("--families", "PCA"), "there is no edit family 'PCA'"),
        (("--families", "LW", "--rate", "1"), "--rate between 0 and 1"),
    ],
)
def test_bad_options_are_named(tmp_path, words, message):
    with pytest.raises(OptionError, match=message):
        run_command(edits, *words, out=tmp_path)
    assert not list(tmp_path.iterdir())


def test_another_pack_with_the_same_maps_gets_the_same_figures(tmp_path, tiny_pack):
    words = ("--n", "3", "--attributes", "Male", "--sweep", "0", "--processes", "1", "--compare", f"LW*={tiny_pack.folder}")
    result = run_command(edits, *words, out=tmp_path)
    for families in result["Male"].values():
        assert families["LW*"] == families["LW"]
    assert (tmp_path / "edits-LW-star.png").exists()


def test_families_are_compared_over_ten_strengths(tmp_path, tiny_pack, monkeypatch):
    """A second family that has a third of the first one's shifts, and one attribute less."""
    folder = tmp_path / "packs" / "tiny"
    shutil.copytree(tiny_pack.folder, folder)
    monkeypatch.setenv(PACKS_VARIABLE, str(folder.parent))
    maps = SharedMaps(("Male", "Smiling"), tiny_pack.edit_maps.layers, tiny_pack.edit_maps.dim)
    for row, name in enumerate(maps.attributes):
        maps.bias.data[row] = tiny_pack.edit_maps.bias[tiny_pack.edit_maps.attributes.index(name), 0] / 3
    source = asdict(tiny_pack.manifest.components["edit_maps"].provenance)
    write_component(folder, "edits_interfacegan", maps, maps.config_json(), source, half=False)
    words = ("--n", "4", "--attributes", "Male,Beard", "--sweep", "4", "--processes", "1", "--rate", "0.4")
    result = run_command(edits, *words, "--families", "LW,InterFaceGAN", out=tmp_path / "out")
    for directions in result["Male"].values():
        assert set(directions) == {"LW", "InterFaceGAN"}
        assert len(directions["LW"]["curve"]) == 10 and "best_distance" in directions["InterFaceGAN"]
    assert all("InterFaceGAN" not in families for families in result["Beard"].values())
    both = result["mean"]["both"]
    for family, figures in both.items():
        first = figures["over_strengths"]["d"]
        curve = next(iter(result["Male"].values()))[family]["curve"]
        assert [point["alpha"] for point in curve] == pytest.approx(np.linspace(first, 2 * first, 10), rel=1e-4)
    assert {"curves.csv", "families.csv", "families.png"} <= set(_contents(tmp_path / "out"))
    with pytest.raises(OptionError, match=r"pack tiny has no family LT, it has LW, InterFaceGAN; make it with: .* train lt"):
        run_command(edits, *words, "--families", "LW,LT", out=tmp_path / "none")


INVERSION_KEYS = {
    "mse_median",
    "mse_mean",
    "mse_to_best_fixed",
    "perceptual_mean",
    "identity_mean",
    "attributes_kept",
    "twice_identity",
    "seconds_mean",
    "evaluations_mean",
    "n",
}


def test_inversion_compares_the_methods(tmp_path):
    words = ("--n", "3", "--methods", "encoder,encoder-refine", "--steps", "3", "--twice", "0")
    result = run_command(inversion, *words, out=tmp_path)
    assert list(result) == ["encoder", "encoder-refine", "sets", "left"]
    sets, left = result.pop("sets"), result.pop("left")
    assert left == 0
    assert sets == {"faces": result}
    for figures in result.values():
        assert set(figures) >= INVERSION_KEYS
        assert figures["n"] == 3
        assert (figures["twice_n"], figures["twice_identity"]) == (0, None)
    assert result["encoder-refine"]["mse_mean"] <= result["encoder"]["mse_mean"]
    assert result["encoder-refine"]["mse_to_best_fixed"] == 1
    assert result["encoder"]["mse_to_best_fixed"] >= 1
    assert result["encoder-refine"]["evaluations_mean"] > 3
    assert [row["method"] for row in _rows(tmp_path)] == list(result)
    with pytest.raises(OptionError, match="--methods best: pack tiny offers encoder"):
        run_command(inversion, "--methods", "best", out=tmp_path)


def test_inversion_judges_photographs_too_degraded_and_uploaded_twice(tmp_path):
    words = ("--n", "2", "--sets", "faces,photos", "--degrade", "none,shifted,darkened", "--n-degraded", "1", "--twice", "1")
    result = run_command(inversion, *words, "--methods", "encoder", out=tmp_path)
    variants = [name + tail for name in ("faces", "photos") for tail in ("", "-shifted", "-darkened")]
    assert list(result["sets"]) == variants
    assert result["encoder"] == result["sets"]["faces"]["encoder"]
    assert [result["sets"][name]["encoder"]["n"] for name in variants[:3]] == [2, 1, 1]
    assert result["sets"]["photos"]["encoder"]["n"] == len(installed_photos())
    assert result["sets"]["photos"]["encoder"]["twice_n"] == 1
    assert 0 < result["sets"]["photos"]["encoder"]["twice_identity"] <= 1
    assert result["sets"]["photos-shifted"]["encoder"]["twice_n"] == 0
    assert [row["set"] for row in _rows(tmp_path)] == variants
    report = (tmp_path / "report.md").read_text()
    assert "public domain" in report and "grace_hopper" not in report
    sheets = {"best-median-worst.png", "best-median-worst-photos.png", "median-faces-shifted.png"}
    assert sheets <= set(_contents(tmp_path))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--sets", "faces,dogs"), "--sets faces,dogs: name some of faces, faces-ood, .*photos"),
        (("--degrade", "drowned"), "--degrade drowned: name some of none, shifted"),
        (("--degrade", "none,none"), "each once"),
        (("--methods", "adam:s"), "--methods adam:s: pack tiny offers"),
        (("--seconds", "0"), "--seconds 0.0: give a number above 0"),
        (("--twice", "-1"), "--twice -1"),
    ],
)
def test_bad_options_of_inversion_are_named(tmp_path, words, message):
    with pytest.raises(OptionError, match=message):
        run_command(inversion, *words, out=tmp_path)
    assert not list(tmp_path.iterdir())


def test_predictors_are_judged_on_renders_and_reconstructions(tmp_path):
    result = run_command(predictors, "--n", str(N), out=tmp_path)
    assert set(result["balanced_accuracy"]) == set(TINY_ATTRIBUTES)
    assert set(result["balanced_accuracy_on_reconstructions"]) == set(TINY_ATTRIBUTES)
    assert [row["attribute"] for row in _rows(tmp_path)] == [*TINY_ATTRIBUTES, "mean"]
    assert run_command(predictors, "--n", str(N), out=tmp_path / "again") == result


def test_generator_report_repeats(tmp_path):
    words = ("--n", str(N), "--path-samples", "4")
    result = run_command(generator, *words, out=tmp_path / "one")
    assert {"fd_ratio", "precision", "recall"} <= set(result) and result["fd_ratio"] > 0
    # Other features, other figures, of the same pictures.
    assert 0 < result["fd_ratio_perceptual"] != result["fd_ratio"]
    assert 0 <= result["precision_perceptual"] <= 1 and 0 <= result["recall_perceptual"] <= 1
    remade, with_one_w = result["fd_ratio_reconstructions"], result["fd_ratio_one_w"]
    assert min(remade, with_one_w) > 0 and remade != with_one_w
    assert run_command(generator, *words, out=tmp_path / "two") == result
    assert _contents(tmp_path / "one") == _contents(tmp_path / "two")
    assert {"samples-1.png", "samples-0.7.png", "nearest-training.png"} <= set(_contents(tmp_path / "one"))
    report = (tmp_path / "one" / "report.md").read_text(encoding="utf-8")
    assert f"of {N} samples to {N} held-out renders" in report and "was also taught by" not in report


def test_features_that_know_the_generator_are_told_with_their_command(tiny_pack, tmp_path, monkeypatch):
    home = tmp_path / "packs" / "tiny"
    shutil.copytree(tiny_pack.folder, home)
    monkeypatch.setenv(PACKS_VARIABLE, str(home.parent))
    manifest = json.loads((home / "manifest.json").read_text(encoding="utf-8"))
    command = "python -m engines train predictors --pack tiny --reconstructions 7"
    manifest["components"]["attribute_predictor"]["provenance"]["command"] = command
    (home / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    run_command(generator, "--n", str(N), "--path-samples", "4", out=tmp_path / "out")
    assert f"\n\n    {command}\n" in (tmp_path / "out" / "report.md").read_text(encoding="utf-8")


# ---- benchmarks -----------------------------------------------------------------------------------------------------


def test_live_benchmark_paints_the_same_frame_both_ways(tiny_pack):
    from engines.evaluation.judges import samples
    from engines.evaluation.ways import inverted
    from engines.session.live import render as live_frame
    from engines.session.state import EditState

    result = run_command(live, "--repeats", "3")
    assert {"frame_ms_median", "frame_ms_p95", "baseline_ms_median", "frame_ratio"} <= set(result)
    assert (result["weights"], result["cores"]) == (tiny_pack.weights_hash, len(os.sched_getaffinity(0)))
    assert result["command"].startswith("python -m engines benchmark live --pack tiny --repeats 3 ")
    assert result["frame_ms_median"] <= result["frame_ms_p95"]
    crop = samples(tiny_pack, 1, seed=0)[0]
    found = inverted(tiny_pack, crop, "encoder", seconds=None, steps=None, seed=0)
    frame = live_frame(tiny_pack, found, EditState("tiny", found.id, (("Male", 1.0),)))
    picture, readings, similarity = live.plain_frame(tiny_pack, crop, {"Male": 1.0})
    assert np.abs(picture.astype(int) - frame.image).max() <= 1
    assert list(readings) == list(frame.attributes)
    assert list(readings.values()) == pytest.approx(list(frame.attributes.values()), abs=0.01)
    assert similarity == pytest.approx(frame.identity_similarity, abs=0.01)


def test_other_benchmarks_name_their_units():
    result = run_command(inversion_benchmark, "--repeats", "2", "--steps", "3", "--round-steps", "1", "--rounds", "1")
    assert {"encoder_ms_median", "refine_steps_per_sec", "steps_ratio", "baseline"} <= set(result)
    result = run_command(render, "--n", "2")
    assert {"render_ms_per_picture", "render_ms_p95"} <= set(result)


def test_a_round_of_basin_cma_finds_the_same_batched_and_one_by_one(tiny_pack):
    from engines.evaluation.benchmarks.basin import GroupedPack, Round
    from engines.evaluation.judges import samples
    from engines.inversion.options import InversionOptions
    from engines.inversion.projection import Projection

    result = run_command(inversion_benchmark, "--repeats", "1", "--steps", "1", "--round-steps", "1", "--rounds", "1")
    assert {"basin_round_ms", "basin_round_ratio", "basin_round_single_ratio", "basin_round_baseline"} <= set(result)
    crop = samples(tiny_pack, 1, seed=0)[0]
    own, grouped = (Projection(models, crop, InversionOptions(), "w+") for models in (tiny_pack, GroupedPack(tiny_pack)))
    batched, plain = Round(own, 1, 0, one_by_one=False)(), Round(grouped, 1, 0, one_by_one=True)()
    assert batched.numpy() == pytest.approx(plain.numpy(), rel=3e-2)  # bfloat16 features against float32


def test_bad_benchmark_options_are_named():
    with pytest.raises(OptionError, match="--repeats 0"):
        run_command(live, "--repeats", "0")
    for option in ("--steps", "--round-steps", "--rounds"):
        with pytest.raises(OptionError, match=f"{option} 0"):
            run_command(inversion_benchmark, option, "0")
