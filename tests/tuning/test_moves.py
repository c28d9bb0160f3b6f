"""Moves are what edits do to a code, or typical changes where a pack has no edits."""

from __future__ import annotations

import torch

from engines.core.rng import torch_generator
from engines.tuning.moves import Moves


def _code(pack) -> torch.Tensor:
    with torch.no_grad():
        return pack.generator.broadcast(pack.generator.mapping(torch.randn(1, 16, generator=torch_generator(1))))


def test_every_move_is_one_edit_of_the_pack(tiny_pack):
    w_plus = _code(tiny_pack)
    maps = tiny_pack.edit_maps
    moves = Moves(tiny_pack, w_plus).draw(20, torch_generator(0))
    with torch.no_grad():
        edits = {
            (name, sign): maps.edit(w_plus, {name: sign})[0] - w_plus[0] for name in maps.attributes for sign in (1.0, -1.0)
        }
    met = set()
    for move in moves:
        strengths = {key: float((move * edit).sum() / edit.square().sum()) for key, edit in edits.items()}
        fits = [key for key, s in strengths.items() if torch.allclose(move, s * edits[key], atol=1e-4) and 0.3 <= s <= 1.5]
        assert len(fits) == 1
        met.add(fits[0])
    assert len(met) > 4


def test_without_edit_maps_moves_are_as_large_as_typical_differences(tiny_pack):
    class NoMaps:
        statistics = tiny_pack.statistics

        def has(self, kind: str) -> bool:
            return kind != "edit_maps"

    moves = Moves(NoMaps(), _code(tiny_pack)).draw(400, torch_generator(0))
    assert moves.shape == (400, 8, 16)
    variance = float(tiny_pack.statistics["w_plus_factors"].square().sum())
    # What the prior adds to directions that were never seen makes them larger, not smaller.
    assert 0.4 * variance < float(moves.square().flatten(1).sum(1).mean()) < 6 * variance
    assert float(moves.mean(0).abs().max()) < 0.5


def test_the_same_generator_draws_the_same_moves(tiny_pack):
    moves = Moves(tiny_pack, _code(tiny_pack))
    assert torch.equal(moves.draw(5, torch_generator(3)), moves.draw(5, torch_generator(3)))
    assert not torch.equal(moves.draw(5, torch_generator(3)), moves.draw(5, torch_generator(4)))
