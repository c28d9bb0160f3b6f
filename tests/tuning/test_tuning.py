"""Fine-tune and clone on the tiny pack: a picture that its generator cannot make is made by the tuned one."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from engines.core.errors import Cancelled
from engines.core.progress import CancelToken
from engines.core.rng import torch_generator
from engines.generators.weight_differences import tuned
from engines.imaging.convert import to_tensor, to_uint8
from engines.inversion.options import InversionOptions
from engines.inversion.transforms import Transform, transform_masks
from engines.losses.laplacian import laplacian_pyramid_l1
from engines.losses.masked import masked_mse, rectangle_mask
from engines.tuning import run as course
from engines.tuning import trainee as trainee_module
from engines.tuning.clone import ADVERSARIAL_INTERVAL, ADVERSARIAL_WEIGHT, PIXEL_WEIGHT, Cloner, rate_factor
from engines.tuning.fine_tune import DISTANCE_WEIGHT, PERCEPTUAL_WEIGHT, FineTuner
from engines.tuning.methods import METHODS, TUNING_METHODS
from engines.tuning.run import Task
from engines.tuning.trainee import Trainee, tunable_names

METHOD_NAMES = list(TUNING_METHODS)


@pytest.fixture(autouse=True)
def _short_search_for_the_codes(monkeypatch):
    monkeypatch.setattr(course, "PIVOT_STEPS", 10)


def _run(pack, crop, method, *, cancel=None, **options):
    return list(METHODS[method](pack, crop, InversionOptions(**options), cancel or CancelToken()))


def _result(*arguments, **options):
    return _run(*arguments, **options)[-1].result


def _codes(pack, count: int, seed: int) -> torch.Tensor:
    with torch.no_grad():
        return pack.generator.broadcast(pack.generator.mapping(torch.randn(count, 16, generator=torch_generator(seed))))


def _task(pack, crop, *, weight_map=None, seed=0) -> Task:
    return Task(pack, Trainee(pack.generator), to_tensor(crop), weight_map, _codes(pack, 1, 5), 0.0, seed)


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_the_record_tells_the_truth_about_its_codes_and_weights(tiny_pack, crop, method):
    inversion = _result(tiny_pack, crop, method, steps=20)
    generator = tuned(tiny_pack.generator, inversion.weight_differences)
    with torch.no_grad():
        image = generator.synthesis(torch.from_numpy(inversion.w_plus.copy())[None])
    assert np.array_equal(inversion.reconstruction, to_uint8(image)[0])
    difference = (crop.astype(np.float64) - inversion.reconstruction.astype(np.float64)) / 127.5
    assert inversion.mse == pytest.approx((difference**2).mean(), rel=1e-5)
    assert (inversion.method, inversion.steps, inversion.warnings) == (method, 20, ())
    assert inversion.evaluations > 20
    assert set(inversion.weight_differences) <= set(tunable_names(tiny_pack.generator))
    assert inversion.settings["code_mse"] > inversion.mse


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_tuning_makes_what_no_code_can(tiny_pack, crop, method):
    fixed, close = _result(tiny_pack, crop, "encoder-refine", steps=60), _result(tiny_pack, crop, method, steps=100)
    assert close.mse < 0.25 * fixed.mse


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_more_steps_get_nearer(tiny_pack, crop, method):
    errors = [_result(tiny_pack, crop, method, steps=steps).mse for steps in (1, 10, 50)]
    assert errors[0] > errors[1] > errors[2]


def test_the_codes_are_those_of_the_refined_encoder(tiny_pack, crop):
    pivot = _result(tiny_pack, crop, "encoder-refine", steps=course.PIVOT_STEPS)
    for method in METHOD_NAMES:
        inversion = _result(tiny_pack, crop, method, steps=3)
        assert inversion.w_plus.tobytes() == pivot.w_plus.tobytes()
        assert inversion.settings["code_mse"] == pivot.mse


def test_no_steps_leave_the_generator_bit_for_bit(tiny_pack, crop):
    task, generator = _task(tiny_pack, crop), tiny_pack.generator
    codes = _codes(tiny_pack, 3, 0)
    with torch.no_grad():
        assert torch.equal(task.trainee.picture(codes), generator.synthesis(codes))
    assert task.trainee.differences(task.w_plus) == {}
    task.trainee.restore()
    assert task.trainee.differences(task.w_plus) == {}
    assert tuned(generator, task.trainee.differences(task.w_plus)) is generator


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_the_packs_networks_stay_as_they_are(tiny_pack, crop, method):
    networks = (tiny_pack.generator, tiny_pack.discriminator, tiny_pack.perceptual)
    before = [{name: value.clone() for name, value in network.state_dict().items()} for network in networks]
    _result(tiny_pack, crop, method, steps=20, global_loss="both")
    for network, state in zip(networks, before, strict=True):
        assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
        assert not any(parameter.requires_grad or parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize("global_loss", ["frozen", "gan", "both", "none"])
def test_with_steps_alone_the_same_seed_gives_the_same_bytes(tiny_pack, crop, global_loss):
    first, second = (_result(tiny_pack, crop, "clone", steps=20, global_loss=global_loss) for _ in range(2))
    assert first.id == second.id
    assert first.settings["global_loss"] == global_loss
    if global_loss != "none":
        assert _result(tiny_pack, crop, "clone", steps=20, global_loss=global_loss, seed=1).id != first.id


def test_rates_grow_with_the_error_of_the_codes_and_stay_for_what_the_generator_paints(tiny_pack, crop):
    rates = {}
    with torch.no_grad():
        own = to_uint8(tiny_pack.generator.synthesis(_codes(tiny_pack, 1, 5)))[0]
    for name, picture in {"own": own, "other": crop, "opposite": 255 - own}.items():
        settings = _result(tiny_pack, picture, "clone", steps=1).settings
        rates[name] = settings["code_mse"], settings["learning_rate"], settings["global_rate"]
    assert [rate_factor(error) for error in (0.0, 0.02, 0.03, 0.06, 2.0)] == pytest.approx([1, 1, 1.5, 3, 3])
    for error, local, cohesion in rates.values():
        assert (local, cohesion) == pytest.approx((0.06 * rate_factor(error), 0.03 * rate_factor(error)))
    assert rates["own"][1] < rates["opposite"][1]


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_what_is_not_tuned_is_painted_once_and_changes_no_bit(tiny_pack, crop, method, monkeypatch):
    painted = []
    block = tiny_pack.generator.synthesis.b4
    monkeypatch.setattr(type(block), "forward", _counting(type(block).forward, painted))
    quick = _result(tiny_pack, crop, method, steps=12)
    few = painted.count(4)
    monkeypatch.setattr(Trainee, "trunk", lambda self, w_plus, dtype=torch.float32: None)
    painted.clear()
    plain = _result(tiny_pack, crop, method, steps=12)
    assert quick.id == plain.id and few <= painted.count(4) - 12


def _counting(forward, painted: list[int]):
    def counted(block, x, image, *rest):
        painted.append(block.conv1.resolution)
        return forward(block, x, image, *rest)

    return counted


def test_two_pictures_tuned_at_once_in_two_threads_come_out_as_one_after_the_other(tiny_pack, crop):
    crops = [crop, np.ascontiguousarray(crop[::-1])]
    expected = [_result(tiny_pack, each, "clone", steps=20).id for each in crops]
    found: dict[int, str] = {}
    threads = [
        threading.Thread(target=lambda i=i, each=each: found.update({i: _result(tiny_pack, each, "clone", steps=20).id}))
        for i, each in enumerate(crops)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[0], found[1]] == expected


def test_the_global_term_keeps_other_codes(tiny_pack, crop):
    codes = _codes(tiny_pack, 64, 9)
    with torch.no_grad():
        before = tiny_pack.generator.synthesis(codes)
        spread = float((before[:32] - before[32:]).square().mean())

    def change(global_loss: str) -> float:
        inversion = _result(tiny_pack, crop, "clone", steps=60, global_loss=global_loss)
        with torch.no_grad():
            after = tuned(tiny_pack.generator, inversion.weight_differences).synthesis(codes)
        return float((after - before).square().mean()) / spread

    assert change("frozen") < 0.6 * change("none")


def test_the_local_loss_of_clone_is_equation_2(tiny_pack, crop):
    task = _task(tiny_pack, crop)
    cloner = Cloner(task, global_loss="none")
    look = cloner.look()
    with torch.no_grad():
        image = tiny_pack.generator.synthesis(task.w_plus)
        realism = torch.nn.functional.softplus(-tiny_pack.discriminator(image))
        pixels = (image - task.target).square().mean()
        reconstruction = laplacian_pyramid_l1(image, task.target) + PIXEL_WEIGHT * pixels
        expected = reconstruction + ADVERSARIAL_INTERVAL * ADVERSARIAL_WEIGHT * realism
    assert torch.equal(look.image.detach(), image)
    assert float(look.loss.detach()) == pytest.approx(float(expected), rel=1e-3)  # D works in bfloat16 here
    assert float(look.score.detach()) == pytest.approx(float(reconstruction))
    # Lazy: the discriminator is asked at every fourth step alone, and counts four times then.
    lazy = []
    for _ in range(ADVERSARIAL_INTERVAL):
        cloner.update(look, 0.5)
        look = cloner.look()
        lazy.append(bool(look.loss != look.score))
    assert lazy == [False] * (ADVERSARIAL_INTERVAL - 1) + [True]


def test_the_loss_of_fine_tune_is_equation_6(tiny_pack, crop):
    task = _task(tiny_pack, crop)
    with torch.no_grad():
        for weight in task.trainee.weights:
            weight += 0.01 * torch.randn(weight.shape, generator=torch_generator(1))
        norm = torch.cat([(w - tiny_pack.generator.get_parameter(n)).flatten() for n, w in _named(task)]).norm()
        image = task.trainee.generator.synthesis(task.w_plus)
        expected = laplacian_pyramid_l1(image, task.target) + PERCEPTUAL_WEIGHT * tiny_pack.perceptual(image, task.target)
    look = FineTuner(task).look()
    assert float(norm) > 0.1
    assert float(look.loss.detach()) == pytest.approx(float(expected + DISTANCE_WEIGHT * norm), rel=1e-5)


def _named(task: Task):
    return [(name, task.trainee.generator.get_parameter(name)) for name in tunable_names(task.trainee.base)]


def test_a_mask_turns_the_work_to_its_inside(tiny_pack, crop):
    mask = (0.0, 0.0, 32.0, 16.0)

    def errors(**options) -> tuple[float, float]:
        inversion = _result(tiny_pack, crop, "clone", steps=40, **options)
        square = ((crop.astype(float) - inversion.reconstruction) / 127.5) ** 2
        return square[:16].mean(), square[16:].mean()

    (inside, outside), (top, bottom) = errors(mask=mask, outside_weight=0.0), errors()
    assert inside < top
    assert outside > bottom


def test_a_picture_that_is_near_enough_ends_the_work(tiny_pack, crop, monkeypatch):
    monkeypatch.setattr(course, "TARGET_MSE", 10.0)
    inversion = _result(tiny_pack, crop, "clone", steps=50)
    assert inversion.steps == 0
    assert inversion.warnings == ()


def test_previews_get_better_and_stages_are_named(tiny_pack, crop, monkeypatch):
    monkeypatch.setattr("engines.inversion.optimisers.budget.PREVIEW_PERIOD_SEC", 0.0)
    records = _run(tiny_pack, crop, "clone", steps=12)
    stages = ["Finding the code", "Studying the generator", "Cloning the picture"]
    assert list(dict.fromkeys(record.stage for record in records)) == stages
    tuning = [record for record in records if record.stage == "Cloning the picture"]
    assert [record.step for record in tuning] == [*range(1, 13), 12]
    assert all(record.preview.shape == crop.shape and record.preview.dtype == np.uint8 for record in tuning)
    losses = [record.loss for record in tuning]
    assert losses == sorted(losses, reverse=True)
    assert [record.result is None for record in records] == [True] * (len(records) - 1) + [False]


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_cancelling_gives_the_best_so_far(tiny_pack, crop, method, monkeypatch):
    monkeypatch.setattr("engines.inversion.optimisers.budget.PREVIEW_PERIOD_SEC", 0.0)
    cancel, seen = CancelToken(), []
    for record in METHODS[method](tiny_pack, crop, InversionOptions(steps=500), cancel):
        seen.append(record)
        if record.step == 10:
            cancel.cancel()
    result = seen[-1].result
    assert result.warnings == ("cancelled",)
    assert result.steps == 10
    assert result.mse < result.settings["code_mse"]


def test_cancelling_while_the_codes_are_found_gives_the_codes(tiny_pack, crop, monkeypatch):
    monkeypatch.setattr("engines.inversion.optimisers.budget.PREVIEW_PERIOD_SEC", 0.0)
    cancel, last = CancelToken(), None
    for record in METHODS["clone"](tiny_pack, crop, InversionOptions(steps=500), cancel):
        last = record
        cancel.cancel()
    assert last.result.warnings == ("cancelled",)
    assert last.result.steps == 0
    assert last.result.weight_differences == {}


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_cancelled_before_anything_was_found(tiny_pack, crop, method):
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        _run(tiny_pack, crop, method, cancel=cancel)


@pytest.mark.parametrize("budget", [{"seconds": 0.6}, {"evaluations": 60}])
def test_budgets_are_kept(tiny_pack, crop, budget):
    inversion = _result(tiny_pack, crop, "clone", **budget)
    assert inversion.seconds < budget.get("seconds", 60.0) + 0.5
    # One step more at most, with the pictures of a global update.
    assert inversion.evaluations <= budget.get("evaluations", 10_000) + 20
    assert inversion.steps >= 1


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_tuning_works_in_callers_that_have_gradients_off(tiny_pack, crop, mode):
    expected = _result(tiny_pack, crop, "clone", steps=10)
    with mode():
        inside = _result(tiny_pack, crop, "clone", steps=10)
        assert not torch.is_grad_enabled()
    assert inside.id == expected.id


def test_weights_are_kept_in_half_precision_where_that_shows_nowhere(tiny_pack, crop, monkeypatch):
    inversion = _result(tiny_pack, crop, "clone", steps=20)
    assert {difference.dtype for difference in inversion.weight_differences.values()} == {np.dtype(np.float16)}
    # A rounding that would show (here: to nothing at all) is not taken.
    monkeypatch.setattr(trainee_module, "halved", lambda differences: {n: d * 0 for n, d in differences.items()})
    exact = _result(tiny_pack, crop, "clone", steps=20)
    assert {difference.dtype for difference in exact.weight_differences.values()} == {np.dtype(np.float32)}
    assert np.abs(exact.reconstruction.astype(int) - inversion.reconstruction).max() <= 1


def test_a_tuned_inversion_survives_its_file(tiny_pack, crop, tmp_path):
    inversion = _result(tiny_pack, crop, "clone", steps=10)
    inversion.save(tmp_path / "inversion.safetensors")
    again = type(inversion).load(tmp_path / "inversion.safetensors")
    assert again.id == inversion.id
    with torch.no_grad():
        image = tuned(tiny_pack.generator, again.weight_differences).synthesis(torch.from_numpy(again.w_plus.copy())[None])
    assert np.array_equal(to_uint8(image)[0], inversion.reconstruction)


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_with_a_transform_the_generator_is_tuned_to_the_placed_picture(tiny_pack, crop, method, monkeypatch):
    """The object in the upper left comes to the middle: what is tuned, and measured, is T(crop) where the crop covers it."""
    monkeypatch.setattr(course, "PLACED_STEPS", 12)
    options = {"steps": 30, "transform": "spatial", "mask": (2.0, 2.0, 18.0, 18.0)}
    inversion = _result(tiny_pack, crop, method, **options)
    transform = Transform.from_json(inversion.transform)
    assert transform.moves and inversion.settings["transform"] == "spatial" and inversion.weight_differences
    placed = transform.apply(to_tensor(crop))
    inside = transform_masks(rectangle_mask(inversion.mask, 32, 0.0), [transform])

    def error(weights) -> float:
        with torch.no_grad():
            w_plus = torch.from_numpy(inversion.w_plus.copy())[None]
            image = tuned(tiny_pack.generator, weights).synthesis(w_plus, noise_mode="const")
            return float(masked_mse(image, placed, inside))

    assert error(inversion.weight_differences) < 0.5 * error({})
    again = _result(tiny_pack, crop, method, **options)
    assert again.id == inversion.id, "without a clock every run is the same"
