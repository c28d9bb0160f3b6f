from __future__ import annotations

import pytest

from engines.core.errors import OptionError
from engines.evaluation.judges import samples
from engines.evaluation.ways import chosen_ways, inverted, ways_of


def test_every_method_has_the_variants_that_change_it(tiny_pack):
    ways = ways_of(tiny_pack)
    assert [way for way in ways if ":" not in way] == list(tiny_pack.manifest.methods)
    assert {"adam:z", "adam:w", "adam:w+", "clone:none", "clone:gan"} <= set(ways)
    assert not [way for way in ways if way.startswith(("encoder:", "fine-tune:"))]
    assert chosen_ways(" adam:w , encoder", tiny_pack) == ["adam:w", "encoder"]
    for names in ("adam:none", "best", "clone:w"):
        with pytest.raises(OptionError, match=f"--methods {names}: pack tiny offers encoder, "):
            chosen_ways(names, tiny_pack)


def test_a_variant_reaches_the_method(tiny_pack, monkeypatch):
    monkeypatch.setattr("engines.tuning.run.PIVOT_STEPS", 1)
    crop = samples(tiny_pack, 1, seed=3)[0]
    for space in ("w", "w+"):
        assert inverted(tiny_pack, crop, f"adam:{space}", steps=1, seed=0).settings["space"] == space
    for loss in ("none", "gan"):
        assert inverted(tiny_pack, crop, f"clone:{loss}", steps=1, seed=0).settings["global_loss"] == loss
