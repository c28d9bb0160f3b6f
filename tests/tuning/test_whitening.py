"""Second moments against sums by hand, and what whitened coordinates are for: other pictures move less."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.linalg import fractional_matrix_power

from engines.core.errors import Cancelled
from engines.core.progress import CancelToken
from engines.core.rng import torch_generator
from engines.generators.stylegan2 import Generator
from engines.tuning.descent import Descent
from engines.tuning.random_codes import random_codes
from engines.tuning.trainee import Trainee, tunable_names
from engines.tuning.whitening import EPSILON, POWER, input_moments, whitening, whitening_of


def test_whitening_is_a_negative_power_of_the_moments_and_damping():
    x = np.random.default_rng(0).normal(size=(7, 40))
    moments = x @ x.T / 40
    p = whitening(torch.from_numpy(moments)).double().numpy()
    damped = moments / np.trace(moments) * 7 + EPSILON * np.eye(7)
    product = fractional_matrix_power(p, 1 / POWER) @ damped
    assert np.allclose(p, p.T, atol=1e-6)
    assert np.allclose(product, product[0, 0] * np.eye(7), atol=1e-4)
    assert np.trace(p @ p) / 7 == pytest.approx(1, rel=1e-5)


def test_moments_are_those_of_what_the_weights_multiply(tiny_pack):
    """A style layer's inputs are w; an RGB layer's are the features, scaled by its styles, taken here from a run by hand."""
    generator = tiny_pack.generator
    codes = random_codes(generator, 5, torch_generator(3))
    moments = input_moments(generator, codes, CancelToken())
    w = codes[:, 0].double().numpy()
    last = f"synthesis.b{generator.config.resolution}"
    assert np.allclose(moments[f"{last}.conv1.affine.weight"].numpy(), w.T @ w / 5, rtol=1e-4, atol=1e-5)
    block = generator.synthesis.get_submodule(last.removeprefix("synthesis."))
    seen = []
    handle = block.torgb.register_forward_pre_hook(lambda _, arguments: seen.append(arguments))
    with torch.no_grad():
        generator.synthesis(codes, noise_mode="const")
        (features, w_row) = seen[0]
        styled = features * block.torgb.affine(w_row)[:, :, None, None]
    handle.remove()
    # 32 x 32 places, of which 600 are looked at: as near as a sample is.
    exact = torch.einsum("nihw,njhw->ij", styled, styled) / (5 * styled.shape[2] * styled.shape[3])
    assert torch.allclose(moments[f"{last}.torgb.weight"], exact, rtol=0.15, atol=0.1 * float(exact.diagonal().mean()))


def test_every_tuned_weight_has_coordinates_and_the_generator_no_hooks(tiny_pack):
    names = tunable_names(tiny_pack.generator)
    found = whitening_of(tiny_pack.generator, names, CancelToken())
    assert set(found) == set(names)
    assert all(found[name].shape[0] == tiny_pack.generator.get_parameter(name)[0].numel() for name in names)
    assert whitening_of(tiny_pack.generator, names, CancelToken()) is found
    assert not any(module._forward_pre_hooks for module in tiny_pack.generator.modules())


def test_the_study_of_a_generator_ends_when_it_is_cancelled_and_can_be_made_later(tiny_pack):
    generator, cancel = Generator(tiny_pack.generator.config, seed=1), CancelToken()
    passes = []

    def hear(*_) -> None:
        passes.append(1)
        cancel.cancel()

    generator.synthesis.register_forward_pre_hook(hear)
    with pytest.raises(Cancelled):
        whitening_of(generator, tunable_names(generator), cancel)
    assert len(passes) == 1
    assert set(whitening_of(generator, tunable_names(generator), CancelToken())) == set(tunable_names(generator))


def test_steps_in_whitened_coordinates_move_other_pictures_less(tiny_pack, crop):
    """The same fit to one picture, by plain and by whitened weights."""
    generator = tiny_pack.generator
    target = torch.from_numpy(crop).permute(2, 0, 1)[None].float() / 127.5 - 1
    code, others = random_codes(generator, 1, torch_generator(5)), random_codes(generator, 64, torch_generator(6))

    def change_at(wanted: float, whitened) -> float:
        trainee = Trainee(generator, whitened)
        descent = Descent(trainee, 1e-2)
        for _ in range(400):
            error = (trainee.picture(code) - target).square().mean()
            if float(error.detach()) <= wanted:
                break
            descent.step(error, 0.3)
        else:
            raise AssertionError("the picture was not reached")
        with torch.no_grad():
            return float((trainee.picture(others) - trainee.base_picture(others)).square().mean())

    with torch.no_grad():
        wanted = 0.1 * float((generator.synthesis(code, noise_mode="const") - target).square().mean())
    whitened = whitening_of(generator, tunable_names(generator), CancelToken())
    assert change_at(wanted, whitened) < 0.8 * change_at(wanted, None)
