"""One picture to be found in a latent space, as a problem for the optimisers (Huh et al. 2020, Eq. 5).

A candidate is a latent (in z of a class-conditional generator with its class vector) and a transform T of the picture.
Gradient steps compare the generator's picture G with T(y) under T(m): no gradient goes through a sampler. Scores compare
T^-1(G) with y under m: the same picture for all candidates. What the frame of T^-1(G) does not reach stays the picture's own,
as pasting back leaves it; of the object it counts as wrong as can be, or a frame beside a small object would be best of all.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engines.core.device import rough_dtype
from engines.core.rng import torch_generator
from engines.inversion.latent_space import latent_space, moved
from engines.inversion.measure import synthesise
from engines.inversion.models import InversionModels, as_target, device_of
from engines.inversion.objects import found_box, predicted_label
from engines.inversion.optimisers.problem import Search, Variables, scores_of
from engines.inversion.options import InversionOptions, Space, TransformSearch
from engines.inversion.projection_objective import ProjectionObjective
from engines.inversion.transforms import Transform, initial_transform, transform_images, transform_masks
from engines.losses.lpips_distance import perceptual_for
from engines.losses.masked import rectangle_mask

__all__ = ["Projection", "transform_of"]

LARGEST_PHI = (1.5, 1.5, 1.5, 1.5, 1.0)
"""How far phi = (ln s_x, ln s_y, t_x, t_y, gamma) may go. Logarithms keep scales positive, and halves as near as doubles."""
SEARCHED_PHI: dict[TransformSearch, tuple[int, ...]] = {
    "none": (),
    "spatial": (0, 1, 2, 3),
    "colour": (4,),
    "both": (0, 1, 2, 3, 4),
}
TRANSFORM_DEVIATION = math.sqrt(0.1)
AROUND_ENCODER = 0.1
"""How far around the encoder's codes CMA begins, in deviations of the latents; around the mean it is 1."""
START_NOISE = 0.3
"""How far from the mean latent a start without the encoder lies: every seed has its own. Huh et al. 2020 draw z ~ N(0, I); here
only CMA and the samples of a transform's search begin so."""
PIXELS_AT_ONCE = 8 * 128 * 128
"""A batch that stays near the processor's caches, and within memory for large pictures."""
MISSED_WEIGHT = 2.0
"""What an object that the frame does not reach at all adds to a score: the largest L1 distance of two pictures."""
_TARGETS_KEPT = 8


class Projection:
    """The problem; candidates are (latent's variables ..., phi [N, 5]).

    `first_phi` [1, 5] is the transform that the search starts from, by the mask or, without one, by the detected object;
    `label` [1, C] that of the class predicted of the picture as it is and so transformed, None where nothing predicts it.
    """

    def __init__(self, models: InversionModels, crop: np.ndarray, options: InversionOptions, space: Space) -> None:
        self._models, self._options = models, options
        self.perceptual, self.kind = perceptual_for(models)
        side = crop.shape[0]
        with torch.inference_mode(False), torch.no_grad():
            self.target = as_target(models, crop)
            self.mask = rectangle_mask(options.mask, side, options.outside_weight).to(device_of(models))
            self._plain = self._objective([Transform()])
        spatial = options.transform in ("spatial", "both")
        mask = options.mask or (found_box(models, crop) if spatial else None)
        first = initial_transform(mask, side, models.object_box) if spatial else Transform()
        self._object = None if mask is None else rectangle_mask(mask, side, outside=0.0).to(device_of(models))
        self.first_phi = torch.tensor([_phi(first)], device=device_of(models))
        with torch.inference_mode(False), torch.no_grad():
            views = [self.target, transform_images(self.target, [first])] if first.moves else [self.target]
            self.label = predicted_label(models, torch.cat(views))
        self.space = latent_space(models, space, self.label, class_search=options.class_search)
        self._objectives: OrderedDict[bytes, ProjectionObjective] = OrderedDict()
        self.learning_rates = (*self.space.learning_rates, 0.0)
        self._has_bfloat16 = rough_dtype(device_of(models)) is torch.bfloat16
        self.comparable = options.transform == "none"
        self.at_once = max(1, PIXELS_AT_ONCE // side**2)

    # ---- the problem ----------------------------------------------------------------------------------------------------

    def losses(self, variables: Variables, *, rough: bool = False) -> Tensor:
        """L(G, T(y), T(m)) and what the latent costs; rough is in bfloat16 where the device has it."""
        *latent, phi = variables
        objective = self._objective_for(phi)
        with torch.autocast(self.target.device.type, torch.bfloat16, enabled=rough and self._has_bfloat16):
            return objective(self.image(variables)) + self.space.penalty(tuple(latent))

    def scores(self, variables: Variables) -> Tensor:
        """L(T^-1(G), y, m), what is missed of the object and what the latent costs."""
        *latent, phi = variables
        inverses = [transform_of(row).inverse() for row in phi]
        back = transform_images(self.image(variables), inverses, beyond="grey")
        missed = torch.zeros(())
        if self._object is not None and any(inverse.moves for inverse in inverses):
            beyond = 1 - transform_masks(torch.ones_like(self._object), inverses)  # [N, 1, R, R]
            back = back + beyond * self.target
            missed = (beyond * self._object).flatten(1).mean(1) / self._object.mean()
        return self._plain(back) + MISSED_WEIGHT * missed + self.space.penalty(tuple(latent))

    def constrained(self, variables: Variables) -> Variables:
        *latent, phi = variables
        return (*self.space.constrained(tuple(latent)), phi)

    def image(self, variables: Variables) -> Tensor:
        """G of candidates, [N, 3, R, R], in the generator's frame."""
        return synthesise(self._models, self.codes(variables))

    def codes(self, variables: Variables) -> Tensor:
        """W+ codes [N, L, D] of candidates."""
        return self.space.codes(variables[:-1])

    def facts(self, variables: Variables) -> dict[str, Any]:
        """What codes do not tell of one candidate: the class predicted at the start and, in z, the latent itself."""
        facts: dict[str, Any] = {}
        if self.label is not None:
            facts["class"] = self._models.class_predictor.classes[int(self.label.argmax())]
        if self.space.name == "z":
            facts |= {name: v[0].tolist() for name, v in zip(("z", "class_vector"), variables[:-1], strict=False)}
        return facts

    # ---- where to begin and what to search ------------------------------------------------------------------------------

    def start(self, phi: Tensor, seed: int, *, spread: float = START_NOISE) -> Variables:
        """A candidate for each phi [N, 5]: the encoder's codes of T(y), or draws around the mean latent.

        mean + spread N(0, I); the mean is that of the predicted class, where there is one, and in z what fits its mean w best.
        """
        with torch.inference_mode(False), torch.no_grad():
            if self._options.encoder_start:
                return (*self._encoded(phi), phi)
            mean = self.space.from_codes(self._mean_codes())
            return (*self._drawn(mean, len(phi), spread, seed), phi)

    def latent_search(self, start: Variables, *, around_start: bool) -> Search:
        """CMA over latents with the transform of `start` (one candidate): around it, or over all that the generator knows."""
        *latent, phi = start
        origin = tuple(latent) if around_start else self.space.origin()

        def sampled(coordinates: Tensor) -> Variables:
            return (*moved(self.space, origin, coordinates), phi.expand(len(coordinates), -1))

        return Search(self, len(self.space.directions), AROUND_ENCODER if around_start else 1.0, sampled)

    def transform_search(self, seed: int) -> Search:
        """CMA over transforms around the first one; the latents of every sample begin anew."""
        searched = list(SEARCHED_PHI[self._options.transform])
        bound = np.array(LARGEST_PHI)[searched] + np.abs(self.first_phi[0, searched].cpu().numpy())
        calls = iter(range(1, 2**31))

        def sampled(coordinates: Tensor) -> Variables:
            phi = self.phi_at(coordinates)
            if self._options.encoder_start:
                return self.start(phi, seed)
            with torch.inference_mode(False), torch.no_grad():
                return (*self._drawn(self.space.origin(), len(phi), 1.0, seed, next(calls)), phi)

        return Search(self, len(searched), TRANSFORM_DEVIATION, sampled, bound)

    def phi_at(self, coordinates: Tensor) -> Tensor:
        """phi [N, 5] at coordinates [N, k] of :meth:`transform_search`."""
        phi = self.first_phi.repeat(len(coordinates), 1)
        phi[:, list(SEARCHED_PHI[self._options.transform])] += coordinates.to(phi.device)
        return phi

    def better(self, *candidates: Variables) -> Variables:
        """The one of several single candidates with the smallest score."""
        return min(candidates, key=lambda candidate: float(scores_of(self, candidate)[0]))

    # ---- inside ---------------------------------------------------------------------------------------------------------

    def _objective_for(self, phi: Tensor) -> ProjectionObjective:
        """The objective of transforms phi [N, 5]; a few are kept, since many steps ask for the same."""
        if bool((phi == phi[:1]).all()):
            phi = phi[:1]
        if not phi.any():
            return self._plain
        key = phi.detach().cpu().numpy().tobytes()
        if key in self._objectives:
            self._objectives.move_to_end(key)
        else:
            with torch.inference_mode(False), torch.no_grad():
                self._objectives[key] = self._objective([transform_of(row) for row in phi])
            while len(self._objectives) > _TARGETS_KEPT:
                self._objectives.popitem(last=False)
        return self._objectives[key]

    def _objective(self, transforms: list[Transform]) -> ProjectionObjective:
        targets, masks = transform_images(self.target, transforms), transform_masks(self.mask, transforms)
        return ProjectionObjective(self.perceptual, self.kind, targets, masks, self._options.pixel_loss)

    def _encoded(self, phi: Tensor) -> Variables:
        encoder, codes = self._models.encoder, []
        for part in phi.split(self.at_once):
            codes.append(encoder(transform_images(self.target, [transform_of(row) for row in part])))
        return self.space.from_codes(torch.cat(codes))

    def _mean_codes(self) -> Tensor:
        statistics = self._models.statistics
        mean = statistics["w_avg"][None] if self.label is None else self.label @ statistics["w_class_avg"]
        return self._models.generator.broadcast(mean)

    def _drawn(self, around: Variables, count: int, spread: float, *seed: int) -> Variables:
        noise = torch.randn(count, len(self.space.directions), generator=torch_generator(*seed))
        return moved(self.space, around, spread * noise)


def transform_of(phi: Tensor) -> Transform:
    """The transform of a row phi [5]."""
    log_x, log_y, shift_x, shift_y, brightness = (float(value) for value in phi)
    return Transform((math.exp(log_x), math.exp(log_y)), (shift_x, shift_y), brightness)


def _phi(transform: Transform) -> tuple[float, ...]:
    (sx, sy), shift = transform.scale, transform.shift
    return (math.log(sx), math.log(sy), *shift, transform.brightness)
