"""Writing packs: what is stored, what is refused, and that a cut leaves the old pack whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from engines.core.errors import PackFieldError, PackShapeError
from engines.packs import write
from engines.packs.manifest import read_manifest
from engines.packs.registry import open_pack
from engines.packs.write import create_manifest, update_manifest, write_component
from tests.generators.sizes import normal
from tests.packs.small_pack import CONFIG, MANIFEST, PROVENANCE, generator, statistics, write_small_pack


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_same_content_gives_the_same_bytes(tmp_path):
    write_small_pack(tmp_path / "a" / "small")
    write_small_pack(tmp_path / "b" / "small")
    assert _contents(tmp_path / "a" / "small") == _contents(tmp_path / "b" / "small")


def test_half_stores_matrices_small_and_vectors_exactly(tmp_path):
    folder = tmp_path / "halved"
    manifest = write_small_pack(folder, half=True)
    stored, original = load_file(folder / manifest.components["generator"].file), generator().state_dict()
    assert manifest.components["generator"].dtype == "float16"
    for name, tensor in original.items():
        assert stored[name].dtype == (torch.float16 if tensor.dim() > 1 else torch.float32)
        if tensor.dim() <= 1:
            assert torch.equal(stored[name], tensor)


def test_half_keeps_what_float16_cannot_hold(small):
    large = {**statistics(), "w_plus_mean": torch.full((4, 3), 1e6)}
    manifest = write_component(small, "statistics", large, {}, PROVENANCE, True)
    stored = load_file(small / manifest.components["statistics"].file)
    assert torch.equal(stored["w_plus_mean"], large["w_plus_mean"])
    assert stored["w_plus_factors"].dtype == torch.float16


def test_rewriting_replaces_one_component_and_leaves_no_file_behind(small):
    before = read_manifest(small)
    (small / "MODEL_CARD.md").write_text("kept")
    (small / "own.safetensors").write_bytes(b"kept")
    after = write_component(small, "generator", generator(seed=2), CONFIG.to_json(), {**PROVENANCE, "seed": 2}, False)
    assert after == read_manifest(small)
    assert after.components["generator"].provenance.seed == 2
    assert after.components["discriminator"] == before.components["discriminator"]
    files = {component.file for component in after.components.values()}
    assert {path.name for path in small.iterdir()} == {"manifest.json", "MODEL_CARD.md", "own.safetensors", *files}


def test_non_contiguous_and_shared_tensors_are_stored(small):
    flat = normal(3, 4)
    tensors = {"w_avg": flat[:, 0], "w_plus_mean": flat.t(), "w_plus_factors": normal(12, 5).t()}
    write_component(small, "statistics", tensors, {}, PROVENANCE, False)
    loaded = open_pack("small", small.parent).statistics
    assert all(torch.equal(loaded[name], tensors[name]) for name in tensors)


def test_update_replaces_fields_and_keeps_components(small):
    before = read_manifest(small)
    attributes = [{**before.to_json()["attributes"][0], "prevalence": 0.25, "exclusive": []}]
    after = update_manifest(small, attributes=attributes, title="New")
    assert after == read_manifest(small)
    assert (after.title, after.attributes[0].prevalence) == ("New", 0.25)
    assert after.components == before.components


# ---- a cut ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["replacing", "write_json"])
def test_a_failure_at_any_step_leaves_the_old_pack(small, monkeypatch, where):
    before = _contents(small)
    old = open_pack("small", small.parent).component_sha256("generator")

    def fail(*_args, **_kwargs):
        raise OSError("no space left")

    monkeypatch.setattr(write, where, fail)
    with pytest.raises(OSError, match="no space left"):
        write_component(small, "generator", generator(seed=2), CONFIG.to_json(), PROVENANCE, False)
    after = _contents(small)
    assert {name: after[name] for name in before} == before
    assert open_pack("small", small.parent).component_sha256("generator") == old


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_kill_between_weights_and_manifest_leaves_the_old_pack(small):
    """The process dies after the new weights are in place and before the manifest is: the worst moment."""
    code = textwrap.dedent("""
        import os, signal, sys, pathlib
        from engines.packs import write
        from tests.packs.small_pack import CONFIG, PROVENANCE, generator
        write.write_json = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        folder = pathlib.Path(sys.argv[1])
        write.write_component(folder, "generator", generator(seed=2), CONFIG.to_json(), PROVENANCE, False)
    """)
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    killed = subprocess.run([sys.executable, "-c", code, str(small)], env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(list(small.glob("generator-*.safetensors"))) == 2
    loaded = open_pack("small", small.parent).generator.state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in generator().state_dict().items())
    # The next writing clears up.
    write_component(small, "generator", generator(seed=3), CONFIG.to_json(), PROVENANCE, False)
    assert len(list(small.glob("generator-*.safetensors"))) == 1


# ---- errors ---------------------------------------------------------------------------------------------------------


def test_a_pack_is_not_created_twice(small):
    with pytest.raises(PackFieldError, match=r"manifest\.json exists already"):
        create_manifest(small, id="small", **MANIFEST)


def test_bad_fields_change_nothing(small, tmp_path):
    before = _contents(small)
    with pytest.raises(PackFieldError, match="resolution must be a whole number"):
        update_manifest(small, resolution=0)
    with pytest.raises(PackFieldError, match="unknown field colour"):
        update_manifest(small, colour="red")
    with pytest.raises(PackFieldError, match="components, id cannot be changed"):
        update_manifest(small, id="other", components={})
    with pytest.raises(PackFieldError, match="title must be a text"):
        create_manifest(tmp_path / "new", id="new", **{**MANIFEST, "title": 3})
    assert _contents(small) == before
    assert not (tmp_path / "new" / "manifest.json").exists()


def test_weights_that_do_not_fit_are_refused_before_anything_is_written(small):
    before = _contents(small)
    wider = {**CONFIG.to_json(), "channels": {"4": 4, "8": 2}}
    with pytest.raises(PackShapeError, match=r"synthesis.b4.const has shape \[3, 4, 4\], wanted \[4, 4, 4\]"):
        write_component(small, "generator", generator(), wider, PROVENANCE, False)
    with pytest.raises(PackFieldError, match="there is no component kind 'teapot'"):
        write_component(small, "teapot", nn.Linear(1, 1), {}, PROVENANCE, False)
    with pytest.raises(PackFieldError, match=r"the field components.generator.provenance.seed is missing"):
        write_component(small, "generator", generator(), CONFIG.to_json(), {"command": "x"}, False)
    spoiled = generator()
    spoiled.synthesis.b4.const.data[0, 0, 0] = torch.nan
    with pytest.raises(ValueError, match=r"synthesis.b4.const has values that are not finite"):
        write_component(small, "generator", spoiled, CONFIG.to_json(), PROVENANCE, False)
    assert _contents(small) == before
