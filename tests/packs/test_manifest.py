"""Manifests: read back as written, and every fault is named with its file and field."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from dataclasses import FrozenInstanceError

import pytest

from engines.core.errors import PackFieldError, PackFileMissingError, PackVersionError
from engines.editing.families import DEFAULT_FAMILY, FAMILIES
from engines.inversion.requirements import METHOD_COMPONENTS
from engines.packs.components import COMPONENTS, REQUIRED_KINDS
from engines.packs.manifest import FORMAT, list_manifests, parse_manifest, read_manifest
from engines.packs.write import update_manifest
from tests.packs.small_pack import MANIFEST, PROVENANCE, edit_json, write_small_pack


def test_records_hold_what_the_file_says(small):
    manifest = read_manifest(small)
    assert (manifest.id, manifest.title, manifest.resolution) == ("small", "Small", 8)
    assert (manifest.latent.z_dim, manifest.latent.layers, manifest.latent.dim) == (4, 4, 3)
    assert [attribute.id for attribute in manifest.attributes] == ["Smiling", "Beard"]
    assert manifest.attributes[0].exclusive == ("Beard",)
    assert manifest.alignment.kind == "none"
    generator = manifest.components["generator"]
    assert generator.bytes == (small / generator.file).stat().st_size
    assert generator.provenance.metrics["held_out_mse_median"] == 0.25
    with pytest.raises(FrozenInstanceError):
        manifest.title = "Other"


def test_json_form_reads_back_equal(small):
    manifest = read_manifest(small)
    assert parse_manifest(json.dumps(manifest.to_json()), small / "manifest.json") == manifest


def test_five_point_alignment_reads_back_equal(small):
    recipe = {"kind": "five-points", "points": [[1, 2.5]] * 5, "reference_px": 128, "detector": "mtcnn"}
    edit_json(small, "alignment", value=recipe)
    manifest = read_manifest(small)
    assert manifest.alignment.points == ((1, 2.5),) * 5
    assert manifest.alignment.reference_px == 128
    assert parse_manifest(json.dumps(manifest.to_json()), small / "manifest.json") == manifest


def test_the_fourth_format_which_had_mean_regions_is_read_and_written_anew(small):
    now = read_manifest(small)
    for regions in (None, {"grids": {"Beard": ["00", "0f"]}, "pictures": 3, "command": "train regions", "seed": 0}):
        edit_json(small, "format", value=4)
        edit_json(small, "edit_regions", value=regions)
        assert read_manifest(small) == now
        assert update_manifest(small) == now
        assert "edit_regions" not in json.loads((small / "manifest.json").read_text())
    edit_json(small, "edit_regions", value=None)
    with pytest.raises(PackFieldError, match="unknown field edit_regions"):
        read_manifest(small)


@pytest.mark.parametrize(
    "path, value, message",
    [
        (("colour",), 1, "unknown field colour"),
        (("latent", "depth"), 1, "unknown field latent.depth"),
        (("attributes", 1, "colour"), 1, r"unknown field attributes\[1\].colour"),
        (("alignment", "points"), [], "unknown field alignment.points"),
        (("components", "generator", "url"), "x", "unknown field components.generator.url"),
        (("components", "generator", "provenance", "author"), "x", "unknown field components.generator.provenance.author"),
        (("components", "teapot"), {}, "components must be an object with the keys generator, .*, got 'teapot'"),
        (("id",), "Sm/all", "id must be of the form"),
        (("id",), "other", "id must be the name of its folder, 'small', got 'other'"),
        (("title",), "", "title must be a text that is not empty"),
        (("resolution",), "8", "resolution must be a whole number of at least 8, got '8'"),
        (("resolution",), True, "resolution must be a whole number of at least 8, got True"),
        (("latent",), [], "latent must be an object"),
        (("latent", "spaces"), ["q"], r"latent.spaces must be a list of z, w, w\+"),
        (("attributes",), {}, "attributes must be a list"),
        (("attributes", 0, "group"), "feet", r"attributes\[0\].group must be one of expression, .*, got 'feet'"),
        (("attributes", 0, "prevalence"), 1.5, r"attributes\[0\].prevalence must be a number from 0 to 1, got 1.5"),
        (("attributes", 0, "alpha_min"), 0.5, r"attributes\[0\].alpha_min must be a number from -inf to 0"),
        (("attributes", 0, "exclusive"), ["Hat"], r"attributes.Smiling.exclusive must be ids of .*, got \['Hat'\]"),
        (("attributes", 1, "id"), "Smiling", "attributes must be distinct ids"),
        (("preprocessing", "colour"), "BGR", "preprocessing.colour must be one of RGB, got 'BGR'"),
        (("preprocessing", "range"), [0, 1], r"preprocessing.range must be \[-1, 1\], got \[0, 1\]"),
        (("alignment", "kind"), "ears", "alignment.kind must be one of five-points, none, got 'ears'"),
        (("alignment",), {"kind": "five-points", "points": [[1, 2]] * 4}, r"alignment.points must be a list of 5 points"),
        (("methods",), ["encoder"], "unknown field methods"),
        (("classes",), [{"id": "one", "name": "One"}], r"classes must be at least two distinct ids, or none, got \['one'\]"),
        (("classes",), [{"id": "a", "name": "A"}] * 2, r"classes must be at least two distinct ids, or none"),
        (("classes",), [{"id": "a", "name": ""}], r"classes\[0\].name must be a text that is not empty"),
        (("object_statistics",), {"centre_mean": [0.5]}, r"object_statistics.centre_mean must be a list of 2 numbers"),
        (("object_box",), [0.1, 0.2, 0.9], "object_box must be a list of 4 numbers"),
        (("object_box",), [0.1, 0.9, 0.5, 0.2], "object_box must be x0, y0, x1, y1 with 0 <= x0 < x1 <= 1"),
        (("licences", "data"), 3, "licences must be an object of texts"),
        (("components", "generator", "sha256"), "abc", "components.generator.sha256 must be of the form"),
        (("components", "generator", "dtype"), "int8", "components.generator.dtype must be one of float16, float32"),
        (("components", "generator", "file"), "../other/x", "file must be a path inside the pack's folder, got '../other/x'"),
        (("components", "generator", "file"), "/etc/passwd", "file must be a path inside the pack's folder"),
        (("components", "generator", "file"), "C:\\x", "file must be a path inside the pack's folder"),
        (("components", "generator", "provenance", "seed"), -1, "provenance.seed must be a whole number of at least 0"),
        (("format",), "1", "format must be a whole number of at least 1, got '1'"),
    ],
)
def test_wrong_fields_are_named(small, path, value, message):
    edit_json(small, *path, value=value)
    with pytest.raises(PackFieldError, match=rf"manifest.json: .*{message}"):
        read_manifest(small)


@pytest.mark.parametrize("name", [*MANIFEST, "id", "format", "components"])
def test_missing_fields_are_named(small, name):
    edit_json(small, name, remove=True)
    with pytest.raises(PackFieldError, match=f"manifest.json: the field {name} is missing"):
        read_manifest(small)


@pytest.mark.parametrize("name", [name for name in PROVENANCE if name != "metrics"])
def test_missing_provenance_is_named(small, name):
    edit_json(small, "components", "generator", "provenance", name, remove=True)
    with pytest.raises(PackFieldError, match=f"the field components.generator.provenance.{name} is missing"):
        read_manifest(small)


def test_newer_formats_ask_for_an_update_whatever_else_they_contain(small):
    edit_json(small, "novelty", value=1)
    edit_json(small, "format", value=FORMAT + 1)
    with pytest.raises(PackVersionError, match=rf"has format {FORMAT + 1}, this version reads up to {FORMAT}: update"):
        read_manifest(small)


def test_the_first_format_which_listed_methods_is_read_and_written_anew(small):
    now = read_manifest(small)
    edit_json(small, "format", value=1)
    edit_json(small, "methods", value=["encoder"])
    for newer in ("object_box", "classes", "object_statistics"):
        edit_json(small, newer, remove=True)
    assert read_manifest(small) == now
    assert update_manifest(small) == now
    assert json.loads((small / "manifest.json").read_text())["format"] == FORMAT


def test_where_objects_lie_reads_back(small):
    assert read_manifest(small).object_box is None
    assert update_manifest(small, object_box=[0.1, 0.2, 0.8, 0.9]).object_box == (0.1, 0.2, 0.8, 0.9)


def test_classes_and_statistics_of_objects_read_back(small):
    assert read_manifest(small).classes == () and read_manifest(small).object_statistics is None
    pairs = {"centre_mean": [0.5, 0.6], "centre_deviation": [0.1, 0.1], "size_mean": [0.6, 0.6], "size_deviation": [0.1, 0.2]}
    found = update_manifest(
        small,
        classes=[{"id": "cat", "name": "Cat"}, {"id": "dog", "name": "Dog"}],
        object_statistics={**pairs, "size_mode": [0.4, 1.0], "pictures": 7},
    )
    assert [(row.id, row.name) for row in found.classes] == [("cat", "Cat"), ("dog", "Dog")]
    assert found.object_statistics.box == pytest.approx((0.3, 0.1, 0.7, 1.0)), "cut off at the lower border"
    assert parse_manifest(json.dumps(found.to_json()), small / "manifest.json") == found


def test_methods_follow_from_the_components(small, tiny_packs_dir):
    """No list in the manifest: a pack can do what its parts allow."""
    assert read_manifest(small).methods == ()
    (complete,) = list_manifests(tiny_packs_dir)
    assert complete.methods == tuple(METHOD_COMPONENTS)
    without = dataclasses.replace(complete, components={k: v for k, v in complete.components.items() if k != "discriminator"})
    assert set(complete.methods) - set(without.methods) == {
        method for method, needed in METHOD_COMPONENTS.items() if "discriminator" in needed
    }
    known = {kind for needed in METHOD_COMPONENTS.values() for kind in needed}
    assert known <= set(COMPONENTS)


def test_damaged_manifests_are_named(small):
    (small / "manifest.json").write_text('{"format": 1,')
    with pytest.raises(PackFieldError, match=r"manifest.json is not JSON"):
        read_manifest(small)
    for text in ("[" * 100_000, '{"format": ' + "1" * 5000 + "}", '{"format": ' + "1" * 400 + "}"):
        (small / "manifest.json").write_text(text)
        with pytest.raises(PackFieldError, match=r"manifest.json is not JSON"):
            read_manifest(small)
    (small / "manifest.json").write_text("[]")
    with pytest.raises(PackFieldError, match=r"the manifest must be an object"):
        read_manifest(small)
    (small / "manifest.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PackFieldError, match=r"manifest.json is not text"):
        read_manifest(small)
    (small / "manifest.json").unlink()
    with pytest.raises(PackFileMissingError, match=r"manifest.json is missing"):
        read_manifest(small)


def test_listing_skips_what_is_no_pack_and_what_is_incomplete(small):
    packs = small.parent
    write_small_pack(packs / "another")
    (packs / "notes").mkdir()
    (packs / "README.md").write_text("not a pack")
    assert [manifest.id for manifest in list_manifests(packs, incomplete=True)] == ["another", "small"]
    assert list_manifests(packs) == []
    assert list_manifests(packs / "nowhere") == []
    assert "encoder" in read_manifest(small).missing_kinds
    assert set(read_manifest(small).missing_kinds) == set(REQUIRED_KINDS) - {"generator", "statistics"}


def test_listing_tells_of_a_broken_pack(small):
    edit_json(small, "title", remove=True)
    with pytest.raises(PackFieldError, match="the field title is missing"):
        list_manifests(small.parent)


def test_complete_packs_are_listed(tiny_packs_dir):
    (manifest,) = list_manifests(tiny_packs_dir)
    assert manifest.missing_kinds == ()
    # Edit families beside LW, training pictures, the region network, and what only packs of objects have, are extras.
    extras = (
        "training_sample",
        "class_predictor",
        "box_detector",
        "region_network",
        "steering",
        *(row.kind for row in FAMILIES.values() if row.name != DEFAULT_FAMILY),
    )
    assert list(manifest.components) == [kind for kind in COMPONENTS if kind not in extras]


def test_listing_needs_no_torch(small):
    """A command that lists packs answers at once: importing torch alone takes seconds."""
    code = (
        "import sys, pathlib; from engines.packs.manifest import list_manifests;"
        "found = list_manifests(pathlib.Path(sys.argv[1]), incomplete=True);"
        "sys.exit(len(found) != 1 or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(small.parent)], check=False).returncode == 0
