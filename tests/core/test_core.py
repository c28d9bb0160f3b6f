"""Core: atomic files, seeds, shapes, progress."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from engines.core.atomic import replacing, write_json
from engines.core.device import resolve_device, rough_dtype
from engines.core.errors import Cancelled, OptionError
from engines.core.paths import data_dir
from engines.core.progress import CancelToken
from engines.core.rng import torch_generator, z_for_seeds
from engines.core.shapes import check_shape
from engines.imaging.convert import to_tensor, to_uint8


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "settings.json"
    write_json(target, {"a": 1})
    with pytest.raises(RuntimeError), replacing(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == '{\n "a": 1\n}\n'
    assert os.listdir(tmp_path) == ["settings.json"]


def test_replaced_files_keep_ordinary_permissions(tmp_path):
    with replacing(tmp_path / "x.png") as temporary:
        assert temporary.suffix == ".png"
    umask = os.umask(0)
    os.umask(umask)
    assert (tmp_path / "x.png").stat().st_mode & 0o777 == 0o666 & ~umask


def test_writing_leaves_the_umask_of_the_process_alone(tmp_path, monkeypatch):
    # It holds for all threads: a file that another one makes meanwhile would be open to everybody.
    monkeypatch.setattr(os, "umask", lambda mask: pytest.fail("the umask was touched"))
    write_json(tmp_path / "x.json", 1)


def test_latents_do_not_depend_on_the_batch():
    together = z_for_seeds([3, 4, 5], 16)
    assert torch.equal(together[1], z_for_seeds([4], 16)[0])
    assert not torch.equal(together[0], together[1])


def test_seed_paths_are_independent():
    draws = [torch.rand(4, generator=torch_generator(*path)) for path in ((0,), (0, 0), (0, 1), (1, 0))]
    assert len({tuple(d.tolist()) for d in draws}) == 4


def test_check_shape_names_the_tensor_and_both_shapes():
    with pytest.raises(ValueError, match=r"w_plus must have shape \[any, 12, 192\], got \[2, 10, 192\]"):
        check_shape(torch.zeros(2, 10, 192), (None, 12, 192), "w_plus")


def test_cancel_token_raises_only_after_cancel():
    token = CancelToken()
    token.raise_if_cancelled()
    token.cancel()
    with pytest.raises(Cancelled):
        token.raise_if_cancelled()


def test_data_dir_follows_the_variable(monkeypatch, tmp_path):
    monkeypatch.setenv("LWE_DATA_DIR", str(tmp_path / "here"))
    assert data_dir() == tmp_path / "here"


def test_unknown_device_is_an_option_error():
    with pytest.raises(OptionError, match="--device quantum"):
        resolve_device("quantum")


def test_uint8_survives_the_round_trip_exactly():
    pictures = np.arange(256 * 3, dtype=np.uint32).astype(np.uint8).reshape(1, 16, 16, 3)
    assert np.array_equal(to_uint8(to_tensor(pictures)), pictures)


def test_conversion_has_the_documented_range_and_refuses_floats():
    assert to_tensor(np.array([[[0, 255, 51]]], np.uint8)).flatten().tolist() == pytest.approx([-1, 1, -0.6])
    with pytest.raises(ValueError, match="uint8"):
        to_tensor(np.zeros((4, 4, 3)))


def test_rough_work_is_in_bfloat16_where_the_processor_has_it():
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        pytest.skip("only Linux lists what the processor has")
    flags = next((line for line in cpuinfo.read_text().splitlines() if line.startswith("flags")), "").split()
    assert (rough_dtype() is torch.bfloat16) == ("avx512_bf16" in flags)
