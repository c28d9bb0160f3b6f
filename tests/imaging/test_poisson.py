"""Poisson blending against a dense solve of Pérez's Equation 7 written out pixel by pixel, and by what it must leave alone."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg

from engines.imaging._multigrid import GridLaplacian, multigrid_cycle
from engines.imaging.poisson import poisson_blend

H, W = 14, 11


def pictures(height: int = H, width: int = W, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two pictures of noise, kept away from black and white so that nothing is clipped by chance."""
    rng = np.random.default_rng(seed)
    return tuple(rng.integers(110, 146, (height, width, 3), dtype=np.uint8) for _ in range(2))


def regions() -> dict[str, np.ndarray]:
    inner = np.zeros((H, W), bool)
    inner[3:10, 2:8] = True
    border = np.zeros((H, W), bool)
    border[:6, 5:] = True
    scattered = np.random.default_rng(4).random((H, W)) < 0.6
    all_but_one = np.ones((H, W), bool)
    all_but_one[6, 0] = False
    return {
        "inner": inner,
        "border": border,
        "row": np.tile(np.arange(H)[:, None] == 13, (1, W)),
        "scattered": scattered,
        "all but one": all_but_one,
        "whole": np.ones((H, W), bool),
    }


def dense_blend(target, source, region, mixed=False, share=None) -> np.ndarray:
    """Equation 7 as it stands, one pixel and neighbour at a time; float64 [H, W, 3]."""
    height, width = region.shape
    share = np.ones(region.shape) if share is None else share
    result = target.astype(np.float64)
    index = {p: k for k, p in enumerate(zip(*np.nonzero(region), strict=True))}
    for channel in range(3):
        t, s = target[..., channel].astype(float), source[..., channel].astype(float)
        matrix, right = np.zeros((len(index), len(index))), np.zeros(len(index))
        for (y, x), row in index.items():
            for q in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if not (0 <= q[0] < height and 0 <= q[1] < width):
                    continue
                slope_t, slope_s = t[y, x] - t[q], s[y, x] - s[q]
                chosen = slope_t if mixed and abs(slope_t) > abs(slope_s) else slope_s
                part = (share[y, x] + share[q]) / 2
                right[row] += part * chosen + (1 - part) * slope_t
                matrix[row, row] += 1
                if q in index:
                    matrix[row, index[q]] -= 1
                else:
                    right[row] += t[q]
        f = np.linalg.lstsq(matrix, right, rcond=None)[0]
        if region.all():
            f += t.mean() - f.mean()
        for p, row in index.items():
            result[(*p, channel)] = f[row]
    return result


@pytest.mark.parametrize("name", list(regions()))
@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("fading", [False, True])
def test_a_blend_is_the_solution_of_the_equations(name, mixed, fading):
    target, source = pictures()
    region = regions()[name]
    share = np.random.default_rng(2).random((H, W)).astype(np.float32) if fading else None
    expected = dense_blend(target, source, region, mixed, share)
    assert expected.min() > 0 and expected.max() < 255
    blended = poisson_blend(target, source, region, mixed=mixed, share=share)
    # Rounded to levels; .01 for the solver's tolerance.
    assert np.abs(blended - expected).max() <= 0.51
    assert np.array_equal(blended[~region], target[~region])


def test_large_regions_agree_with_a_direct_sparse_solve():
    """Here the multigrid levels work: a disc with holes, 40,000 pixels, touching the border."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:240, :230]
    inside = ((y - 120) ** 2 + (x - 130) ** 2 < 115**2) & (rng.random(y.shape) < 0.98)
    b = np.where(inside, rng.normal(size=inside.shape), 0)
    index = np.cumsum(inside).reshape(inside.shape) - 1
    operator = GridLaplacian.of_region(inside)
    matrix = scipy.sparse.diags(operator.diagonal[inside].astype(float)).tolil()
    for near, far in (((slice(None), slice(None, -1)), (slice(None), slice(1, None))), ((slice(None, -1),), (slice(1, None),))):
        both = inside[near] & inside[far]
        matrix[index[near][both], index[far][both]] = -1
        matrix[index[far][both], index[near][both]] = -1
    exact = np.zeros(inside.shape)
    exact[inside] = scipy.sparse.linalg.spsolve(matrix.tocsc(), b[inside])

    from engines.imaging.poisson import _solve

    found = _solve(operator, multigrid_cycle(operator), b.astype(np.float32))
    assert np.abs(found - exact).max() < 1e-3 * np.abs(exact).max()
    assert (found[~inside] == 0).all()


def test_the_cycle_is_symmetric_and_positive():
    """What conjugate gradients ask of a preconditioner: <a, M b> = <M a, b> and <a, M a> > 0."""
    rng = np.random.default_rng(1)
    inside = rng.random((90, 75)) < 0.9
    cycle = multigrid_cycle(GridLaplacian.of_region(inside))
    a, b = (np.where(inside, rng.normal(size=inside.shape), 0).astype(np.float32) for _ in range(2))
    assert np.vdot(a, cycle(b)) == pytest.approx(np.vdot(cycle(a), b), rel=1e-3)
    assert np.vdot(a, cycle(a)) > 0


def test_cycles_take_off_as_much_whatever_the_regions_size():
    for side in (64, 256, 400):
        operator = GridLaplacian.of_region(np.pad(np.ones((side, side), bool), 1))
        cycle = multigrid_cycle(operator)
        b = np.zeros(operator.shape, np.float32)
        b[1, 1:-1] = 100
        u = np.zeros_like(b)
        for _ in range(5):  # cycles alone, without conjugate gradients
            u += cycle(b - operator(u))
        assert np.linalg.norm(b - operator(u)) < 1e-3 * np.linalg.norm(b)


@pytest.mark.parametrize("name", list(regions()))
@pytest.mark.parametrize("mixed", [False, True])
def test_a_picture_blended_into_itself_is_unchanged(name, mixed):
    target, _ = pictures()
    share = np.random.default_rng(2).random((H, W)).astype(np.float32)
    assert np.array_equal(poisson_blend(target, target, regions()[name], mixed=mixed, share=share), target)


def test_a_shift_in_brightness_of_the_source_is_not_seen():
    target, source = pictures()
    for region in regions().values():
        brighter = poisson_blend(target, source + np.uint8(40), region)
        assert np.abs(brighter.astype(int) - poisson_blend(target, source, region)).max() <= 1


def test_a_whole_picture_keeps_the_targets_mean():
    target, source = pictures()
    blended = poisson_blend(target, source + np.uint8(60), np.ones((H, W), bool))
    # Rounding 154 values to levels moves their mean by some .02, seldom by a tenth.
    assert blended.reshape(-1, 3).mean(0) == pytest.approx(target.reshape(-1, 3).mean(0), abs=0.3)
    slopes = np.diff(blended.astype(int), axis=0) - np.diff(source.astype(int), axis=0)
    assert np.abs(slopes).max() <= 1


def test_nothing_to_do_gives_a_copy():
    target, source = pictures()
    blended = poisson_blend(target, source, np.zeros((H, W), bool))
    assert np.array_equal(blended, target) and blended is not target


def test_results_are_clipped_and_do_not_wrap():
    target, source = (np.full((H, W, 3), value, np.uint8) for value in (5, 200))
    source[7, 5] = 0
    assert poisson_blend(target, source, regions()["inner"])[7, 5].tolist() == [0, 0, 0]


def test_wrong_arguments_are_programming_errors():
    target, source = pictures()
    region = regions()["inner"]
    with pytest.raises(ValueError, match="uint8"):
        poisson_blend(target.astype(float), source, region)
    with pytest.raises(ValueError, match="source and target"):
        poisson_blend(target, source[:5], region)
    with pytest.raises(ValueError, match="bool"):
        poisson_blend(target, source, region.astype(np.uint8))
    with pytest.raises(ValueError, match="share and region"):
        poisson_blend(target, source, region, share=np.ones((2, 2)))
