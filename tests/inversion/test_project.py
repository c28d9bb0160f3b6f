"""The searching methods on the tiny pack, whose generator can make the pictures that are looked for."""

from __future__ import annotations

import dataclasses
import math
import time

import numpy as np
import pytest
import torch
from scipy import ndimage

from engines.core.errors import Cancelled
from engines.core.progress import CancelToken
from engines.core.rng import torch_generator
from engines.imaging.convert import to_tensor, to_uint8
from engines.inversion.latent_space import LARGEST_Z, latent_space, moved
from engines.inversion.methods import METHODS
from engines.inversion.optimisers.budget import Budget
from engines.inversion.optimisers.cma import cma
from engines.inversion.optimisers.follow import Best, follow
from engines.inversion.optimisers.problem import scores_of
from engines.inversion.options import InversionOptions
from engines.inversion.project import SEARCHES, begin, run
from engines.inversion.projection import MISSED_WEIGHT, Projection, transform_of
from engines.inversion.transforms import Transform, transform_images

SEARCHING = [method.id for method in SEARCHES]


@pytest.fixture
def sample(tiny_pack) -> torch.Tensor:
    """A picture [1, 3, 32, 32] of the generator."""
    with torch.no_grad():
        w = tiny_pack.generator.mapping(torch.randn(1, 16, generator=torch_generator(5)))
        return tiny_pack.generator.synthesis(tiny_pack.generator.broadcast(w))


@pytest.fixture
def crop(sample) -> np.ndarray:
    return to_uint8(sample)[0]


def _run(pack, crop, method, cancel=None, **options):
    return list(METHODS[method](pack, crop, InversionOptions(**options), cancel or CancelToken()))


def _result(*arguments, **options):
    return _run(*arguments, **options)[-1].result


# ---- finding what can be found ----


@pytest.mark.parametrize(
    "method, evaluations, factor", [("adam", 60, 0.2), ("lbfgs", 60, 0.2), ("cma-adam", 120, 0.3), ("basin-cma", 400, 0.3)]
)
def test_the_generators_own_samples_are_found(tiny_pack, crop, method, evaluations, factor):
    encoded, found = _result(tiny_pack, crop, "encoder"), _result(tiny_pack, crop, method, evaluations=evaluations)
    assert found.mse < factor * encoded.mse


def test_cma_comes_nearer_without_any_gradient(tiny_pack, crop):
    found = _result(tiny_pack, crop, "cma", evaluations=300, space="w")
    assert found.losses[-1][1] < 0.7 * found.losses[0][1]
    assert found.mse < 0.5 * _result(tiny_pack, crop, "encoder").mse


@pytest.mark.parametrize("space", ["z", "w", "w+"])
@pytest.mark.parametrize("encoder_start", [True, False])
@pytest.mark.parametrize("method", SEARCHING)
def test_every_method_searches_every_space_from_every_start(tiny_pack, crop, method, space, encoder_start):
    found = _result(tiny_pack, crop, method, evaluations=35, space=space, encoder_start=encoder_start)
    assert found.losses[-1][1] < found.losses[0][1] or method == "cma"
    rows_differ = bool(np.abs(found.w_plus - found.w_plus[:1]).max() > 1e-6)
    assert rows_differ == (space == "w+")
    assert found.settings["space"] == space
    assert found.settings["encoder_start"] == encoder_start


# ---- the spaces ----


def test_without_classes_the_usual_space_is_the_widest(tiny_pack, crop):
    assert _result(tiny_pack, crop, "basin-cma", evaluations=40).settings["space"] == "w+"


@pytest.mark.parametrize("space", ["w", "w+"])
def test_codes_come_back_from_the_variables_of_their_space(tiny_pack, space):
    codes = tiny_pack.statistics["w_plus_mean"] + torch.randn(3, 8, 16)
    if space == "w":
        codes = codes.mean(1, keepdim=True).expand(-1, 8, -1)
    latent = latent_space(tiny_pack, space)
    assert torch.allclose(latent.codes(latent.from_codes(codes)), codes, atol=1e-3)


def test_z_is_fitted_to_codes_that_it_can_make(tiny_pack):
    with torch.no_grad():
        z = torch.randn(4, 16, generator=torch_generator(1)).clamp(-LARGEST_Z, LARGEST_Z)
        codes = tiny_pack.generator.broadcast(tiny_pack.generator.mapping(z))
        latent = latent_space(tiny_pack, "z")
        found = latent.from_codes(codes)
        error = (latent.codes(found) - codes).square().mean()
        assert float(error) < 0.02 * float(codes.var(0).mean())
    assert float(found[0].abs().max()) <= LARGEST_Z


def test_z_stays_within_its_limit_whatever_the_picture_asks_for(tiny_pack, crop):
    projection = Projection(tiny_pack, crop, InversionOptions(), "z")
    far = (torch.full((2, 16), 9.0), projection.first_phi.expand(2, -1))
    assert float(projection.constrained(far)[0].max()) == LARGEST_Z
    search = projection.latent_search((far[0][:1], projection.first_phi), around_start=False)
    assert float(search.sampled(5 * torch.randn(20, search.dimension))[0].abs().max()) <= LARGEST_Z


def test_draws_of_w_have_the_statistics_of_mapped_latents(tiny_pack):
    latent = latent_space(tiny_pack, "w")
    y = torch.randn(4000, len(latent.directions), generator=torch_generator(2))
    with torch.no_grad():
        drawn = latent.codes(moved(latent, latent.origin(), y))[:, 0]
        mapped = tiny_pack.generator.mapping(torch.randn(4000, 16, generator=torch_generator(3)))
    assert torch.allclose(drawn.mean(0), mapped.mean(0), atol=0.1 * float(mapped.std()))
    assert torch.allclose(drawn.std(0), mapped.std(0), rtol=0.15, atol=0.02)


def test_unusual_codes_cost_more_the_farther_they_are(tiny_pack):
    latent = latent_space(tiny_pack, "w+")
    codes = tiny_pack.statistics["w_plus_mean"] + torch.linspace(0, 3, 4)[:, None, None]
    penalties = latent.penalty(latent.from_codes(codes))
    assert float(penalties[0]) < 1e-8
    assert penalties.diff().gt(0).all()


# ---- transforms ----

THERE = Transform((0.8, 0.8), (0.15, -0.1), 0.25)
"""What brings the moved and darkened picture of the tests back to a sample of the generator."""


def test_scores_look_at_the_picture_and_losses_at_the_transformed_one(tiny_pack, sample):
    """Both are small for the right latent with the right transform only; and a small step away they are not."""
    crop = to_uint8(transform_images(sample, [THERE.inverse()]))[0]
    projection = Projection(tiny_pack, crop, InversionOptions(transform="both", mask=(8, 8, 24, 24)), "w")
    phi = torch.tensor([[math.log(0.8), math.log(0.8), 0.15, -0.1, 0.25], [0.0, 0.0, 0.0, 0.0, 0.0]])
    with torch.no_grad():
        w = projection.space.from_codes(tiny_pack.generator.broadcast(_w_of(tiny_pack)))[0].expand(2, -1)
        losses, scores = projection.losses((w, phi)), scores_of(projection, (w, phi))
    assert losses[0] < 0.5 * losses[1]
    assert scores[0] < 0.5 * scores[1]
    assert not projection.comparable


def test_a_frame_that_misses_the_object_is_worse_than_a_poor_picture_of_it(tiny_pack, sample):
    """On a picture that is grey but for a small object. What the frame does not reach besides stays as it is, for nothing."""
    crop = np.full((32, 32, 3), 128, np.uint8)
    crop[4:12, 4:12] = to_uint8(sample)[0][12:20, 12:20] // 2 + 70
    projection = Projection(tiny_pack, crop, InversionOptions(transform="spatial", mask=(4, 4, 12, 12)), "w")
    log_half, there = math.log(0.3), -0.5
    phi = torch.tensor(
        [[log_half, log_half, there, there, 0.0], [log_half, log_half, 1.4, 1.4, 0.0], [log_half, log_half, 1.4, there, 0.0]]
    )
    with torch.no_grad():
        w = projection.space.from_codes(tiny_pack.generator.broadcast(_w_of(tiny_pack)))[0].expand(3, -1)
        scores = scores_of(projection, (w, phi))
        penalty = projection.space.penalty((w,))
    assert scores[0] < scores[1] and scores[0] < scores[2]
    # Nothing of the picture is reached: it is itself, and all of the object is missed.
    torch.testing.assert_close(scores[1:], MISSED_WEIGHT + penalty[1:], atol=0.02, rtol=0)


def _w_of(pack) -> torch.Tensor:
    return pack.generator.mapping(torch.randn(1, 16, generator=torch_generator(5)))


def test_the_transform_of_a_moved_and_darkened_picture_is_found_for_the_right_latent(tiny_pack, sample):
    """CMA over phi alone, by the scores of T^-1(G): it ends at what brings the picture back."""
    crop = to_uint8(transform_images(sample, [THERE.inverse()]))[0]
    # The object is what counts: the generator cannot have made what lies around its frame.
    options = InversionOptions(transform="both", mask=(6, 8, 26, 24), outside_weight=0.0)
    projection = Projection(tiny_pack, crop, options, "w")
    with torch.no_grad():
        (w,) = projection.space.from_codes(tiny_pack.generator.broadcast(_w_of(tiny_pack)))

    def sampled(coordinates: torch.Tensor):
        return w.expand(len(coordinates), -1), projection.phi_at(coordinates)

    search, best = dataclasses.replace(projection.transform_search(0), sampled=sampled), Best()
    list(follow(cma(search, 0), projection, Budget(evaluations=400), CancelToken(), best))
    found = transform_of(best.variables[-1][0])
    assert found.scale == pytest.approx(THERE.scale, abs=0.03)
    assert found.shift == pytest.approx(THERE.shift, abs=0.03)
    assert found.brightness == pytest.approx(THERE.brightness, abs=0.05)


def test_searches_of_the_transform_end_lower_than_they_began(tiny_pack, sample):
    crop = to_uint8(transform_images(sample, [THERE.inverse()]))[0]
    found = _result(tiny_pack, crop, "adam", evaluations=300, space="w", transform="both")
    assert found.losses[-1][1] < 0.8 * found.losses[0][1]
    assert Transform.from_json(found.transform) != Transform()


@pytest.mark.parametrize("search, moves, brightens", [("spatial", True, False), ("colour", False, True), ("both", True, True)])
def test_only_what_is_asked_for_is_transformed(tiny_pack, crop, search, moves, brightens):
    found = Transform.from_json(_result(tiny_pack, crop, "adam", steps=12, transform=search).transform)
    assert (found.moves, found.brightness != 0) == (moves, brightens)


@pytest.mark.parametrize("method", SEARCHING)
def test_every_method_searches_transforms(tiny_pack, crop, method):
    records = _run(tiny_pack, crop, method, steps=16, transform="both", mask=(6, 6, 26, 26))
    assert records[-1].result.transform is not None
    assert records[-1].result.mask == (6, 6, 26, 26)
    assert records[-1].preview.shape == crop.shape


def test_the_figures_of_a_transformed_result_are_those_of_the_picture_put_back(tiny_pack, crop):
    inversion = _result(tiny_pack, crop, "adam", steps=20, transform="both", mask=(5, 7, 25, 28))
    transform = Transform.from_json(inversion.transform)
    # scipy samples the reconstruction where each pixel of the crop lies in the generator's frame.
    matrix, side = transform.matrix(32), 32
    rows, columns = np.mgrid[0:side, 0:side] + 0.5
    x, y = (matrix[i, 0] * columns + matrix[i, 1] * rows + matrix[i, 2] for i in (0, 1))
    picture = inversion.reconstruction / 127.5 - 1
    back = np.stack(
        [ndimage.map_coordinates(picture[..., c], [y - 0.5, x - 0.5], order=3, mode="mirror") for c in range(3)], -1
    )
    back = (back + 1) * math.exp(-transform.brightness) - 1
    inside = (x > 0) & (x < side) & (y > 0) & (y < side) & (columns > 5) & (columns < 25) & (rows > 7) & (rows < 28)
    error = np.square(back - (crop / 127.5 - 1)).mean(-1)[inside].mean()
    assert inversion.mse == pytest.approx(error, rel=0.15)


# ---- masks ----


def test_the_error_is_measured_inside_the_mask(tiny_pack, crop):
    inversion = _result(tiny_pack, crop, "adam", steps=5, mask=(4, 8, 20, 30))
    difference = (inversion.crop.astype(float) - inversion.reconstruction.astype(float))[8:30, 4:20] / 127.5
    assert inversion.mse == pytest.approx(np.square(difference).mean(), rel=1e-4)


def test_what_lies_outside_the_mask_can_be_left_out(tiny_pack, crop):
    """Half of the picture is replaced; with no weight outside the mask, the search does not mind."""
    spoilt = crop.copy()
    spoilt[:, 16:] = 255 - spoilt[:, 16:]
    left = {"mask": (0, 0, 16, 32), "space": "w", "steps": 60}
    blind, seeing = (_result(tiny_pack, spoilt, "adam", outside_weight=w, **left) for w in (0.0, 1.0))
    assert blind.mse < seeing.mse


# ---- budgets, records, cancelling ----


@pytest.mark.parametrize("method", SEARCHING)
def test_the_record_tells_what_was_done(tiny_pack, crop, method):
    records = _run(tiny_pack, crop, method, evaluations=90)
    inversion = records[-1].result
    assert 90 <= inversion.evaluations < 90 + 2 * 20
    assert [count for count, _ in inversion.losses] == sorted({count for count, _ in inversion.losses})
    losses = [loss for _, loss in inversion.losses]
    assert losses == sorted(losses, reverse=True)
    assert inversion.losses[-1] == (inversion.evaluations, records[-1].loss)
    assert {"space", "encoder_start", "transform", "outside_weight", "evaluations"} <= set(inversion.settings)
    assert inversion.settings["evaluations"] == 90
    assert records[0].preview is not None


@pytest.mark.parametrize("method", SEARCHING)
@pytest.mark.parametrize("transform", ["none", "both"])
def test_a_budget_of_steps_is_kept_exactly_and_makes_the_result_repeatable(tiny_pack, crop, method, transform):
    one, other = (_result(tiny_pack, crop, method, steps=9, transform=transform, seed=4) for _ in range(2))
    assert one.steps == other.steps == 9
    assert one.id == other.id
    assert one.losses == other.losses


@pytest.mark.parametrize("transform", ["none", "both"])
@pytest.mark.parametrize("encoder_start", [True, False])
def test_methods_that_share_their_beginning_come_to_what_each_comes_to_alone(tiny_pack, crop, transform, encoder_start):
    told = {"evaluations": 60, "space": "z", "transform": transform, "encoder_start": encoder_start, "seed": 2}
    beginning = begin(tiny_pack, crop, InversionOptions(**told))
    for method in (*SEARCHES, SEARCHES[0]):
        *_, last = run(tiny_pack, crop, InversionOptions(**told), CancelToken(), method=method, beginning=beginning.again())
        alone = _result(tiny_pack, crop, method.id, **told)
        assert (last.result.id, last.result.losses) == (alone.id, alone.losses), method.id
        assert (last.result.evaluations, last.result.steps) == (alone.evaluations, alone.steps)


def test_the_seconds_of_a_shared_beginning_count_for_each_method_and_no_more(tiny_pack, crop):
    beginning = begin(tiny_pack, crop, InversionOptions(evaluations=4, space="w", transform="spatial"))
    used = beginning.budget.again().elapsed_sec
    time.sleep(0.3)
    assert 0 < used <= beginning.again().budget.elapsed_sec < used + 0.2


@pytest.mark.parametrize("told", [{"seconds": 1.0}, {}, {"seconds": 1.0, "steps": 5}, {"steps": 5, "space": None}])
def test_methods_do_not_begin_alike_by_the_clock_or_in_spaces_of_their_own(tiny_pack, crop, told):
    with pytest.raises(ValueError, match="one space, bounded by steps or evaluations"):
        begin(tiny_pack, crop, InversionOptions(**{"space": "w", **told}))


def test_seeds_make_different_searches(tiny_pack, crop):
    one, other = (_result(tiny_pack, crop, "basin-cma", steps=6, seed=seed).w_plus for seed in (0, 1))
    assert not np.array_equal(one, other)


def test_a_budget_of_seconds_is_kept(tiny_pack, crop):
    inversion = _result(tiny_pack, crop, "basin-cma", seconds=1.0, transform="spatial")
    assert inversion.seconds < 4
    assert inversion.transform is not None


@pytest.mark.parametrize("method", SEARCHING)
def test_cancelling_gives_the_best_so_far(tiny_pack, crop, method):
    cancel, seen = CancelToken(), []
    for record in METHODS[method](tiny_pack, crop, InversionOptions(seconds=60, transform="both"), cancel):
        seen.append(record)
        if len(seen) == 2:
            cancel.cancel()
    assert len(seen) == 3
    assert seen[-1].result.warnings == ("cancelled",)
    assert seen[-1].loss <= seen[0].loss


def test_cancelled_before_it_began(tiny_pack, crop):
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        _run(tiny_pack, crop, "adam", cancel)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("method", SEARCHING)
def test_callers_without_gradients_get_the_same(tiny_pack, crop, method, mode):
    expected = _result(tiny_pack, crop, method, steps=8, transform="both")
    with mode():
        inside = _result(tiny_pack, crop, method, steps=8, transform="both")
        assert not torch.is_grad_enabled()
    assert inside.w_plus.tobytes() == expected.w_plus.tobytes()


def test_the_laplacian_pyramid_takes_the_place_of_pixels(tiny_pack, crop):
    found = {loss: _result(tiny_pack, crop, "adam", steps=20, pixel_loss=loss) for loss in ("l1", "laplacian")}
    assert found["laplacian"].settings["pixel_loss"] == "laplacian"
    assert found["laplacian"].mse < _result(tiny_pack, crop, "encoder").mse
    assert not np.array_equal(found["l1"].w_plus, found["laplacian"].w_plus)


def test_the_target_of_the_search_is_the_crop_itself(tiny_pack, crop):
    projection = Projection(tiny_pack, crop, InversionOptions(), "w+")
    assert torch.equal(projection.target, to_tensor(crop))
    assert projection.comparable
    with torch.no_grad():
        start = projection.start(projection.first_phi, 0)
        assert torch.equal(projection.losses(start), scores_of(projection, start))


@pytest.mark.parametrize("method", ["adam", "lbfgs"])
def test_a_sample_of_the_bundled_generator_is_found(method):
    from engines import api

    pack = api.open_pack("faces")
    picture = api.surprise(pack, 3).reconstruction
    encoded, found = _result(pack, picture, "encoder"), _result(pack, picture, method, steps=40)
    assert found.losses[-1][1] < 0.8 * found.losses[0][1]
    assert found.mse < encoded.mse
