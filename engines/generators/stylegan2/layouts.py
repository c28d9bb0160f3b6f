"""Key names of the two published StyleGAN2 layouts, one-to-one: NVlabs' (ours) and rosinality's.

Values are equal but for axes of length 1; nothing is flipped or rescaled. Each layout also stores constant FIR kernels,
which are checked on the way in and made anew on the way out. The average latent lies inside NVlabs' state
(``mapping.w_avg``) and beside rosinality's (``latent_avg``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engines.core.errors import PackShapeError
from engines.core.rng import torch_generator
from engines.generators.stylegan2.config import StyleGAN2Config
from engines.generators.stylegan2.ops import fir_kernel

__all__ = [
    "discriminator_from_rosinality",
    "discriminator_to_rosinality",
    "generator_from_rosinality",
    "generator_to_rosinality",
]

State = Mapping[str, Tensor]


@dataclass(frozen=True)
class _Row:
    """One tensor under both names. rosinality's shape is ours between `leading` and `trailing` axes of length 1."""

    ours: str
    theirs: str
    shape: tuple[int, ...]
    leading: int = 0
    trailing: int = 0

    @property
    def their_shape(self) -> tuple[int, ...]:
        return (1,) * self.leading + self.shape + (1,) * self.trailing


# ----------------------------------------------------------------------------------------------------------------------
# Generator.


def generator_to_rosinality(state: State) -> tuple[dict[str, Tensor], Tensor]:
    """Our generator's state to rosinality's ``g_ema`` and ``latent_avg``. Raises PackShapeError for other keys or shapes."""
    config = _our_generator_config(state)
    rows = list(_generator_rows(config))
    ours = {row.ours: row.shape for row in rows} | {"mapping.w_avg": (config.w_dim,)}
    _check(state, ours, constants=dict.fromkeys(_our_generator_kernels(config), fir_kernel()))
    converted = {row.theirs: state[row.ours].reshape(row.their_shape) for row in rows}
    converted |= {name: 4 * fir_kernel() for name in _their_generator_kernels(config)}
    return converted, state["mapping.w_avg"]


def generator_from_rosinality(state: State, latent_avg: Tensor, *, noise_seed: int | None = None) -> dict[str, Tensor]:
    """rosinality's ``g_ema`` and ``latent_avg`` [w_dim] to our generator's state.

    Files of early 2020 lack the noise planes: with a `noise_seed` they are drawn, without one their lack is an error.
    Copies without the constant kernels are accepted. Raises PackShapeError for other keys or shapes.
    """
    config = _their_generator_config(state)
    rows = list(_generator_rows(config))
    if noise_seed is not None:
        state = {**state, **_missing_noise(rows, state, noise_seed)}
    kernels = [name for name in _their_generator_kernels(config) if name in state]
    _check(state, {row.theirs: row.their_shape for row in rows}, constants=dict.fromkeys(kernels, 4 * fir_kernel()))
    converted = {row.ours: state[row.theirs].reshape(row.shape) for row in rows}
    converted |= {name: fir_kernel() for name in _our_generator_kernels(config)}
    return converted | {"mapping.w_avg": latent_avg.reshape(config.w_dim)}


def _generator_rows(config: StyleGAN2Config) -> Iterator[_Row]:
    for index in range(config.mapping_layers):
        in_features = config.z_dim if index == 0 else config.w_dim
        yield _Row(f"mapping.fc{index}.weight", f"style.{index + 1}.weight", (config.w_dim, in_features))
        yield _Row(f"mapping.fc{index}.bias", f"style.{index + 1}.bias", (config.w_dim,))
    yield _Row("synthesis.b4.const", "input.input", (config.channels[4], 4, 4), leading=1)
    yield from _layer_rows(config, "synthesis.b4.conv1", "conv1", 0, 4, config.channels[4])
    yield from _rgb_rows(config, "synthesis.b4.torgb", "to_rgb1", 4)
    for j, resolution in enumerate(config.resolutions[1:]):
        below, block = config.channels[resolution // 2], f"synthesis.b{resolution}"
        yield from _layer_rows(config, f"{block}.conv0", f"convs.{2 * j}", 2 * j + 1, resolution, below)
        yield from _layer_rows(
            config, f"{block}.conv1", f"convs.{2 * j + 1}", 2 * j + 2, resolution, config.channels[resolution]
        )
        yield from _rgb_rows(config, f"{block}.torgb", f"to_rgbs.{j}", resolution)


def _layer_rows(
    config: StyleGAN2Config, ours: str, theirs: str, noise: int, resolution: int, in_channels: int
) -> Iterator[_Row]:
    out_channels = config.channels[resolution]
    yield _Row(f"{ours}.weight", f"{theirs}.conv.weight", (out_channels, in_channels, 3, 3), leading=1)
    yield _Row(f"{ours}.affine.weight", f"{theirs}.conv.modulation.weight", (in_channels, config.w_dim))
    yield _Row(f"{ours}.affine.bias", f"{theirs}.conv.modulation.bias", (in_channels,))
    yield _Row(f"{ours}.noise_strength", f"{theirs}.noise.weight", (), leading=1)
    yield _Row(f"{ours}.bias", f"{theirs}.activate.bias", (out_channels,))
    yield _Row(f"{ours}.noise_const", f"noises.noise_{noise}", (resolution, resolution), leading=2)


def _rgb_rows(config: StyleGAN2Config, ours: str, theirs: str, resolution: int) -> Iterator[_Row]:
    channels = config.channels[resolution]
    yield _Row(f"{ours}.weight", f"{theirs}.conv.weight", (3, channels, 1, 1), leading=1)
    yield _Row(f"{ours}.affine.weight", f"{theirs}.conv.modulation.weight", (channels, config.w_dim))
    yield _Row(f"{ours}.affine.bias", f"{theirs}.conv.modulation.bias", (channels,))
    yield _Row(f"{ours}.bias", f"{theirs}.bias", (3,), leading=1, trailing=2)


def _our_generator_kernels(config: StyleGAN2Config) -> list[str]:
    names = []
    for resolution in config.resolutions:
        parts = ("", "conv1.") if resolution == 4 else ("", "conv0.", "conv1.")
        names += [f"synthesis.b{resolution}.{part}resample_filter" for part in parts]
    return names


def _their_generator_kernels(config: StyleGAN2Config) -> list[str]:
    blocks = range(len(config.resolutions) - 1)
    return [f"convs.{2 * j}.conv.blur.kernel" for j in blocks] + [f"to_rgbs.{j}.upsample.kernel" for j in blocks]


def _our_generator_config(state: State) -> StyleGAN2Config:
    resolutions = _powers_of_two(state, "synthesis.b{}.conv1.weight", first=4)
    return _config(
        channels={r: state[f"synthesis.b{r}.conv1.weight"].shape[0] for r in resolutions},
        mapping=[state[name] for name in _counted(state, "mapping.fc{}.weight", first=0)],
    )


def _their_generator_config(state: State) -> StyleGAN2Config:
    names = ["conv1.conv.weight"] if "conv1.conv.weight" in state else []
    names += list(_counted(state, "convs.{}.conv.weight", first=0))[1::2]
    return _config(
        channels={4 * 2**i: state[name].shape[1] for i, name in enumerate(names)},
        mapping=[state[name] for name in _counted(state, "style.{}.weight", first=1)],
    )


def _missing_noise(rows: Sequence[_Row], state: State, seed: int) -> dict[str, Tensor]:
    planes = [row for row in rows if row.theirs.startswith("noises.") and row.theirs not in state]
    return {row.theirs: torch.randn(row.their_shape, generator=torch_generator(seed, i)) for i, row in enumerate(planes)}


# ----------------------------------------------------------------------------------------------------------------------
# Discriminator.


def discriminator_to_rosinality(state: State) -> dict[str, Tensor]:
    """Our discriminator's state to rosinality's ``d``. Raises PackShapeError for other keys or shapes."""
    resolutions = _powers_of_two(state, "b{}.conv0.weight", first=8)
    channels = {r: state[f"b{r}.conv0.weight"].shape[0] for r in resolutions}
    if "b4.conv.weight" in state:
        channels[4] = state["b4.conv.weight"].shape[0]
    config = _config(channels=channels)
    rows = list(_discriminator_rows(config))
    kernels = dict.fromkeys(_our_discriminator_kernels(config), fir_kernel())
    _check(state, {row.ours: row.shape for row in rows}, constants=kernels)
    converted = {row.theirs: state[row.ours] for row in rows}
    return converted | {name: fir_kernel() for name in _their_discriminator_kernels(config)}


def discriminator_from_rosinality(state: State) -> dict[str, Tensor]:
    """rosinality's ``d`` to our discriminator's state. Raises PackShapeError for other keys or shapes."""
    names = list(_counted(state, "convs.{}.conv1.0.weight", first=1))
    # Block i of B works at size / 2^(i-1), the last one at 8 pixels.
    channels = {8 * 2 ** (len(names) - 1 - i): state[name].shape[0] for i, name in enumerate(names)}
    if "final_conv.0.weight" in state:
        channels[4] = state["final_conv.0.weight"].shape[0]
    config = _config(channels=channels)
    rows = list(_discriminator_rows(config))
    kernels = [name for name in _their_discriminator_kernels(config) if name in state]
    _check(state, {row.theirs: row.their_shape for row in rows}, constants=dict.fromkeys(kernels, fir_kernel()))
    converted = {row.ours: state[row.theirs] for row in rows}
    return converted | {name: fir_kernel() for name in _our_discriminator_kernels(config)}


def _discriminator_rows(config: StyleGAN2Config) -> Iterator[_Row]:
    top = config.channels[config.resolution]
    yield _Row(f"b{config.resolution}.fromrgb.weight", "convs.0.0.weight", (top, 3, 1, 1))
    yield _Row(f"b{config.resolution}.fromrgb.bias", "convs.0.1.bias", (top,))
    for j, resolution in enumerate(reversed(config.resolutions[1:])):
        wide, narrow, block = config.channels[resolution], config.channels[resolution // 2], f"convs.{j + 1}"
        yield _Row(f"b{resolution}.conv0.weight", f"{block}.conv1.0.weight", (wide, wide, 3, 3))
        yield _Row(f"b{resolution}.conv0.bias", f"{block}.conv1.1.bias", (wide,))
        yield _Row(f"b{resolution}.conv1.weight", f"{block}.conv2.1.weight", (narrow, wide, 3, 3))
        yield _Row(f"b{resolution}.conv1.bias", f"{block}.conv2.2.bias", (narrow,))
        yield _Row(f"b{resolution}.skip.weight", f"{block}.skip.1.weight", (narrow, wide, 1, 1))
    last = config.channels[4]
    yield _Row("b4.conv.weight", "final_conv.0.weight", (last, last + 1, 3, 3))
    yield _Row("b4.conv.bias", "final_conv.1.bias", (last,))
    yield _Row("b4.fc.weight", "final_linear.0.weight", (last, 16 * last))
    yield _Row("b4.fc.bias", "final_linear.0.bias", (last,))
    yield _Row("b4.out.weight", "final_linear.1.weight", (1, last))
    yield _Row("b4.out.bias", "final_linear.1.bias", (1,))


def _our_discriminator_kernels(config: StyleGAN2Config) -> list[str]:
    names = [f"b{config.resolution}.fromrgb.resample_filter", "b4.conv.resample_filter"]
    for resolution in config.resolutions[1:]:
        names += [f"b{resolution}.{part}resample_filter" for part in ("", "conv0.", "conv1.", "skip.")]
    return names


def _their_discriminator_kernels(config: StyleGAN2Config) -> list[str]:
    return [f"convs.{j}.{part}.0.kernel" for j in range(1, len(config.resolutions)) for part in ("conv2", "skip")]


# ----------------------------------------------------------------------------------------------------------------------
# Sizes and checks.


def _counted(state: State, pattern: str, *, first: int, following: Callable[[int], int] = lambda n: n + 1) -> Iterator[str]:
    """The names ``pattern.format(n)`` for n = first, ..., as long as they are in `state`."""
    number = first
    while (name := pattern.format(number)) in state:
        yield name
        number = following(number)


def _powers_of_two(state: State, pattern: str, *, first: int) -> list[int]:
    return [first * 2**i for i, _ in enumerate(_counted(state, pattern, first=first, following=lambda n: 2 * n))]


def _config(*, channels: Mapping[int, int], mapping: Sequence[Tensor] | None = None) -> StyleGAN2Config:
    """The sizes of a state; `mapping` are the fully connected weights of a generator, None for a discriminator."""
    if 4 not in channels or 8 not in channels or mapping == []:
        raise PackShapeError("This is not the state of a StyleGAN2 network in the expected layout: its main keys are missing.")
    w_dim, z_dim = (1, 1) if mapping is None else (mapping[-1].shape[0], mapping[0].shape[1])
    return StyleGAN2Config(
        resolution=max(channels),
        z_dim=z_dim,
        w_dim=w_dim,
        mapping_layers=1 if mapping is None else len(mapping),
        channels=channels,
    )


def _check(state: State, shapes: Mapping[str, tuple[int, ...]], *, constants: State) -> None:
    """Raises PackShapeError unless `state` has exactly the keys of `shapes` and `constants`, with those shapes and values."""
    wanted = shapes | {name: tuple(kernel.shape) for name, kernel in constants.items()}
    missing, unknown = sorted(set(wanted) - set(state)), sorted(set(state) - set(wanted))
    if missing or unknown:
        raise PackShapeError(f"StyleGAN2 state: missing keys {missing[:5]}, unknown keys {unknown[:5]}.")
    for name, shape in wanted.items():
        if tuple(state[name].shape) != shape:
            raise PackShapeError(f"StyleGAN2 state: {name} has shape {list(state[name].shape)}, wanted {list(shape)}.")
    for name, kernel in constants.items():
        if not torch.allclose(state[name].float().cpu(), kernel):
            raise PackShapeError(f"StyleGAN2 state: {name} is not the published kernel, so the pictures would differ.")
