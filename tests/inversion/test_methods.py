"""The inversion methods on the tiny pack, whose generator can make the pictures they look for."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
import torch

from engines.core.errors import Cancelled
from engines.core.progress import CancelToken
from engines.imaging.convert import to_tensor, to_uint8
from engines.inversion import refine
from engines.inversion.methods import METHODS
from engines.inversion.objective import ImageObjective
from engines.inversion.options import InversionOptions
from engines.inversion.prior import REST_SHARE, CodePrior


@pytest.fixture
def crop(tiny_pack) -> np.ndarray:
    """A picture that the generator can make."""
    with torch.no_grad():
        w = tiny_pack.generator.mapping(torch.randn(1, 16))
        return to_uint8(tiny_pack.generator.synthesis(tiny_pack.generator.broadcast(w)))[0]


def _run(pack, crop, method, *, seconds=None, steps=None, seed=0, cancel=None):
    return list(METHODS[method](pack, crop, InversionOptions(seconds=seconds, steps=steps, seed=seed), cancel or CancelToken()))


def _result(*arguments, **options):
    return _run(*arguments, **options)[-1].result


def _loss(pack, crop, inversion) -> float:
    """The image loss of saved codes, computed anew."""
    with torch.no_grad():
        image = pack.generator.synthesis(torch.from_numpy(inversion.w_plus.copy())[None])
        return float(ImageObjective(pack, to_tensor(crop))(image))


@pytest.mark.parametrize("method", list(METHODS))
def test_the_record_tells_the_truth_about_its_codes(tiny_pack, crop, method):
    inversion = _result(tiny_pack, crop, method, steps=3)
    with torch.no_grad():
        image = tiny_pack.generator.synthesis(torch.from_numpy(inversion.w_plus.copy())[None])
    picture = np.clip(np.rint((image[0].permute(1, 2, 0).numpy() + 1) * 127.5), 0, 255).astype(np.uint8)
    assert np.array_equal(inversion.reconstruction, picture)
    difference = (crop.astype(np.float64) - picture.astype(np.float64)) / 127.5
    assert inversion.mse == pytest.approx((difference**2).mean(), rel=1e-5)
    assert np.array_equal(inversion.crop, crop)
    assert (inversion.method, inversion.perceptual_kind, inversion.pack_id) == (method, "pack", "tiny")
    assert inversion.warnings == ()


def test_encoder_is_one_pass_of_the_encoder(tiny_pack, crop):
    with torch.no_grad():
        expected = tiny_pack.encoder(to_tensor(crop))[0].numpy()
    assert np.allclose(_result(tiny_pack, crop, "encoder").w_plus, expected, atol=1e-5)


def test_iterated_encoder_keeps_the_best_pass(tiny_pack, crop):
    # The tiny encoder's update is random, so that passes get better and worse: the slow way finds the same best one.
    target, losses, codes = to_tensor(crop), [], []
    with torch.no_grad():
        w_plus = image = None
        for _ in range(5):
            w_plus = tiny_pack.encoder(target, image, w_plus)
            image = tiny_pack.generator.synthesis(w_plus)
            losses.append(float(ImageObjective(tiny_pack, target)(image)))
            codes.append(w_plus[0].numpy())
    assert len(set(losses)) == 5
    inversion = _result(tiny_pack, crop, "iterated-encoder", steps=5)
    assert inversion.steps == 5
    assert np.allclose(inversion.w_plus, codes[int(np.argmin(losses))], atol=1e-4)


def test_refining_finds_what_the_encoder_does_not(tiny_pack, crop):
    start, refined = (_result(tiny_pack, crop, method, steps=60) for method in ("encoder", "encoder-refine"))
    assert _loss(tiny_pack, crop, refined) < 0.6 * _loss(tiny_pack, crop, start)
    assert refined.mse < start.mse
    assert refined.steps == 60


def test_refining_gets_better_with_more_steps_and_never_worse_than_its_start(tiny_pack, crop):
    losses = [_loss(tiny_pack, crop, _result(tiny_pack, crop, "encoder-refine", steps=steps)) for steps in (1, 8, 64)]
    assert losses[0] > losses[1] > losses[2]
    assert losses[0] <= _loss(tiny_pack, crop, _result(tiny_pack, crop, "encoder"))


def test_with_steps_alone_refining_gives_the_same_bytes_however_slow_the_machine_is(tiny_pack, crop, monkeypatch):
    fast = _result(tiny_pack, crop, "encoder-refine", steps=12)
    step = refine._Refinement.step
    monkeypatch.setattr(refine._Refinement, "step", lambda self, rate: (time.sleep(0.05), step(self, rate))[1])
    slow = _result(tiny_pack, crop, "encoder-refine", steps=12)
    assert slow.seconds > fast.seconds
    assert slow.w_plus.tobytes() == fast.w_plus.tobytes()
    assert slow.id == fast.id


def test_a_slow_first_look_does_not_cost_the_warm_up(tiny_pack, crop, monkeypatch):
    """Networks are read when they are first used; what that takes of the seconds is not the refinement's."""
    look, step, rates = refine.encoder_passes, refine._Refinement.step, []

    def slow_look(*arguments):
        time.sleep(0.6)
        yield from look(*arguments)

    monkeypatch.setattr(refine, "encoder_passes", slow_look)
    monkeypatch.setattr(refine._Refinement, "step", lambda self, rate: (rates.append(rate), step(self, rate))[1])
    _result(tiny_pack, crop, "encoder-refine", seconds=1.5)
    assert rates[0] < 0.25 * refine.LEARNING_RATE, "as at the beginning of the warm-up"
    assert max(rates) > 0.9 * refine.LEARNING_RATE and rates[-1] < 0.1 * refine.LEARNING_RATE


def test_a_time_budget_is_kept_to_one_step(tiny_pack, crop, monkeypatch):
    step, durations_sec = refine._Refinement.step, []

    def slow_step(self, rate):
        started = time.perf_counter()
        time.sleep(0.1)
        candidate = step(self, rate)
        durations_sec.append(time.perf_counter() - started)
        return candidate

    monkeypatch.setattr(refine._Refinement, "step", slow_step)
    inversion = _result(tiny_pack, crop, "encoder-refine", seconds=0.7)
    assert inversion.seconds < 0.7 + max(durations_sec)
    assert 1 <= inversion.steps == len(durations_sec) <= 7


def test_refining_refuses_to_leave_the_codes_of_real_pictures(tiny_pack, crop, monkeypatch):
    """The distance as a linear system has it: d^T (F^T F + s^2 I)^-1 d by Woodbury's identity, in float64."""
    statistics = tiny_pack.statistics
    mean, factors = statistics["w_plus_mean"].double(), statistics["w_plus_factors"].double()
    rest = REST_SHARE * float(factors.square().sum()) / mean.numel()

    def distance(weight: float, outside: float = 0.0) -> float:
        monkeypatch.setattr(refine, "TYPICAL_WEIGHT", weight)
        monkeypatch.setattr(refine, "OUTSIDE_WEIGHT", outside)
        change = torch.tensor(_result(tiny_pack, crop, "encoder-refine", steps=40).w_plus).double() - mean
        along = factors @ change.flatten()
        inside = torch.linalg.solve(factors @ factors.T + rest * torch.eye(len(factors)), along)
        return float(change.square().sum() - along @ inside) / (rest * mean.numel())

    free, held = distance(0.0), distance(1000.0)
    assert held < 0.1 * free

    class Narrow(CodePrior):
        def __init__(self, *arguments) -> None:
            super().__init__(*arguments)
            self.usual_distance = 0.5 * free

    monkeypatch.setattr(refine, "CodePrior", Narrow)
    assert distance(0.0, 10.0) == pytest.approx(0.5 * free, rel=0.15), "no farther than the bound, and not nearer for nothing"


def test_previews_come_three_times_a_second_and_get_better(tiny_pack, crop, monkeypatch):
    step = refine._Refinement.step
    monkeypatch.setattr(refine._Refinement, "step", lambda self, rate: (time.sleep(0.05), step(self, rate))[1])
    records = _run(tiny_pack, crop, "encoder-refine", steps=40)
    total_sec = records[-1].elapsed_sec
    previews = [record for record in records if record.preview is not None]
    assert 2 + total_sec * 2 <= len(previews) <= 3 + total_sec * 3.2
    assert all(record.preview.dtype == np.uint8 and record.preview.shape == crop.shape for record in previews)
    losses = [record.loss for record in records[1:]]
    assert losses == sorted(losses, reverse=True)
    assert [record.result is None for record in records] == [True] * (len(records) - 1) + [False]


def test_cancelling_gives_the_best_so_far(tiny_pack, crop):
    cancel, seen = CancelToken(), []
    for record in METHODS["encoder-refine"](tiny_pack, crop, InversionOptions(seconds=60), cancel):
        seen.append(record)
        if len(seen) == 2:
            cancel.cancel()
    result = seen[-1].result
    assert len(seen) == 3
    assert result.warnings == ("cancelled",)
    assert result.steps >= 1
    assert _loss(tiny_pack, crop, result) < _loss(tiny_pack, crop, _result(tiny_pack, crop, "iterated-encoder"))


def test_cancelling_from_another_thread_ends_a_long_run_soon(tiny_pack, crop):
    cancel = CancelToken()
    timer = threading.Timer(0.3, cancel.cancel)
    timer.start()
    started = time.monotonic()
    result = _result(tiny_pack, crop, "encoder-refine", seconds=60, cancel=cancel)
    assert time.monotonic() - started < 5
    assert result.warnings == ("cancelled",)


@pytest.mark.parametrize("method", list(METHODS))
def test_cancelled_before_anything_was_found(tiny_pack, crop, method):
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        _run(tiny_pack, crop, method, cancel=cancel)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_refining_works_in_callers_that_have_gradients_off_and_leaves_their_mode(tiny_pack, crop, mode):
    expected = _result(tiny_pack, crop, "encoder-refine", steps=5)
    with mode():
        inside = _result(tiny_pack, crop, "encoder-refine", steps=5)
        assert not torch.is_grad_enabled()
    assert inside.w_plus.tobytes() == expected.w_plus.tobytes()


def test_no_mode_leaks_out_of_a_paused_iterator(tiny_pack, crop):
    for method in METHODS:
        iterator = METHODS[method](tiny_pack, crop, InversionOptions(steps=3), CancelToken())
        next(iterator)
        assert torch.is_grad_enabled()
        assert not torch.is_inference_mode_enabled()


def test_the_packs_weights_stay_as_they_are(tiny_pack, crop):
    before = {name: value.clone() for name, value in tiny_pack.generator.state_dict().items()}
    _result(tiny_pack, crop, "encoder-refine", steps=5)
    assert all(torch.equal(value, before[name]) for name, value in tiny_pack.generator.state_dict().items())
    assert not any(parameter.grad is not None for parameter in tiny_pack.generator.parameters())
