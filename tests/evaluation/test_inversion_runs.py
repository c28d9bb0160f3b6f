"""``evaluate inversion`` goes on where it ended, in one process or several: on pictures of the tiny pack's own generator."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import numpy as np
import pytest

from engines.cli import evaluate
from engines.core.errors import OptionError
from engines.core.paths import DATA_DIR_VARIABLE
from engines.evaluation import inversion, inversion_runs
from engines.evaluation.judges import samples
from engines.evaluation.picture_sets import PictureSet
from engines.evaluation.work_share import WorkShare
from tests.command_run import run_command

WORDS = ("--sets", "faces", "--n", "3", "--degrade", "none,darkened", "--n-degraded", "2", "--twice", "1")
WORDS += ("--methods", "encoder,adam:w", "--steps", "2")
A_WAY = 3 + 2 + 2 - 1
"""Pictures that each way inverts: three, two of them darkened, and one twice, whose first upload is the first picture."""


@pytest.fixture
def made(class_pack, tmp_path, monkeypatch) -> list[tuple[str, int]]:
    """(way, steps) of every inversion that is made. Sets are samples of the generator, aligned as they are."""
    calls = []

    def counted(pack, crop, way, **options):
        calls.append((way, options["steps"]))
        return original(pack, crop, way, **options)

    original = inversion_runs.inverted
    monkeypatch.setattr(inversion_runs, "inverted", counted)
    monkeypatch.setattr(inversion, "picture_set", lambda setting, name, n: _pictures(class_pack, name, n))
    monkeypatch.setenv(DATA_DIR_VARIABLE, str(tmp_path / "data"))
    return calls


def _pictures(pack, name: str, n: int) -> PictureSet:
    crops = samples(pack, n, seed=len(name))
    return PictureSet(name, crops, list(crops))


def _without_seconds(value):
    if isinstance(value, dict):
        return {key: _without_seconds(item) for key, item in value.items() if "seconds" not in key}
    return value


def _real(made: list[tuple[str, int]]) -> list[str]:
    """The ways of those that are not for warming up, and forgets them all."""
    ways = [way for way, steps in made if steps == 2]
    made.clear()
    return ways


def _kept(tmp_path: Path, way: str) -> list[Path]:
    return sorted((tmp_path / "data" / "evaluations" / "tiny").glob(f"inversion-{way}-*/*.png"))


def test_what_was_inverted_is_not_inverted_again(made, tmp_path):
    first = run_command(inversion, *WORDS, out=tmp_path / "one")
    assert sorted(_real(made)) == ["adam:w"] * A_WAY + ["encoder"] * A_WAY
    assert first["sets"]["faces"]["adam:w"]["twice_n"] == 1 and first["sets"]["faces-darkened"]["encoder"]["n"] == 2
    assert run_command(inversion, *WORDS, out=tmp_path / "two") == first, "seconds too"
    assert made == [], "nor is anything warmed up"
    for path in (tmp_path / "one").iterdir():
        assert (tmp_path / "two" / path.name).read_bytes() == path.read_bytes()
    run_command(inversion, *WORDS, "--fresh", out=tmp_path / "two")
    assert len(_real(made)) == 2 * A_WAY


def test_more_pictures_and_methods_need_only_what_is_new(made, tmp_path):
    run_command(inversion, *WORDS, out=tmp_path)
    made.clear()
    more = run_command(inversion, *WORDS, "--n", "4", "--methods", "encoder,adam:w,encoder-refine", out=tmp_path)
    assert sorted(_real(made)) == ["adam:w", "encoder"] + ["encoder-refine"] * (A_WAY + 1)
    assert more["encoder-refine"]["n"] == 4


def test_other_seeds_and_budgets_share_nothing(made, tmp_path):
    first = run_command(inversion, *WORDS, out=tmp_path)
    made.clear()
    run_command(inversion, *WORDS, seed=1, out=tmp_path)
    assert len(_real(made)) == 2 * A_WAY
    run_command(inversion, *WORDS, "--steps", "3", out=tmp_path)
    assert sum(steps == 3 for _, steps in made) == 2 * A_WAY
    assert run_command(inversion, *WORDS, out=tmp_path) == first


def test_parts_together_are_the_whole(made, tmp_path, monkeypatch):
    whole = run_command(inversion, *WORDS, out=tmp_path / "whole")
    made.clear()
    monkeypatch.setenv(DATA_DIR_VARIABLE, str(tmp_path / "other"))
    second = run_command(inversion, *WORDS, "--part", "2/2", out=tmp_path / "parts")
    assert len(_real(made)) == 2 * 2, "the second picture, and the second that is darkened"
    assert second["left"] == 2 * (A_WAY - 2)
    assert {name: rows["encoder"]["n"] for name, rows in second["sets"].items()} == {"faces": 1, "faces-darkened": 1}
    assert "Not whole yet: 8 inversions are still to be made." in (tmp_path / "parts" / "report.md").read_text("utf-8")
    both = run_command(inversion, *WORDS, "--part", "1/2", out=tmp_path / "parts")
    assert len(_real(made)) == 2 * (A_WAY - 2)
    assert _without_seconds(both) == _without_seconds(whole)
    for picture in ("best-median-worst.png", "median-faces-darkened.png"):
        assert (tmp_path / "parts" / picture).read_bytes() == (tmp_path / "whole" / picture).read_bytes()


def test_damaged_files_are_made_again(made, tmp_path):
    whole = run_command(inversion, *WORDS, out=tmp_path / "whole")
    made.clear()
    first, second, third, *_ = _kept(tmp_path, "adam-w")
    first.write_bytes(first.read_bytes()[:-300])
    second.write_bytes(b"\x89PNG nothing")
    third.unlink()
    again = run_command(inversion, *WORDS, out=tmp_path / "again")
    assert {way for way, _ in made} == {"adam:w"}, "the encoder is not even warmed up"
    assert len(_real(made)) == 3
    assert _without_seconds(again) == _without_seconds(whole)


def test_time_ends_the_work_and_a_later_call_goes_on(made, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(WorkShare, "in_time", lambda self, work: work[:5])
        ended = run_command(inversion, *WORDS, "--minutes", "1", out=tmp_path / "out")
    assert ended["left"] == 2 * A_WAY - 5
    # Of the first picture there are two ways, plain, darkened and as it is uploaded first and again: five are not all of it.
    assert list(ended["sets"]) == ["faces"] and ended["encoder"]["n"] == 1
    made.clear()
    run_command(inversion, *WORDS, out=tmp_path / "out")
    assert len(_real(made)) == 2 * A_WAY - 5


def test_nothing_whole_is_said_and_what_was_made_stays(made, tmp_path, monkeypatch):
    monkeypatch.setattr(WorkShare, "in_time", lambda self, work: work[:1])
    with pytest.raises(OptionError, match="No picture has been inverted by all methods yet"):
        run_command(inversion, *WORDS, "--minutes", "1", out=tmp_path)
    assert len(_real(made)) == 1 and {path.name for path in tmp_path.glob("runs-*")} == {
        "runs-encoder.json",
        "runs-adam-w.json",
    }


def test_without_the_data_folder_figures_come_from_the_report_and_only_what_is_looked_at_is_made_again(made, tmp_path):
    words = ("--sets", "faces", "--n", "6", "--degrade", "none,darkened", "--twice", "1", "--methods", "encoder,adam:w")
    words += ("--steps", "2")
    first = run_command(inversion, *words, out=tmp_path / "out")
    pictures = {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.png")}
    made.clear()
    shutil.rmtree(tmp_path / "data")
    again = run_command(inversion, *words, out=tmp_path / "out")
    # Best, median and worst, the median of the darkened ones, and both uploads, the first of which may be one of them.
    assert len(_real(made)) in (2 * 5, 2 * 6)
    assert _close(again, first)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.png")} == pictures


def _close(a, b) -> bool:
    """Equal but for the last digits, seconds aside."""
    if isinstance(b, dict):
        return a.keys() == b.keys() and all("seconds" in key or _close(a[key], b[key]) for key in b)
    if isinstance(b, list):
        return len(a) == len(b) and all(map(_close, a, b))
    return a == (pytest.approx(b, rel=1e-4) if isinstance(b, float) else b)


def test_the_command_line_says_what_is_left(capsys, tmp_path):
    arguments = argparse.Namespace(run_what=lambda arguments: {"left": 3}, out=tmp_path)
    evaluate.run(arguments)
    assert capsys.readouterr().out == f"report in {tmp_path}, of what is there: 3 runs are left, the same command goes on\n"
    arguments.run_what = lambda arguments: {"left": 0}
    evaluate.run(arguments)
    assert capsys.readouterr().out == f"report in {tmp_path}\n"


def test_sets_may_differ_in_size(made, tmp_path):
    words = ("--sets", "faces,faces-ood", "--n", "4", "--n-of", "faces-ood=2", "--methods", "encoder", "--twice", "0")
    result = run_command(inversion, *words, out=tmp_path)
    assert {name: rows["encoder"]["n"] for name, rows in result["sets"].items()} == {"faces": 4, "faces-ood": 2}
    report = (tmp_path / "report.md").read_text("utf-8")
    assert "--n 4 --set faces,faces-ood --n-of faces-ood=2" in report
    median = {name: np.float64(rows["encoder"]["mse_median"]) for name, rows in result["sets"].items()}
    assert f"| faces-ood | 2 | {median['faces-ood']:.3f} |" in report, "the table of all sets"


@pytest.mark.parametrize("given", ["creatures=3", "photos=2", "faces=0", "faces", "faces=1,"])
def test_sizes_of_sets_that_mean_nothing_are_refused(made, tmp_path, given):
    with pytest.raises(OptionError, match=f"--n-of {given}: write SET=N with N from 1 and one of faces as SET"):
        run_command(inversion, "--sets", "faces,photos", "--n-of", given, out=tmp_path)
    assert made == []
