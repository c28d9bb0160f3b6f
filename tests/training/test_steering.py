"""Steering against a generator whose directions are known, and calibration against planted boxes."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from engines.core.rng import torch_generator
from engines.editing.steering import MOVES, Steering
from engines.predictors.perceptual import PerceptualNetwork
from engines.training import steering as steering_training
from engines.training.runs import Run
from engines.training.schedule import Schedule
from engines.training.steering import calibrate_by_boxes, fit_steering, measured_moves, moves_sheet, remaining_error

_LAYERS, _DIM, _SIDE = 2, 6, 32
_FACTOR = 0.5
"""What a unit of the code's first row does to the blob: half sides, and the logarithm of its size."""


class _Blob(nn.Module):
    """A blob whose place is coordinates 0 and 1 of the first row and whose size is coordinate 2; the others are its colour."""

    def place(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Centre [N, 2] in half sides, radius [N]."""
        first = codes[:, 0]
        return _FACTOR * first[:, :2], 0.3 * (_FACTOR * first[:, 2]).exp()

    def synthesis(self, codes: Tensor, *, noise_mode: str) -> Tensor:
        centre, radius = self.place(codes)
        at = (torch.arange(_SIDE) + 0.5) * (2 / _SIDE) - 1
        x, y = at[None, None, :] - centre[:, 0, None, None], at[None, :, None] - centre[:, 1, None, None]
        blob = torch.exp(-(x * x + y * y) / (2 * radius[:, None, None].square()))
        colour = 0.6 + 0.3 * torch.tanh(codes[:, 0, 3:6])
        return colour[:, :, None, None] * blob[:, None] * 2 - 1


def _codes(count: int, *stream: int) -> Tensor:
    """Blobs near the middle: about it a zoom is one of size alone."""
    codes = torch.randn(count, _LAYERS, _DIM, generator=torch_generator(*stream))
    codes[:, 0, :2] *= 0.2
    codes[:, 0, 2] *= 0.2
    return codes


def _fitted(generator: _Blob, perceptual: nn.Module) -> Steering:
    steering = Steering(_LAYERS, _DIM, shift_most=0.15, zoom_most=1.4)
    fit_steering(
        steering,
        generator,
        perceptual,
        _codes,
        schedule=Schedule(250, None),
        clock=lambda: 0.0,
        report=lambda step, loss: None,
        seed=0,
    )
    return steering


@pytest.fixture(scope="module")
def perceptual() -> nn.Module:
    torch.manual_seed(0)
    return PerceptualNetwork((8, 12)).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def fitted(perceptual: nn.Module) -> Steering:
    return _fitted(_Blob(), perceptual)


def test_the_known_directions_are_found(fitted: Steering):
    """A shift by a share s of a side is 2 s half sides, which is 4 s of a coordinate; ln(zoom) is half of one."""
    wanted = torch.zeros(len(MOVES), _DIM)
    wanted[0, 0] = wanted[1, 1] = 2 / _FACTOR
    wanted[2, 2] = 1 / _FACTOR
    found = fitted.directions[:, 0]
    torch.testing.assert_close(found.diagonal(), wanted.diagonal(), rtol=0.1, atol=0.0)
    # What a move leaves alone: in units of what it changes.
    assert float((found - wanted).abs().max()) < 0.1 * float(wanted.max())


def test_a_moved_code_is_the_moved_picture(fitted: Steering, perceptual: nn.Module):
    generator, start = _Blob(), torch.zeros(1, _LAYERS, _DIM)
    (x, y), radius = (v[0] for v in generator.place(fitted.moved(start, (0.1, -0.05), 1.2)))
    assert float(x) == pytest.approx(0.2, abs=0.03) and float(y) == pytest.approx(-0.1, abs=0.03)
    assert float(radius) == pytest.approx(0.3 * 1.2, rel=0.05)
    error = remaining_error(fitted, generator, perceptual, _codes(16, 9))
    assert max(error["shift_x"], error["shift_y"]) < 0.01
    # A zoom also takes blobs away from the middle, each its own way, which one direction for all cannot.
    assert error["zoom"] < 0.25
    still = Steering.from_config(fitted.config_json())
    assert remaining_error(still, generator, perceptual, _codes(16, 9)) == dict.fromkeys(MOVES, pytest.approx(1))


def test_no_move_leaves_codes_bit_for_bit(fitted: Steering):
    codes = _codes(3, 7)
    assert torch.equal(fitted.moved(codes, (0.0, 0.0), 1.0), codes)


def test_boxes_calibrate_what_was_learned_too_short():
    """Directions of half the length move boxes half as far; calibration doubles them."""
    generator = _Blob()
    short = Steering(_LAYERS, _DIM, shift_most=0.1, zoom_most=1.2)
    short.directions[0, 0, 0] = short.directions[1, 0, 1] = 0.5 * 2 / _FACTOR
    short.directions[2, 0, 2] = 0.8 / _FACTOR
    seen = SimpleNamespace(codes=None)

    def synthesis(codes: Tensor, *, noise_mode: str) -> Tensor:
        seen.codes = codes
        return torch.zeros(len(codes), 3, 8, 8)

    def detector(images: Tensor) -> Tensor:
        centre, radius = generator.place(seen.codes)
        return torch.cat([(centre - radius[:, None] + 1) / 2, (centre + radius[:, None] + 1) / 2], dim=1)

    planted = SimpleNamespace(synthesis=synthesis)
    moves = calibrate_by_boxes(short, planted, detector, _codes(12, 3))
    assert moves == {"shift_x": pytest.approx(0.5), "shift_y": pytest.approx(0.5), "zoom": pytest.approx(0.8)}
    assert measured_moves(short, planted, detector, _codes(12, 4)) == dict.fromkeys(MOVES, pytest.approx(1.0, rel=1e-4))


@pytest.mark.parametrize("most", [(0.0, 1.2), (1.0, 1.2), (0.1, 1.0), (float("nan"), 1.2)])
def test_ranges_that_mean_nothing_are_refused(most: tuple[float, float]):
    with pytest.raises(ValueError, match="shifts up to"):
        Steering(_LAYERS, _DIM, shift_most=most[0], zoom_most=most[1])


class _Stopped(Exception):
    pass


def test_an_interrupted_training_goes_on_to_the_same_directions(perceptual: nn.Module, tmp_path, monkeypatch):
    monkeypatch.setattr(steering_training, "_CHECKPOINT_STEPS", 4)

    def directions(folder, stop_at: int | None = None, *, resume: bool = False) -> Tensor:
        steering = Steering(_LAYERS, _DIM, shift_most=0.15, zoom_most=1.4)

        def report(step: int, loss: float) -> None:
            if step == stop_at:
                raise _Stopped

        fit_steering(
            steering,
            _Blob(),
            perceptual,
            _codes,
            schedule=Schedule(9, None),
            clock=lambda: 0.0,
            report=report,
            seed=0,
            training=Run.open(folder, {}, resume=resume),
        )
        return steering.directions

    whole = directions(tmp_path / "whole")
    with pytest.raises(_Stopped):
        directions(tmp_path / "halves", stop_at=6)
    assert torch.equal(directions(tmp_path / "halves", resume=True), whole)


def test_the_sample_picture_shows_every_move_both_ways(fitted: Steering):
    sheet = moves_sheet(fitted, _Blob(), _codes(5, 8))
    assert sheet.shape == (7 * (_SIDE + 2) - 2, 5 * (_SIDE + 2) - 2, 3)
    first, right = sheet[:_SIDE], sheet[_SIDE + 2 : 2 * _SIDE + 2]
    assert not (first == right).all()
