"""Run folders: fresh, resumed, and refused."""

from __future__ import annotations

import json
import re
import time

import pytest
import torch

from engines.core.errors import RunError
from engines.training.runs import Run, run_folder


def test_a_checkpoint_comes_back_with_its_time(tmp_path):
    run = Run.open(tmp_path, {"seed": 1, "minutes": 1.0}, resume=False)
    time.sleep(0.05)
    before = run.seconds
    run.save_checkpoint({"w": torch.arange(3), "step": 7, "nested": {"x": [1.5]}})
    again = Run.open(tmp_path, {"seed": 1, "minutes": 5.0}, resume=True)
    state = again.load_checkpoint()
    assert state["step"] == 7 and state["nested"] == {"x": [1.5]} and torch.equal(state["w"], torch.arange(3))
    assert again.seconds >= before >= 0.05


def test_another_seed_is_not_the_same_run(tmp_path):
    Run.open(tmp_path, {"seed": 1}, resume=False).save_checkpoint({})
    with pytest.raises(RunError, match="another seed"):
        Run.open(tmp_path, {"seed": 2}, resume=True)


def test_a_run_is_never_overwritten_silently(tmp_path):
    Run.open(tmp_path, {"seed": 1}, resume=False).save_checkpoint({})
    with pytest.raises(RunError, match="--resume"):
        Run.open(tmp_path, {"seed": 1}, resume=False)


def test_nothing_to_resume_is_said(tmp_path):
    with pytest.raises(RunError, match="no checkpoint"):
        Run.open(tmp_path, {}, resume=True)


def test_the_log_is_json_lines(tmp_path):
    run = Run.open(tmp_path, {}, resume=False)
    run.log(step=1, loss=0.123456789)
    run.log(step=2, loss=0.1)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2] and lines[0]["loss"] == 0.123457


def test_a_configuration_with_tuples_is_the_same_when_resumed(tmp_path):
    config = {"weights": (("Male", 2.0),), "none": ()}
    Run.open(tmp_path, config, resume=False).save_checkpoint({})
    Run.open(tmp_path, config, resume=True)


def test_parts_go_on_where_they_were_and_a_finished_run_frees_its_folder(tmp_path):
    run = Run.open(tmp_path, {"seed": 1}, resume=False)
    run.save_checkpoint({})
    assert run.part("maps").load_checkpoint() is None
    run.part("maps").save_checkpoint({"step": 3})
    again = Run.open(tmp_path, {"seed": 1}, resume=True)
    assert again.part("maps").load_checkpoint() == {"step": 3}
    again.finish()
    assert Run.open(tmp_path, {"seed": 2}, resume=False).part("maps").load_checkpoint() is None


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("config.json", b"{"),
        ("config.json", b"[1]"),
        ("config.json", b"\xff"),
        ("config.json", None),
        ("checkpoint.pt", b"no archive"),
        ("checkpoint.pt", b""),
    ],
)
def test_a_damaged_file_of_a_run_is_named(tmp_path, name, data):
    Run.open(tmp_path, {"seed": 1}, resume=False).save_checkpoint({"step": 1})
    path = tmp_path / name
    path.unlink()
    if data is not None:
        path.write_bytes(data)
    before = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    with pytest.raises(RunError, match=re.escape(f"{path} cannot be read")):
        Run.open(tmp_path, {"seed": 1}, resume=True)
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == before


def test_a_checkpoint_cut_short_is_named(tmp_path):
    Run.open(tmp_path, {"seed": 1}, resume=False).save_checkpoint({"weights": torch.zeros(1000)})
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(RunError, match=re.escape(f"{path} cannot be read")):
        Run.open(tmp_path, {"seed": 1}, resume=True)


def test_a_file_of_another_kind_is_no_checkpoint(tmp_path):
    Run.open(tmp_path, {"seed": 1}, resume=False)
    torch.save({"generator": torch.zeros(2)}, tmp_path / "checkpoint.pt")
    with pytest.raises(RunError, match="it is no checkpoint of a run"):
        Run.open(tmp_path, {"seed": 1}, resume=True)


@pytest.mark.parametrize("pack", ["../../x", "a/b", "..", ""])
def test_a_run_lies_in_the_data_folder(pack):
    with pytest.raises(RunError, match="one name, without folders"):
        run_folder(pack, "lw")
