"""The transport cost between pictures: its features, its scale, its gradient, and what it sees that a cost of codes cannot."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from engines.core.rng import torch_generator
from engines.losses.sinkhorn import sinkhorn_divergence
from engines.predictors.perceptual import PerceptualNetwork
from engines.training.lw_map import Cloud, LwOptions, fit_map
from engines.training.picture_cost import PictureSpace, cell_features, fit_picture_space
from engines.training.statistics import latent_statistics

LAYERS, DIM, SIDE = 2, 4, 16


def _network() -> PerceptualNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return PerceptualNetwork((4, 6, 8)).eval().requires_grad_(False)


def _codes(n: int, seed: int) -> torch.Tensor:
    return torch.randn(n, LAYERS, DIM, generator=torch_generator(seed))


def _pictures(codes: torch.Tensor) -> torch.Tensor:
    """Tiles of 4 x 4 pixels, bright and dark by the code: not linear in it."""
    patterns = torch.randn(LAYERS * DIM, 3 * 16, generator=torch_generator(5))
    tiles = torch.sin(codes.flatten(1) @ patterns).view(-1, 3, 4, 4)
    return tiles.repeat_interleave(4, 2).repeat_interleave(4, 3)


def _space(cells: int = 1) -> PictureSpace:
    codes = _codes(120, 1)
    statistics = latent_statistics(torch.zeros(DIM), codes, rank=LAYERS * DIM)
    return fit_picture_space(codes, statistics["w_plus_mean"], statistics["w_plus_factors"], _pictures, _network(), cells=cells)


@pytest.mark.parametrize("cells", [1, 2])
def test_the_pictures_it_was_fitted_on_have_mean_0_and_mean_squared_norm_1(cells):
    points = _space(cells)(_codes(120, 1))
    assert points.mean(0).abs().max().item() < 1e-5
    assert points.square().sum(1).mean().item() == pytest.approx(1, rel=1e-4)


def test_one_cell_is_the_mean_over_the_picture():
    """By a plain mean over positions."""
    image = _pictures(_codes(6, 2))
    maps = _network().features(image)[-2:]
    torch.testing.assert_close(cell_features(_network(), image, 1), torch.cat([m.mean((2, 3)) for m in maps], 1))


def test_cells_leave_the_scale_of_distances_of_flat_feature_maps():
    """Features that are the same everywhere have the same distance for any number of cells."""

    class Flat(torch.nn.Module):
        def features(self, image: torch.Tensor) -> list[torch.Tensor]:
            value = image.mean((1, 2, 3)).view(-1, 1, 1, 1)
            return [value.expand(-1, 2, 8, 8), value.expand(-1, 3, 4, 4)]

    images = torch.rand(2, 3, SIDE, SIDE, generator=torch_generator(4))
    one, four = (cell_features(Flat(), images, cells) for cells in (1, 4))
    torch.testing.assert_close((one[0] - one[1]).norm(), (four[0] - four[1]).norm())


def test_gradients_are_those_of_finite_differences():
    space = _space()
    codes, direction = _codes(60, 6).double(), _codes(60, 7).double()
    network = _network().double()
    exact = PictureSpace(
        space.mean.double(),
        space.unit.double(),
        lambda w: torch.sin(w.flatten(1) @ torch.randn(LAYERS * DIM, 3 * 16 * 16, generator=torch_generator(5)).double()).view(
            -1, 3, SIDE, SIDE
        ),
        network,
        cells=1,
        centre=torch.zeros(14),
        scale=torch.tensor(0.5, dtype=torch.float64),
    )
    codes.requires_grad_(True)
    (gradient,) = torch.autograd.grad(exact(codes).square().sum(), codes)
    with torch.no_grad():
        ends = [exact(codes + step * direction).square().sum() for step in (1e-4, -1e-4)]
    assert (gradient * direction).sum().item() == pytest.approx(((ends[0] - ends[1]) / 2e-4).item(), rel=1e-2)


class _Itself(torch.nn.Module):
    """Features that are the picture itself, in one stage."""

    def features(self, image: torch.Tensor) -> list[torch.Tensor]:
        return [image]


def test_a_map_through_pictures_leads_where_the_mean_shift_does_not():
    """Pictures are periodic in the code: the nearest like picture is a step of +0.5, while targets' codes lie at -1.5 too.

    Codes of targets are half at +0.5 and half at -1.5 from the sources, so that their mean, -0.5, is the picture farthest
    from theirs. Any map in codes that starts at no change goes there; one in pictures goes to one of the two.
    """

    def periodic(w: torch.Tensor) -> torch.Tensor:
        angle = torch.pi * w[:, 0, 0]
        return 0.5 * torch.stack([torch.cos(angle), torch.sin(angle), 0 * angle], 1)[:, :, None, None].expand(-1, 3, 4, 4)

    draw = torch_generator(11)
    near = 0.05 * torch.randn(200, 1, 1, generator=draw)
    source, target = near, near + torch.where(torch.arange(200) % 2 == 0, 0.5, -1.5)[:, None, None]
    clouds = [Cloud(codes, np.full(200, 1 / 200)) for codes in (source, target)]
    statistics = latent_statistics(torch.zeros(1), torch.cat([source, target]), rank=1)
    mean, factors = statistics["w_plus_mean"], statistics["w_plus_factors"]
    space = fit_picture_space(torch.cat([source, target]), mean, factors, periodic, _Itself())  # type: ignore[arg-type]
    options = replace(
        LwOptions(), steps=60, batch=100, preservation=0.0, rank=1, map_components=1, blur=0.1, input_noise=0.0, calm=0.0
    )
    fitted = fit_map(
        clouds[0],
        clouds[1],
        (clouds[0], clouds[1]),
        shift=torch.full((1, 1), 0.1),
        space=space,
        factors=factors,
        classifier=lambda codes: codes.flatten(1),
        relevance=np.zeros(1),
        options=replace(options, shift_rate=1.0, learning_rate=0.05),
        seed=0,
    )
    moved = source + (source - mean) @ fitted.parameters["left"][0] @ fitted.parameters["right"][0] + fitted.parameters["bias"]
    assert (moved - source).mean().item() == pytest.approx(0.5, abs=0.1)
    by_mean = source + (target.mean(0) - source.mean(0))
    losses = [sinkhorn_divergence(space(x), space(target), blur=0.1).item() for x in (moved, by_mean)]
    assert losses[0] < 0.05 < losses[1]
