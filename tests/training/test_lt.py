"""The Latent Transformer: its loss by hand, planted codes, and a whole fit on the tiny pack."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from engines.core.rng import torch_generator
from engines.editing.shared_maps import SharedMaps
from engines.training.family_run import fit_family
from engines.training.lt import LtFit
from engines.training.lt_map import LtOptions, class_weights, coefficients, fit_transformer, lt_loss
from engines.training.runs import Run
from tests.training.planted import material, predicted_codes


def test_what_has_the_attribute_loses_it_and_what_lacks_it_gets_it():
    probabilities = torch.tensor([0.1, 0.5, 0.6, 0.9])
    torch.testing.assert_close(coefficients(probabilities), torch.tensor([0.9, 0.5, -0.6, -0.9]))


def test_both_targets_have_half_of_the_weight():
    """Three of four lack the attribute and get target 1: 3 * 2/3 = 1 * 2 = n / 2."""
    assert class_weights(torch.tensor([0.1, 0.2, 0.3, 0.9])) == pytest.approx((2.0, 2 / 3))
    assert class_weights(torch.tensor([0.9, 0.8])) == (0.5, 0.0)


def test_the_loss_is_the_written_out_sum():
    draw = torch_generator(1)
    codes, moved = torch.randn(3, 2, 4, generator=draw), torch.randn(3, 2, 4, generator=draw)
    before, after = torch.randn(3, 2, generator=draw), torch.randn(3, 2, generator=draw)
    relevance, weights = torch.tensor([0.0, 0.7]), (2.0, 0.5)
    wanted = 0.0
    for n in range(3):
        target = 1.0 if before[n, 0] <= 0 else 0.0
        p = 1 / (1 + math.exp(-float(after[n, 0])))
        entropy = -(target * math.log(p) + (1 - target) * math.log(1 - p))
        wanted += (weights[1] if target else weights[0]) * entropy / 3
        wanted += 10 * float(((moved[n] - codes[n]) ** 2).sum()) / 24
        wanted += 3 * float((0.7 * (after[n, 1] - before[n, 1])) ** 2) / 6
    loss = lt_loss(
        moved, codes, after, before, k=0, relevance=relevance, weights=weights, code_weight=10.0, attribute_weight=3.0
    )
    assert float(loss) == pytest.approx(wanted, rel=1e-5)


def _planted_classifier(codes: torch.Tensor) -> torch.Tensor:
    """Attribute 0 is twice the first coordinate, attribute 1 the first and second together."""
    return torch.stack([2 * codes[:, 0, 0], 2 * (codes[:, 0, 0] + codes[:, 0, 1])], 1)


def _fit(options: LtOptions) -> tuple[SharedMaps, torch.Tensor]:
    codes = torch.randn(400, 2, 3, generator=torch_generator(3))
    maps = SharedMaps(("A", "B"), 2, 3, options.rank)
    fit_transformer(maps, "A", codes, _planted_classifier, k=0, relevance=torch.tensor([0.0, 1.0]), options=options, seed=0)
    return maps.requires_grad_(False), codes


@pytest.mark.parametrize("rank", [None, 2, 0])
def test_a_map_moves_along_what_the_classifier_reads(rank):
    maps, codes = _fit(LtOptions(steps=400, learning_rate=0.02, rank=rank, code_weight=0.1, attribute_weight=0.0))
    change = maps.change(codes, "A", "add").mean(0)
    assert change[0, 0] > 1 and change.abs().flatten().argmax() == 0
    assert torch.equal(maps.change(codes, "A", "remove"), -maps.change(codes, "A", "add"))
    assert not maps.bias[1].any(), "attributes that are not fitted stay as they are"


def test_regularisation_keeps_codes_near_and_other_attributes_where_they_were():
    free, codes = _fit(LtOptions(steps=400, learning_rate=0.02, rank=None, code_weight=0.0, attribute_weight=0.0))
    near, _ = _fit(LtOptions(steps=400, learning_rate=0.02, rank=None, code_weight=10.0, attribute_weight=0.0))
    kept, _ = _fit(LtOptions(steps=400, learning_rate=0.02, rank=None, code_weight=0.0, attribute_weight=5.0))

    def effects(maps: SharedMaps) -> torch.Tensor:
        moved = maps.edit(codes, {"A": 1.0})
        return (_planted_classifier(moved) - _planted_classifier(codes)).mean(0)

    assert near.change(codes, "A", "add").norm() < 0.5 * free.change(codes, "A", "add").norm()
    assert effects(free)[1] > 0.8 * effects(free)[0], "nothing holds the second attribute"
    assert effects(kept)[0] > 1 and abs(effects(kept)[1]) < 0.3 * effects(kept)[0]


def test_a_family_is_fitted_calibrated_logged_and_resumed(tiny_pack, tmp_path):
    found = material(tiny_pack, "Smiling", "Male")
    options = LtOptions(steps=30, batch=64, learning_rate=0.02, rank=2)

    def fit(folder, resume=False):
        run = Run.open(folder, {}, resume=resume)
        return fit_family(LtFit(found, options), found, training=run, progress=lambda record: None)

    family, figures = fit(tmp_path / "one")
    assert set(figures) == {f"{a}/{d}" for a in ("Smiling", "Male") for d in ("add", "remove")}
    assert family.attributes == ("Smiling", "Male")
    assert figures["Smiling/add"]["steps"] == 30
    assert figures["Smiling/add"]["loss_last"] < figures["Smiling/add"]["loss_first"], "both stand in the log"
    assert float(family.scale[0, 1]) == figures["Smiling/remove"]["scale"]
    again, _ = fit(tmp_path / "one", resume=True)
    other, _ = fit(tmp_path / "two")
    for name, tensor in family.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]) and torch.equal(tensor, other.state_dict()[name]), name
    assert (tmp_path / "one" / "Male.png").exists()
    codes = predicted_codes(tiny_pack, 20, 9).codes
    assert np.isfinite(family.edit(codes, {"Male": 1.0}).numpy()).all()
