"""Two architectures trained in turns: the same bytes again, an interruption leaves no trace, and time is shared evenly."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from engines.core.errors import OptionError, RunError
from engines.core.paths import DATA_DIR_VARIABLE, PACKS_VARIABLE
from engines.data.dataset import DataSet
from engines.data.registry import DATA_SETS
from engines.experiments import architectures, competitor
from engines.experiments.architectures import Budget
from engines.experiments.competitor import nearest_width, parameter_count
from engines.generators.biggan_deep import BigGANDeep
from tests.command_run import run_command
from tests.tiny_pack import TINY_ATTRIBUTES, TINY_CLASSES

_SEEDS = {"train": 0, "validation": 1}


@dataclass(frozen=True)
class _Tile:
    """A picture of one colour with a stripe whose place is the class."""

    seed: int
    index: int

    def to_json(self) -> str:
        return json.dumps([self.seed, self.index])


def _draw(tile: _Tile, size: int) -> np.ndarray:
    picture = np.empty((size, size, 3), np.uint8)
    picture[:] = np.random.default_rng([tile.seed, tile.index]).integers(0, 256, 3)
    place = 8 * (tile.index % len(TINY_CLASSES))
    picture[place : place + 8] = 255
    return picture


_TILES = DataSet(
    name="tiles",
    size_px=32,
    sizes_px=(32, 32),
    renderer=1,
    licence="none",
    splits=tuple(_SEEDS),
    attributes=TINY_ATTRIBUTES,
    factors=(),
    may_mirror=True,
    record=lambda split, index: _Tile(_SEEDS[split], index),
    exported=lambda seed, index: _Tile(seed, index),
    read=lambda line: _Tile(*json.loads(line)),
    render=_draw,
    labels=lambda tile: dict.fromkeys(TINY_ATTRIBUTES, tile.index % 2 == 0),
    counterfactual=lambda tile, name, wanted: tile,
    classes=TINY_CLASSES,
    class_of=lambda tile: tile.index % len(TINY_CLASSES),
)
_WORDS = ("--set", "tiles", "--steps", "4", "--checks", "2", "--n", "8", "--pictures", "8", "--batch", "4")


def _surround(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(DATA_SETS, "tiles", _TILES)
    # The set is known to this process alone, which therefore draws it.
    patch.setattr("engines.data.workers.default_processes", lambda: 1)
    patch.setattr(competitor, "_STANDING_BATCHES", 3)


@pytest.fixture(autouse=True)
def _tiles(monkeypatch):
    _surround(monkeypatch)


def _run(folder: Path, *words: str, **given):
    return run_command(architectures, *_WORDS, *words, "--run", str(folder / "run"), **{"out": folder / "out", **given})


def _kept(folder: Path) -> dict[str, object]:
    """What a repetition has to give again: grids of samples, and all figures but times."""
    with (folder / "out" / "table.csv").open(encoding="utf-8", newline="") as file:
        rows = [{key: value for key, value in row.items() if "seconds" not in key} for row in csv.DictReader(file)]
    pictures = {path.name: path.read_bytes() for path in sorted((folder / "out").glob("*.png"))}
    return {"rows": rows, **pictures}


@pytest.fixture(scope="module")
def whole(class_packs_dir, tmp_path_factory) -> Path:
    """The folder of a run from start to end."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        _surround(patch)
        patch.setenv(PACKS_VARIABLE, str(class_packs_dir))
        patch.setenv(DATA_DIR_VARIABLE, str(folder / "data"))
        _run(folder)
    return folder


def test_the_report_has_figures_and_samples_of_both(class_pack, whole):
    kept = _kept(whole)
    assert set(kept) == {"rows", "curves.png", "samples-stylegan2.png", "samples-biggan-deep.png"}
    assert [(row["architecture"], row["steps"], row["pictures_seen"]) for row in kept["rows"]] == [
        ("StyleGAN2", "2", "8"),
        ("BigGAN-deep", "2", "8"),
        ("StyleGAN2", "4", "16"),
        ("BigGAN-deep", "4", "16"),
    ]
    assert all(float(row["fd_ratio"]) > 0 and 0 <= float(row["class_agreement"]) <= 1 for row in kept["rows"])
    assert len({row["fd_ratio"] for row in kept["rows"]}) == 4, "every check judges other weights"
    text = (whole / "out" / "report.md").read_text(encoding="utf-8")
    command = "python -m engines evaluate architectures --pack tiny --n 8 --set tiles --steps 4 --checks 2 --pictures 8"
    assert command in text and class_pack.weights_hash in text and "processor_seconds_per_step" in text
    result = json.loads((whole / "out" / "result.json").read_text(encoding="utf-8"))["result"]
    assert result["StyleGAN2"]["generator_parameters"] == parameter_count(class_pack.generator)
    assert result["StyleGAN2"]["discriminator_parameters"] == result["BigGAN-deep"]["discriminator_parameters"]


def test_an_interrupted_run_goes_on_as_if_nothing_had_happened(class_pack, whole, tmp_path):
    def pull_the_plug(record):
        if record.stage == "Judging samples" and (tmp_path / "cut" / "run" / "checkpoint.pt").exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _run(tmp_path / "cut", progress=pull_the_plug)
    assert not (tmp_path / "cut" / "out").exists()
    with pytest.raises(RunError, match="already holds a run"):
        _run(tmp_path / "cut")
    with pytest.raises(RunError, match="started with another seed"):
        _run(tmp_path / "cut", "--resume", seed=1)
    _run(tmp_path / "cut", "--resume")
    assert _kept(tmp_path / "cut") == _kept(whole)


def test_a_finished_run_can_be_given_further_checks(class_pack, whole, tmp_path):
    _run(tmp_path, "--steps", "2", "--checks", "1")
    with pytest.raises(RunError, match="started with another steps a check"):
        _run(tmp_path, "--resume", "--checks", "1")
    _run(tmp_path, "--resume")
    assert _kept(tmp_path) == _kept(whole)


def test_the_loss_is_biggan_deeps_alone(class_pack, whole, tmp_path):
    before = {row["architecture"]: row["fd_ratio"] for row in _kept(whole)["rows"]}
    _run(tmp_path, "--loss", "hinge")
    after = {row["architecture"]: row["fd_ratio"] for row in _kept(tmp_path)["rows"]}
    assert after["StyleGAN2"] == before["StyleGAN2"] and after["BigGAN-deep"] != before["BigGAN-deep"]


class _Worker:
    """Stands for a competitor whose steps take a given time."""

    def __init__(self, name: str, step_sec: float, turns: list[str]) -> None:
        self.architecture, self.step_count, self.processor_seconds = type("_Named", (), {"name": name}), 0, 0.0
        self.step_sec, self.turns, self.pictures_seen = step_sec, turns, 0

    def step(self) -> dict[str, float]:
        if not self.turns or self.turns[-1] != self.architecture.name:
            self.turns.append(self.architecture.name)
        self.step_count += 1
        self.processor_seconds += self.step_sec
        return {"d": 0.0, "g": 0.0}

    def state(self) -> dict[str, int]:
        return {}


class _Quiet:
    seconds = 0.0

    def load_checkpoint(self) -> None: ...
    def save_checkpoint(self, state) -> None: ...
    def log(self, **numbers) -> None: ...
    def stage(self, *words) -> None: ...
    def progress(self, record) -> None: ...


def test_minutes_are_shared_evenly_in_turns():
    """120 seconds each in slices of 30: the slower one makes fewer steps, not more time."""
    turns: list[str] = []
    fast, slow = _Worker("fast", 0.5, turns), _Worker("slow", 2.0, turns)
    quiet = _Quiet()
    contest = architectures._Contest(quiet, quiet, Budget(None, 2.0, 2), (fast, slow), lambda worker: {})
    rows = contest.run()
    assert [(row["architecture"], row["steps"]) for row in rows] == [("fast", 120), ("slow", 30), ("fast", 240), ("slow", 60)]
    assert [row["processor_seconds"] for row in rows] == [60, 60, 120, 120]
    assert turns == ["fast", "slow"] * 4


@pytest.mark.parametrize("parameters", [20_000, 60_000])
def test_the_nearest_number_of_parameters_is_found(parameters):
    found = nearest_width(32, 3, parameters)
    counts = {width: parameter_count(BigGANDeep(type(found)(32, 3, width))) for width in range(1, found.width + 2)}
    assert min(counts, key=lambda width: abs(counts[width] - parameters)) == found.width


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--minutes", "1"), "--steps and --minutes exclude each other"),
        (("--steps", "1"), "--steps 1: at least one step is needed for each of 2 checks"),
        (("--checks", "0"), "--checks 0"),
        (("--n", "3"), "--n 3: at least 4"),
        (("--batch", "9"), "--batch must be"),
        (("--rate", "0"), "--rate 0"),
        (("--threads", "0"), "--threads 0"),
    ],
)
def test_bad_options_are_named(class_pack, tmp_path, words, message):
    with pytest.raises(OptionError, match=message):
        _run(tmp_path, *words)
    assert not (tmp_path / "run").exists()


def test_a_pack_without_classes_is_refused(tiny_pack, tmp_path):
    with pytest.raises(OptionError, match="Pack tiny has no classes"):
        _run(tmp_path)
