"""Projections of objects whose place is known: figures of planted results, the table by hand, and the command on tiny runs."""

from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from engines.core.errors import OptionError
from engines.core.paths import DATA_DIR_VARIABLE, PACKS_VARIABLE
from engines.evaluation import projection, projection_runs
from engines.evaluation.judges import samples
from engines.evaluation.projection_runs import Beginnings, Case, Outcome, Subject, measured_outcome, outcome_of, put_back
from engines.evaluation.projection_table import Table
from engines.evaluation.setting import Setting, Subjects
from engines.imaging.convert import to_tensor, to_uint8
from engines.inversion.project import begin
from engines.inversion.result import Inversion
from engines.inversion.transforms import Transform, transform_images
from engines.packs.registry import open_pack
from engines.packs.write import update_manifest, write_component


@pytest.fixture(autouse=True)
def _starts_are_found_roughly(monkeypatch):
    """The z of the encoder's code takes longer to fit than a search of a dozen pictures; where it lies matters little here."""
    monkeypatch.setattr("engines.inversion.latent_space._FIT_STEPS", 10)


ADAM, BASIN = Case("adam", "none", encoder=False), Case("basin-cma", "none", encoder=False)


# ---- one run ----


def _inversion(pack, crop: np.ndarray, made: np.ndarray, transform: Transform | None = None, **settings) -> Inversion:
    return Inversion(
        pack_id=pack.id,
        pack_hash="0" * 16,
        method="adam",
        w_plus=np.zeros((8, 16), np.float32),
        crop=crop,
        reconstruction=made,
        mse=0.0,
        perceptual=0.0,
        perceptual_kind="pack",
        seconds=1.5,
        steps=3,
        warnings=(),
        alignment=None,
        seed=0,
        evaluations=7,
        settings=settings,
        transform=None if transform is None else transform.to_json(),
    )


def test_figures_count_the_true_rectangle_alone(class_pack):
    """A picture that differs by 51 levels (.4) in a quarter of the rectangle, and by all there is outside of it."""
    crop = samples(class_pack, 1, seed=3)[0] // 2
    made = 255 - crop
    made[8:24, 8:24] = crop[8:24, 8:24]
    made[8:16, 8:16] += 51
    subject = Subject(crop, (8, 8, 24, 24), (0, 0, 32, 32), "box")
    outcome, picture = measured_outcome(class_pack, subject, _inversion(class_pack, crop, made, **{"class": "box"}))
    assert np.array_equal(picture, made)
    assert outcome.l1 == pytest.approx(0.1, rel=1e-4) and outcome.l2 == pytest.approx(0.04, rel=1e-4)
    assert (outcome.class_right, outcome.evaluations, outcome.seconds) == (1, 7, 1.5)
    same, _ = measured_outcome(class_pack, subject, _inversion(class_pack, crop, crop, **{"class": "ball"}))
    assert (same.l1, same.l2, same.class_right) == (0, 0, 0) and same.perceptual == pytest.approx(0, abs=1e-6)


def test_the_rectangle_and_the_picture_go_back_through_the_inverse_transform(class_pack):
    """A white rectangle in the generator's frame lies where T^-1 draws it, and so does the detector's rectangle."""
    transform = Transform((0.5, 0.5), (0.25, -0.125), 0.0)
    made = np.zeros((32, 32, 3), np.uint8)
    made[8:24, 4:28] = 255
    crop = to_uint8(transform_images(to_tensor(made), [transform.inverse()], beyond="grey"))[0]
    ys, xs = np.nonzero(crop[..., 0] > 200)
    true = (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
    inversion = _inversion(class_pack, crop, made, transform)

    class Pack:
        device, perceptual = class_pack.device, class_pack.perceptual

        @staticmethod
        def box_detector(image: torch.Tensor) -> torch.Tensor:
            return torch.tensor([[4 / 32, 8 / 32, 28 / 32, 24 / 32]])

    outcome, picture = measured_outcome(Pack, Subject(crop, true, true, ""), inversion)
    assert np.array_equal(picture, put_back(inversion)) and np.array_equal(picture, crop)
    assert outcome.box_iou > 0.99 and outcome.l1 == 0
    assert (crop == 128).any(), "grey beyond the frame"


def test_a_run_has_the_evaluations_and_the_mask_that_it_is_given(class_pack):
    crop = samples(class_pack, 1, seed=3)[0]
    subject = Subject(crop, (8, 8, 24, 24), (6, 6, 26, 26), "ball")
    case = Case("adam", "both", encoder=True, class_search=False)
    outcome, picture = outcome_of(class_pack, subject, case, seed=1, evaluations=24, space="z")
    again, _ = outcome_of(class_pack, subject, case, seed=1, evaluations=24, space="z")
    assert 24 <= outcome.evaluations < 24 + 20 and picture.shape == crop.shape
    assert replace(again, seconds=0) == replace(outcome, seconds=0)
    other, _ = outcome_of(class_pack, subject, replace(case, outside_weight=0.0), seed=1, evaluations=24, space="z")
    assert other.l1 != outcome.l1


def test_runs_that_differ_in_the_method_alone_begin_once(class_pack, monkeypatch):
    first, other = (Subject(samples(class_pack, 1, seed=seed)[0], (8, 8, 24, 24), (6, 6, 26, 26), "ball") for seed in (3, 4))
    begun = []
    monkeypatch.setattr(projection_runs, "begin", lambda *a: begun.append(a) or begin(*a))
    beginnings = Beginnings()

    def outcome(subject: Subject, case: Case, seed: int, **shared: Beginnings) -> Outcome:
        made, _ = outcome_of(class_pack, subject, case, seed=seed, evaluations=24, space="z", **shared)
        return replace(made, seconds=0)

    adam, basin = (Case(method, "both", encoder=False) for method in ("adam", "basin-cma"))
    told = [(first, adam, 1), (first, basin, 1), (first, basin, 2), (other, adam, 2), (other, replace(adam, encoder=True), 2)]
    counts = []
    for row in told:
        shared = outcome(*row, beginnings=beginnings)
        counts.append(len(begun))
        assert shared == outcome(*row)
        begun[counts[-1] :] = []
    assert counts == [1, 1, 2, 3, 4]


def test_gradients_from_the_encoders_code_end_alike_and_run_once(class_pack, tmp_path, monkeypatch):
    crop = samples(class_pack, 1, seed=3)[0]
    subject = Subject(crop, (8, 8, 24, 24), (6, 6, 26, 26), "ball")

    def outcome(case: Case, seed: int) -> Outcome:
        return replace(outcome_of(class_pack, subject, case, seed=seed, evaluations=24, space="z")[0], seconds=0)

    for method, transform, encoder, draws in (
        ("adam", "none", True, False),
        ("lbfgs", "none", True, False),
        ("adam", "none", False, True),
        ("adam", "spatial", True, True),
        ("cma", "none", True, True),
    ):
        case = Case(method, transform, encoder=encoder)
        assert case.draws == draws == (outcome(case, 1) != outcome(case, 2)), case
    words = ("--seeds", "3", "--methods", "adam", "--transforms", "none", "--starts", "encoder", "--ablations", "none")
    made = []
    monkeypatch.setattr(projection, "outcome_of", lambda *a, **k: made.append(k["seed"]) or outcome_of(*a, **k))
    result = _run(class_pack, tmp_path, monkeypatch, *words)
    assert (result["rows"][0]["n"], result["rows"][0]["seeds"]) == (2, 3)
    assert len(made) == 1 + 2, "one to warm up, then one a picture"


# ---- what is kept ----


def _outcome(perceptual: float = 0.0) -> Outcome:
    return Outcome(2 * perceptual, 3 * perceptual, perceptual, 0.5, 1.0, 10, 2.0)


def test_no_two_cases_share_a_name():
    arguments = argparse.Namespace(
        methods="adam,basin-cma", transforms="none,both", starts="mean,encoder", ablations="class,outside", space="z"
    )
    main, ablations = projection.cases_of(arguments, ["adam", "basin-cma"], conditional=True)
    assert len(main) == 8 and main[-1] == Case("basin-cma", "both", encoder=True)
    assert [(case.class_search, case.outside_weight) for case in ablations] == [(False, 0.3), (True, 0.0), (True, 1.0)]
    assert len({case.key for case in (*main, *ablations)}) == 11
    assert projection.cases_of(arguments, ["adam"] + ["basin-cma"], conditional=False)[1] == ablations[1:]


# ---- the table ----


def _table() -> Table:
    perceptual = {ADAM: [[4.0, 6.0], [2.0, 8.0]], BASIN: [[1.0, 3.0], [2.0, 2.0]]}
    outcomes = {
        (i, seed): {case.key: _outcome(values[i][seed]) for case, values in perceptual.items()}
        for i in (0, 1)
        for seed in (0, 1)
    }
    return Table.of(outcomes, [ADAM, BASIN], 2, range(2))


def test_means_are_over_all_and_bests_over_each_pictures_seeds():
    row = _table().row(ADAM, seed=0)
    assert (row["perceptual_mean"], row["perceptual_best"]) == (5, 3)
    assert (row["l1_mean"], row["l2_best"], row["box_iou"], row["evaluations"], row["seconds"]) == (10, 9, 0.5, 10, 2)
    assert row["perceptual_mean_interval"] == (5, 5), "both pictures' means are 5"
    assert row["perceptual_best_interval"] == (2, 4)
    assert (row["n"], row["seeds"], row["encoder"]) == (2, 2, False)


def test_ratios_compare_cases_that_differ_in_one_thing():
    (ratio,) = _table().ratios([ADAM, BASIN], seed=0)
    assert (ratio["varied"], ratio["method"], ratio["against"], ratio["perceptual_ratio"]) == (
        "method",
        "basin-cma",
        "adam",
        0.4,
    )
    assert ratio["perceptual_ratio_interval"] == (0.4, 0.4), "2 of 5 for both pictures"


def test_only_places_with_all_cases_count_and_as_many_as_make_a_whole_table():
    row = {ADAM.key: _outcome(1.0), BASIN.key: _outcome(2.0)}
    outcomes = {(0, 0): row, (1, 0): row, (0, 1): row, (1, 1): {ADAM.key: _outcome()}}

    def left(outcomes: dict, pictures: int, seeds: int) -> tuple[list[int], int]:
        blocks = Table.of(outcomes, [ADAM, BASIN], pictures, range(seeds)).blocks.values()
        (places,) = {(tuple(block.pictures), tuple(block.seeds)) for block in blocks}
        return list(places[0]), len(places[1])

    assert left(outcomes, 2, 2) == ([0, 1], 1)
    assert left({(1, 0): row, (0, 0): {}}, 2, 2) == ([1], 1)
    outcomes = {(i, seed): row if i != 1 or seed == 0 else {} for i in range(3) for seed in range(4)}
    assert left(outcomes, 3, 4) == ([0, 2], 4), "two pictures with four seeds are more runs than three with one"
    with pytest.raises(OptionError, match="No picture has all its runs yet"):
        Table.of({(0, 0): {}}, [ADAM], 1, range(1))


def test_every_start_has_its_own_runs_and_is_compared_where_both_have_some():
    warm = replace(ADAM, encoder=True)
    outcomes = {(i, seed): {warm.key: _outcome(1.0 + i)} for i in range(3) for seed in range(2)}
    outcomes[1, 0][ADAM.key] = _outcome(8.0)
    table = Table.of(outcomes, [ADAM, warm], 3, range(2))
    rows = [table.row(case, seed=0) for case in (ADAM, warm)]
    assert [(row["n"], row["seeds"], row["perceptual_mean"]) for row in rows] == [(1, 1, 8.0), (3, 2, 2.0)]
    (ratio,) = table.ratios([ADAM, warm], seed=0)
    assert (ratio["varied"], ratio["n"], ratio["seeds"], ratio["perceptual_ratio"]) == ("encoder", 1, 1, 2.0 / 8.0)


# ---- the command ----


def _run(pack, tmp_path, monkeypatch, *words: str, n: int = 2) -> dict:
    """The command on samples of the pack's own generator."""
    pictures = samples(pack, n, seed=5)
    boxes, classes = np.tile([0.25, 0.25, 0.75, 0.75], (n, 1)), np.arange(n) % 3
    subjects = Subjects(pictures, np.zeros((n, 4), bool), [None] * n, pictures, "faces", classes, boxes)
    monkeypatch.setattr(Setting, "subjects", lambda self, split, n: subjects)
    monkeypatch.setenv(DATA_DIR_VARIABLE, str(tmp_path / "data"))
    parser = argparse.ArgumentParser()
    projection.add_arguments(parser)
    budget = () if "--steps" in words or "--evaluations" in words else ("--evaluations", "12")
    arguments = parser.parse_args(["--n", str(n), *budget, *words])
    vars(arguments).update(pack="tiny", seed=0, device="cpu", progress=lambda record: None, out=tmp_path / "report")
    return projection.run(arguments)


def test_the_command_measures_every_case_and_shows_them(class_pack, tmp_path, monkeypatch):
    words = ("--seeds", "2", "--methods", "adam,basin-cma", "--transforms", "none,both", "--starts", "encoder")
    result = _run(class_pack, tmp_path, monkeypatch, *words)
    assert [(row["method"], row["transform"]) for row in result["rows"]] == [
        ("adam", "none"),
        ("basin-cma", "none"),
        ("adam", "both"),
        ("basin-cma", "both"),
    ]
    wanted = (
        "method transform encoder l1_mean l1_best l2_mean l2_best perceptual_mean perceptual_best box_iou evaluations seconds n"
    )
    for row in result["rows"]:
        assert set(wanted.split()) <= set(row) and (row["n"], row["seeds"], row["encoder"]) == (2, 2, True)
        assert row["perceptual_best"] <= row["perceptual_mean"] and row["evaluations"] >= 12
    assert [(row["class_search"], row["outside_weight"]) for row in result["ablations"]] == [
        (True, 0.3),
        (False, 0.3),
        (True, 0.0),
        (True, 1.0),
    ]
    assert {(row["varied"], row["against"]) for row in result["ratios"]} == {("method", "adam"), ("transform", "none")}
    names = {path.name for path in (tmp_path / "report").iterdir()}
    assert {"table.csv", "ablations.csv", "ratios.csv", "report.md", "result.json", "methods.png", "transforms.png"} <= names
    header = (tmp_path / "report" / "table.csv").read_text("utf-8").splitlines()[0].split(",")
    assert {"perceptual_mean_low", "perceptual_mean_high", "box_iou_low"} <= set(header)
    assert "is that of the pack's\nown network" in (tmp_path / "report" / "report.md").read_text("utf-8")


def test_by_steps_a_population_counts_as_one(class_pack, tmp_path, monkeypatch):
    words = ("--seeds", "1", "--methods", "adam,basin-cma", "--transforms", "none", "--starts", "mean", "--ablations", "none")
    rows = {row["method"]: row for row in _run(class_pack, tmp_path, monkeypatch, *words, "--steps", "6")["rows"]}
    # Adam: a score of the start, then one picture a step. BasinCMA: a population of 4 + floor(3 ln d) in most steps.
    assert rows["adam"]["evaluations"] == 1 + 6
    assert rows["basin-cma"]["evaluations"] > 5 * 6
    report = (tmp_path / "report" / "report.md").read_text("utf-8")
    assert "--steps 6" in report and "--evaluations" not in report and "which a population makes together" in report
    with pytest.raises(OptionError, match="--steps 0: at least one is needed"):
        _run(class_pack, tmp_path, monkeypatch, *words, "--steps", "0")
    with pytest.raises(SystemExit):
        _run(class_pack, tmp_path, monkeypatch, *words, "--steps", "3", "--evaluations", "3")


def test_what_was_measured_is_not_measured_again(class_pack, tmp_path, monkeypatch):
    words = ("--seeds", "1", "--methods", "adam", "--transforms", "none", "--starts", "mean", "--ablations", "none")
    first = _run(class_pack, tmp_path, monkeypatch, *words)

    def never(*_args, **_kwargs):
        raise AssertionError("it was known already")

    with monkeypatch.context() as patched:
        patched.setattr(projection, "outcome_of", never)
        assert _run(class_pack, tmp_path, monkeypatch, *words) == first
        with pytest.raises(AssertionError):
            _run(class_pack, tmp_path, monkeypatch, *words, "--fresh")
    more = _run(class_pack, tmp_path, monkeypatch, *words[2:], "--seeds", "2")
    assert more["rows"][0]["seeds"] == 2 and json.loads((tmp_path / "report" / "result.json").read_text())["result"] == more


def test_a_later_call_goes_on_from_the_figures_in_the_report(class_pack, tmp_path, monkeypatch):
    """Without the data folder: only what the sheets show, the first seed's pictures, is made again, with the same figures."""
    words = ("--seeds", "3", "--methods", "adam", "--transforms", "none", "--starts", "mean", "--ablations", "none")
    first = _run(class_pack, tmp_path, monkeypatch, *words)
    rows = json.loads((tmp_path / "report" / "runs.json").read_text())["runs"]
    assert len(rows) == 2 * 3
    by_hand = np.mean([row[3] for row in rows])  # run, l1, l2, perceptual
    assert first["rows"][0]["perceptual_mean"] == pytest.approx(by_hand, rel=1e-4)
    shutil.rmtree(tmp_path / "data" / "evaluations")
    made = []
    monkeypatch.setattr(projection, "outcome_of", lambda *a, **k: made.append(k["seed"]) or outcome_of(*a, **k))
    again = _run(class_pack, tmp_path, monkeypatch, *words)
    assert made == [0, 0, 0], "one to warm up, then one a picture"
    figures = ("l1_mean", "perceptual_best", "box_iou", "n", "seeds")
    assert [again["rows"][0][name] for name in figures] == pytest.approx([first["rows"][0][name] for name in figures], rel=1e-4)
    made.clear()
    _run(class_pack, tmp_path, monkeypatch, *words, "--evaluations", "13")
    assert len(made) == 1 + 2 * 3, "other settings are other runs"


def test_what_takes_part_decides_what_is_known(class_packs_dir, tmp_path, monkeypatch):
    """New edit maps leave the runs alone; another place of the generator's objects does not."""
    folder = tmp_path / "packs" / "tiny"
    shutil.copytree(class_packs_dir / "tiny", folder)
    monkeypatch.setenv(PACKS_VARIABLE, str(folder.parent))
    words = ("--seeds", "1", "--methods", "cma", "--transforms", "none", "--starts", "mean", "--ablations", "none")
    _run(open_pack("tiny"), tmp_path, monkeypatch, *words)
    kept = tmp_path / "data" / "evaluations" / "tiny"
    assert len(list(kept.iterdir())) == 1
    maps = open_pack("tiny").edit_maps
    source = open_pack("tiny").manifest.to_json()["components"]["edit_maps"]["provenance"]
    with torch.no_grad():
        changed = {name: tensor + 1 for name, tensor in maps.state_dict().items()}
    other = type(maps).from_config(maps.config_json())
    other.load_state_dict(changed)
    write_component(folder, "edit_maps", other, other.config_json(), source, half=False)
    _run(open_pack("tiny"), tmp_path, monkeypatch, *words)
    assert len(list(kept.iterdir())) == 1
    update_manifest(folder, object_box=[0.1, 0.1, 0.8, 0.8])
    _run(open_pack("tiny"), tmp_path, monkeypatch, *words)
    assert len(list(kept.iterdir())) == 2


def test_time_ends_the_runs_and_what_is_whole_is_reported(class_pack, tmp_path, monkeypatch):
    words = ("--seeds", "2", "--methods", "adam", "--transforms", "none", "--starts", "mean", "--ablations", "none")
    clock = iter(range(0, 10_000, 30))
    monkeypatch.setattr("engines.evaluation.work_share.time.monotonic", lambda: float(next(clock)))
    result = _run(class_pack, tmp_path, monkeypatch, *words, "--minutes", "2")
    assert (result["rows"][0]["n"], result["rows"][0]["seeds"]) == (2, 1)


def test_parts_share_the_work_and_the_last_one_reports_it_all(class_pack, tmp_path, monkeypatch):
    words = ("--seeds", "2", "--methods", "adam", "--transforms", "none", "--starts", "mean", "--ablations", "none")
    first = _run(class_pack, tmp_path, monkeypatch, *words, "--part", "2/2", n=3)
    assert (first["rows"][0]["n"], first["rows"][0]["seeds"]) == (1, 2), "the second of three pictures"
    whole = _run(class_pack, tmp_path, monkeypatch, *words, "--part", "1/2", n=3)
    assert (whole["rows"][0]["n"], whole["rows"][0]["seeds"]) == (3, 2)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--part", "3/2"), "--part 3/2: give I/N"),
        (("--seeds", "0"), "--seeds 0: at least one"),
        (("--minutes", "-1"), "--minutes -1: give a number above 0"),
        (("--methods", "encoder"), "--methods encoder: name some of adam"),
        (("--transforms", "none,none"), "--transforms none,none: name some of"),
        (("--starts", "here"), "--starts here: name some of mean, encoder"),
    ],
)
def test_bad_options_are_named(class_pack, tmp_path, monkeypatch, words, message):
    with pytest.raises(OptionError, match=message):
        _run(class_pack, tmp_path, monkeypatch, *words)


def test_packs_without_a_box_detector_are_refused(tiny_pack, tmp_path, monkeypatch):
    with pytest.raises(OptionError, match="pack tiny has no box detector"):
        _run(tiny_pack, tmp_path, monkeypatch)
