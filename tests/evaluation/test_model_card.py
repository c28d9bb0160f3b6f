"""The card says what the manifest and the reports say, and is frank about what is missing, old or weak."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

import pytest

from engines.core.errors import OptionError
from engines.evaluation import model_card
from engines.packs.registry import open_pack


def _result(folder: Path, what: str, figures: dict, *, weights: str, pack: str = "tiny", extra: str = "") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    command = f"python -m engines evaluate {what} --pack {pack}{extra} --seed 0"
    source = {"command": command, "seed": 0, "pack": pack, "weights": weights}
    (folder / "result.json").write_text(json.dumps({"provenance": source, "result": figures}))


@pytest.fixture
def results(tiny_pack, tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    accuracies = {"Eyeglasses": 0.97, "Smiling": 0.61}
    predictors = {"balanced_accuracy": accuracies, "balanced_accuracy_on_reconstructions": accuracies, "calibration_error": {}}
    row = {"target_change": 0.9, "attribute_preservation": 0.95, "identity": 0.8, "n": 7}
    good, bad = (
        {"counterfactual_distance": 0.02, "unedited_distance": 0.03},
        {"counterfactual_distance": 0.05, "unedited_distance": 0.03},
    )
    edits = {
        "Male": {"add": {"LW": {**row, **bad}}, "remove": {"LW": {**row, **good, "target_change": 0.2}}},
        "Beard": {"add": {"LW": {**row, **good, "target_change": None}}},
        "mean": {"both": {"LW": {**row, **good}}},
    }
    _result(folder / "a", "predictors", {**predictors, "balanced_accuracy_mean": 0.79}, weights=tiny_pack.weights_hash)
    _result(folder / "b", "edits", edits, weights="feedfeed")
    inversion = {"encoder": {"mse_median": 0.5}, "sets": {"faces-ood": {"encoder": {"mse_median": 0.5}}}}
    _result(folder / "c", "inversion", inversion, weights="x", extra=" --set faces-ood,faces")
    _result(folder / "d", "generator", {"fd_ratio": 99}, weights="x", pack="other")
    return folder


def test_the_card_is_written_and_names_what_is_missing_and_outdated(tiny_pack, results, tmp_path):
    """Pictures of another kind and of another pack are not this pack's figures."""
    found = model_card.run(Namespace(pack="tiny", results=results, out=tmp_path))
    assert found == {"card": str(tmp_path / "MODEL_CARD.md"), "missing": ["generator", "inversion"], "outdated": ["edits"]}
    text = (tmp_path / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "Not measured: no report of `evaluate generator`" in text and "99" not in text
    assert "**Measured on other weights (`feedfeed`)" in text
    assert tiny_pack.weights_hash in text and "tests/tiny_pack.py" in text
    for kind in tiny_pack.manifest.components:
        assert f"| {kind} |" in text


def test_inversion_is_listed_set_by_set(tiny_pack, tmp_path):
    own, harder = ({"encoder": {"mse_median": value, "twice_identity": 0.96}} for value in (0.125, 0.25))
    sets = {"faces": own, "faces-ood": harder}
    _result(tmp_path, "inversion", {**own, "sets": sets}, weights="x", extra=" --set faces,faces-ood")
    text = model_card.render_card(tiny_pack, model_card.read_results(tmp_path, "tiny"))
    assert "| faces | encoder | 0.125 |" in text and "| faces-ood | encoder | 0.250 |" in text
    assert "| sets |" not in text


def test_regularity_is_shown_where_it_was_measured_and_not_missed_elsewhere(tiny_pack, results):
    assert "egularity" not in model_card.render_card(tiny_pack, model_card.read_results(results, "tiny"))
    row = {"mse": 0.5, "layer_spread": 0.0, "target_change": 0.25, "n": 6}
    _result(results / "e", "regularity", {"points": {"t=0": row}}, weights="x", extra=" --pull 0")
    text = model_card.render_card(tiny_pack, model_card.read_results(results, "tiny"))
    assert text.index("### Edits") < text.index("### Regularity") and "| t=0 | 0.500 | 0 | 0.250 |" in text


def test_weak_spots_are_listed_from_the_figures(tiny_pack, results):
    text = model_card.render_card(tiny_pack, model_card.read_results(results, "tiny"))
    assert "about: Smiling (0.61)." in text
    assert "change less than half of the pictures: Male remove." in text
    assert "difference: Male add." in text


def test_edits_that_lose_the_class_are_shown_and_listed_where_there_are_classes(class_pack, tiny_pack, results, tmp_path):
    row = {"target_change": 1.0, "attribute_preservation": 0.97, "counterfactual_distance": 0.02, "unedited_distance": 0.03}
    edits = {"Dark_Background": {"add": {"LW": {**row, "class_kept": 0.767}}, "remove": {"LW": {**row, "class_kept": 0.9}}}}
    _result(tmp_path / "own", "edits", edits, weights="x", pack=class_pack.id)
    text = model_card.render_card(class_pack, model_card.read_results(tmp_path / "own", class_pack.id))
    assert "| identity | class_kept |" in text and "| Dark_Background | add | LW | 1.000 | 0.970 | – | 0.767 |" in text
    assert "in their class: Dark_Background add (0.77)." in text
    assert "class_kept" not in model_card.render_card(tiny_pack, model_card.read_results(results, "tiny"))


@pytest.mark.parametrize(("samples", "worse"), [(8.52, False), (127.35, True)])
def test_how_far_samples_are_is_a_limit_beside_that_of_reconstructions(tiny_pack, tmp_path, samples, worse):
    figures = {"fd_ratio": samples, "fd_ratio_reconstructions": 5.14, "n": 2400}
    _result(tmp_path, "generator", figures, weights="x")
    text = model_card.render_card(tiny_pack, model_card.read_results(tmp_path, "tiny"))
    (line,) = [line for line in text.splitlines() if line.startswith("- Samples lie")]
    assert f"{samples:.1f} times" in line and "reconstructions 5.1 times" in line and "2400 pictures" in line
    assert ("Pictures drawn anew are worse" in line) == worse


def test_classes_and_levels_ask_for_reports_of_their_own(class_pack, tmp_path):
    row = {"family": "LW", "from": 1, "to": 2, "latent_success": 1.0, "confirmed": 0.25, "confirmed_low": 0.2}
    rows = [{**row, "confirmed_high": 0.3, "alpha": 0.5, "n": 40}, {**row, "family": "LT", "confirmed": 0.0}]
    _result(tmp_path, "digits", {"rows": rows}, weights="x", pack=class_pack.id)
    text = model_card.render_card(class_pack, model_card.read_results(tmp_path, class_pack.id))
    assert "no report of `evaluate projection`" in text, "the pack has classes"
    assert "### Digits" not in text, "and no ordered attribute"
    assert "still shows the old number, at these steps of LW: 1 to 2." in text


def test_objects_that_lie_anywhere_are_what_projection_is_about(class_pack, tmp_path):
    """Its usual pictures are harder than the pack's own, and its report belongs to the card all the same."""
    row = {"method": "basin-cma", "transform": "both", "encoder": True, "perceptual_mean": 0.25, "box_iou": 0.875, "n": 40}
    extra = " --set creatures-ood"
    _result(tmp_path, "projection", {"rows": [row]}, weights="x", pack=class_pack.id, extra=extra)
    _result(tmp_path / "edits", "edits", {}, weights="x", pack=class_pack.id, extra=extra)
    found = model_card.read_results(tmp_path, class_pack.id)
    assert list(found) == ["projection"]
    assert "| basin-cma | both |" in model_card.render_card(class_pack, found)


def test_the_card_of_digits_shows_their_steps():
    pack = open_pack("multimnist")
    text = model_card.render_card(pack, {})
    assert "no report of `evaluate digits`" in text
    assert "evaluate edits" not in text and "evaluate projection" not in text


def test_the_same_reports_make_the_same_card(tiny_pack, results):
    found = model_card.read_results(results, "tiny")
    assert model_card.render_card(tiny_pack, found) == model_card.render_card(tiny_pack, found)


def test_two_reports_of_one_kind_are_refused(tiny_pack, results):
    _result(results / "again", "predictors", {}, weights="x")
    with pytest.raises(OptionError, match="two reports of `evaluate predictors` on pack tiny"):
        model_card.read_results(results, "tiny")


def test_a_comparison_of_families_is_a_report_of_its_own(tiny_pack, results):
    """Beside the report of the pack's edits it is shown too, and does not stand in for it."""
    over = {"d": 0.4, "target_change": 0.7, "target_change_interval": [0.6, 0.8], "best_distance": 0.0123}
    rows = {"LW": {"n": 7, "over_strengths": over}, "LT": {"n": 7, "over_strengths": {**over, "target_change": 0.3}}}
    _result(results / "f", "edits", {"mean": {"both": rows}}, weights="x", extra=" --families LW,LT")
    found = model_card.read_results(results, "tiny")
    assert "--families" not in found["edits"].command
    text = model_card.render_card(tiny_pack, found)
    section = text[text.index("### Families") : text.index("## Limits")]
    assert "| LW | 0.400 | 0.700 | 0.600 to 0.800 |" in section and "| LT | 0.400 | 0.300 |" in section
    (results / "b" / "result.json").unlink()
    assert "edits" not in model_card.read_results(results, "tiny")


@pytest.mark.parametrize("command", ["train lw --name Hat", "benchmark lw"])
def test_reports_of_other_commands_are_not_for_the_card(tmp_path, command):
    source = {"command": f"python -m engines {command} --pack tiny --seed 0", "seed": 0, "pack": "tiny", "weights": "x"}
    (tmp_path / "result.json").write_text(json.dumps({"provenance": source, "result": {}}))
    assert model_card.read_results(tmp_path, "tiny") == {}


@pytest.mark.parametrize("text", ["{", "[]", '{"provenance": {"command": "python"}, "result": {}}'])
def test_a_damaged_result_is_named(tmp_path, text):
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(OptionError, match=r"result\.json is not the result of an evaluation"):
        model_card.read_results(tmp_path, "tiny")


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(OptionError, match="there is no such folder"):
        model_card.read_results(tmp_path / "nowhere", "tiny")
