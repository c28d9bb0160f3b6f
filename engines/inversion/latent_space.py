"""Where latents are searched: z, w or w+. Every space turns its variables into W+ codes, and codes into variables.

`z`   the mapping network's input, |z| <= 2 in every coordinate (Huh et al. 2020, Eq. 2); for a class-conditional generator
      its continuous class vector c = W c~ is searched beside it, far more slowly.
`w`   one row for all layers, whitened by the statistics of mapped latents (of the class, where it is known).
`w+`  a row for each layer, whitened by the pack's statistics of encoded pictures, around the class's mean where it is known.

Whitened coordinates are better conditioned: a step goes the further, the more codes differ in its direction, and their mean
square is the squared Mahalanobis distance from the mean code, the prior that keeps codes where edits work.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from engines.core.rng import torch_generator
from engines.generators.labels import one_hot
from engines.inversion.models import InversionModels, device_of
from engines.inversion.optimisers.problem import Variables, boxed, gradients
from engines.inversion.options import Space
from engines.inversion.prior import CodePrior

__all__ = ["LatentSpace", "latent_space", "moved"]

LEARNING_RATE = 0.05
"""Huh et al. 2020, section 4."""
CLASS_LEARNING_RATE = 5e-3
"""Of the class vectors' root mean square, by which the mapping network divides them: a tenth of z's, whose is 1. Huh et al.
take 1e-4 in a generator whose class vectors are small and not divided."""
LARGEST_Z = 2.0
TYPICAL_WEIGHT = 0.002
"""Weight of the squared Mahalanobis distance of w and w+ codes (:meth:`CodePrior.distance`)."""
SEARCHED_DIRECTIONS = 64
"""In w+ CMA searches this many leading principal directions: a full covariance of all L * D coordinates is out of reach, and
pycma's diagonal one ignores that layers vary together, which the principal directions hold already."""

MAPPED_SAMPLES = 4096
_MAPPED_REST_SHARE = 0.1
_FIT_STARTS, _FIT_ROWS, _FIT_STEPS, _FIT_RATE = 8, 32, 80, 0.1
"""z is fitted to a code from so many draws, fewer where a batch would have more rows: so many cost little more than one."""


class LatentSpace(Protocol):
    """The space of one pack's latents. Variables are those of :mod:`optimisers.problem`."""

    @property
    def name(self) -> Space: ...

    @property
    def learning_rates(self) -> tuple[float, ...]: ...

    @property
    def directions(self) -> Tensor:
        """[k, d]: what CMA searches; y ~ N(0, I) gives typical changes y @ directions of the first variable, flattened."""

    def origin(self) -> Variables:
        """One candidate, the middle of the latents' distribution."""

    def from_codes(self, w_plus: Tensor) -> Variables:
        """The candidates [N, ...] nearest to codes [N, L, D]."""

    def codes(self, variables: Variables) -> Tensor:
        """W+ codes [N, L, D], differentiable."""

    def penalty(self, variables: Variables) -> Tensor:
        """What unusual codes cost, [N]."""

    def constrained(self, variables: Variables) -> Variables:
        """The nearest candidates that are allowed."""


def latent_space(
    models: InversionModels, name: Space, label: Tensor | None = None, *, class_search: bool = True
) -> LatentSpace:
    """The space of that name.

    label: c~ [1, C] of a class-conditional generator, what the search begins with; None where no class is known.
    class_search: whether gradient steps move the class vector, in z.
    """
    # Made outside of a caller's inference mode: these tensors take part in gradient steps.
    with torch.inference_mode(False), torch.no_grad():
        if name == "z":
            return _Z(models, label, class_search=class_search)
        return _W(models, label) if name == "w" else _WPlus(models, label)


def moved(space: LatentSpace, start: Variables, coordinates: Tensor) -> Variables:
    """N candidates around `start` (one, or N) at coordinates [N, k] along the space's directions."""
    first, *others = start
    change = (coordinates.to(first.device) @ space.directions).view(len(coordinates), *first.shape[1:])
    count = len(coordinates)
    return space.constrained((first + change, *(o.expand(count, *o.shape[1:]) for o in others)))


class _Z:
    name: Space = "z"

    def __init__(self, models: InversionModels, label: Tensor | None, *, class_search: bool) -> None:
        self._mapping, self._broadcast = models.generator.mapping, models.generator.broadcast
        config, device = models.generator.config, device_of(models)
        self._origin: Variables = (torch.zeros(1, config.z_dim, device=device),)
        self.learning_rates: tuple[float, ...] = (LEARNING_RATE,)
        if config.class_count:
            of_classes = self._mapping.class_vectors(torch.eye(config.class_count, device=device))
            # Where no class is known of the picture, the search starts from an even mixture.
            self._origin += (of_classes.mean(0, keepdim=True) if label is None else self._mapping.class_vectors(label),)
            rate = CLASS_LEARNING_RATE * float(of_classes.square().mean().sqrt())
            self.learning_rates += (rate if class_search else 0.0,)
        self.directions = torch.eye(config.z_dim, device=device)

    def origin(self) -> Variables:
        return self._origin

    def from_codes(self, w_plus: Tensor) -> Variables:
        """Fits z to the mean row by Adam on |M(z) - w|^2 from a few draws: cheap, since nothing is synthesised."""
        count = len(w_plus)
        starts = max(1, min(_FIT_STARTS, _FIT_ROWS // count))
        target = w_plus.detach().mean(1).repeat_interleave(starts, 0)
        draws = torch.randn(starts, self._origin[0].shape[1], generator=torch_generator(0))
        others = tuple(o.expand(len(target), -1) for o in self._origin[1:])
        with gradients():
            z = draws.to(target.device).repeat(count, 1).clamp(-LARGEST_Z, LARGEST_Z).requires_grad_(True)
            optimiser = torch.optim.Adam([z], lr=_FIT_RATE)
            for _ in range(_FIT_STEPS):
                optimiser.zero_grad(set_to_none=True)
                (self._mapped(z, *others) - target).square().sum().backward()
                optimiser.step()
                with torch.no_grad():
                    z.clamp_(-LARGEST_Z, LARGEST_Z)
        with torch.inference_mode(False), torch.no_grad():
            errors = (self._mapped(z, *others) - target).square().sum(1).view(count, starts)
            best = errors.argmin(1) + starts * torch.arange(count, device=z.device)
            return (z.detach()[best], *(o[best] for o in others))

    def codes(self, variables: Variables) -> Tensor:
        return self._broadcast(self._mapped(*variables))

    def penalty(self, variables: Variables) -> Tensor:
        return torch.zeros(len(variables[0]), device=variables[0].device)

    def constrained(self, variables: Variables) -> Variables:
        return (boxed(variables[0], LARGEST_Z), *variables[1:])

    def _mapped(self, z: Tensor, class_vector: Tensor | None = None) -> Tensor:
        return self._mapping(z, class_vector=class_vector)


class _Whitened:
    """Coordinates x of codes: mean + A x (see :class:`CodePrior`)."""

    name: Space
    learning_rates = (LEARNING_RATE,)

    def __init__(self, prior: CodePrior, searched: int) -> None:
        self._prior = prior
        self.directions = prior.leading(searched)

    def origin(self) -> Variables:
        return (torch.zeros_like(self._prior.mean)[None],)

    def penalty(self, variables: Variables) -> Tensor:
        return TYPICAL_WEIGHT * variables[0].square().flatten(1).mean(1)

    def constrained(self, variables: Variables) -> Variables:
        return variables


class _W(_Whitened):
    name: Space = "w"

    def __init__(self, models: InversionModels, label: Tensor | None) -> None:
        self._broadcast = models.generator.broadcast
        w = _mapped(models, label)
        mean = w.mean(0)
        # A square root of the covariance with as few rows as it has columns.
        variance, directions = torch.linalg.eigh(torch.cov((w - mean).T.double()))
        factors = (directions * variance.clamp_min(0).sqrt()).T.to(w.dtype)
        super().__init__(CodePrior(mean, factors, rest_share=_MAPPED_REST_SHARE), len(mean))

    def from_codes(self, w_plus: Tensor) -> Variables:
        return (self._prior.whitened(w_plus.mean(1) - self._prior.mean),)

    def codes(self, variables: Variables) -> Tensor:
        return self._broadcast(self._prior.mean + self._prior.unwhitened(variables[0]))


class _WPlus(_Whitened):
    name: Space = "w+"

    def __init__(self, models: InversionModels, label: Tensor | None) -> None:
        statistics = models.statistics
        mean = statistics["w_plus_mean"].clone()
        if label is not None:
            mean += label @ statistics["w_class_avg"] - statistics["w_avg"]
        prior = CodePrior(mean, statistics["w_plus_factors"].clone())
        super().__init__(prior, SEARCHED_DIRECTIONS)

    def from_codes(self, w_plus: Tensor) -> Variables:
        return (self._prior.whitened(w_plus - self._prior.mean),)

    def codes(self, variables: Variables) -> Tensor:
        return self._prior.mean + self._prior.unwhitened(variables[0])


def _mapped(models: InversionModels, label: Tensor | None) -> Tensor:
    """w [n, D] of seeded latents; of a class-conditional generator, of the label's class or of all classes alike."""
    generator, device = models.generator, device_of(models)
    config = generator.config
    z = torch.randn(MAPPED_SAMPLES, config.z_dim, generator=torch_generator(0)).to(device)
    if label is None:
        labels = one_hot(torch.arange(MAPPED_SAMPLES) % max(1, config.class_count), config.class_count).to(device)
    else:
        labels = label.expand(MAPPED_SAMPLES, -1)
    return generator.mapping(z, labels)
