"""The hot path: one edit state to one frame, many times a second.

    w' = w + sum_k |alpha_k| scale_k H_k(w),   picture = G(w'),   then the pack's predictors look at the rounded picture

A pure function of its arguments. What does not depend on the strengths is computed once per inversion.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engines.imaging.convert import to_tensor, to_uint8
from engines.inversion.result import Inversion
from engines.packs.cache import BoundedCache
from engines.packs.load import Pack
from engines.session.state import EditState, Frame

__all__ = ["render"]


@dataclass(frozen=True, eq=False)
class _Unedited:
    """What is known of an inversion before any slider moves."""

    w_plus: Tensor
    """[1, L, D], where the pack's weights are."""
    probabilities: Mapping[str, float]
    """Attribute id -> probability in the reconstruction."""
    identity: Tensor
    """Unit embedding [1, E] of the reconstruction."""


# Some 10 kB each.
_unedited: BoundedCache[_Unedited] = BoundedCache(256)


def render(pack: Pack, inversion: Inversion, state: EditState) -> Frame:
    """The frame of a valid state. The unedited state gives `inversion.reconstruction`, bit for bit."""
    started = time.perf_counter()
    key = (pack.weights_hash, str(pack.device), inversion.id)
    before = _unedited.get(key, lambda: (_prepare(pack, inversion), 1))
    if state.edited:
        image = _edited(pack, before.w_plus, state)
        probabilities, identity = _judged(pack, image)
        similarity = float((identity * before.identity).sum())
    else:
        image, probabilities, similarity = inversion.reconstruction, before.probabilities, 1.0
    return Frame(
        state=state,
        image=image,
        attributes=probabilities,
        identity_similarity=similarity,
        render_ms=(time.perf_counter() - started) * 1000,
    )


def _prepare(pack: Pack, inversion: Inversion) -> _Unedited:
    w_plus = torch.from_numpy(inversion.w_plus.copy())[None].to(pack.device)
    return _Unedited(w_plus, *_judged(pack, inversion.reconstruction))


def _edited(pack: Pack, w_plus: Tensor, state: EditState) -> np.ndarray:
    """The edited picture, uint8 [R, R, 3], read-only."""
    maps, generator = pack.edit_maps, pack.generator
    # Entered in every call, for it is kept per thread, and only around the arithmetic: weights that were read inside could
    # never take part in a gradient.
    with torch.inference_mode():
        edited = maps.edit(w_plus, dict(state.alphas), state.layers)
        image = to_uint8(generator.synthesis(edited, noise_mode="const"))[0]
    image.flags.writeable = False
    return image


def _judged(pack: Pack, image: np.ndarray) -> tuple[dict[str, float], Tensor]:
    """Attribute probabilities, and the identity embedding [1, E], of a picture as the user sees it."""
    predictor, identity = pack.attribute_predictor, pack.identity
    with torch.inference_mode():
        seen = to_tensor(np.array(image)).to(pack.device)
        probabilities = predictor.probabilities(seen)[0].tolist()
        return dict(zip(predictor.attributes, probabilities, strict=True)), identity(seen)
