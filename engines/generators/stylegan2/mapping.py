"""The mapping network z -> w, with class conditioning; the discriminator's class mapping is the same network without z."""

from __future__ import annotations

import torch
from torch import nn

from engines.core.shapes import check_shape
from engines.generators.stylegan2.label_gates import LabelGates
from engines.generators.stylegan2.ops import EqualisedLinear, normalise_second_moment

__all__ = ["MAPPING_LEARNING_RATE_MULTIPLIER", "MappingNetwork"]

MAPPING_LEARNING_RATE_MULTIPLIER = 0.01


class MappingNetwork(nn.Module):
    """``w = fc_n(... fc_0([z / rms(z), c / rms(c)]))`` with the class vector ``c = W c~ + b`` of a label c~ (Huh et al. 2020,
    section 3.1: W is a part of the generator, and c is continuous). Every fc is leaky ReLU activated, the last one only
    without `linear_w`. Hidden layers are `width` wide, or as wide as w.

    With `gate_count` K the last K coordinates u of z / rms(z) enter as 2 gates(u) - 1: decisions, +-1."""

    def __init__(
        self,
        z_dim: int,
        w_dim: int,
        layers: int,
        *,
        class_count: int = 0,
        width: int | None = None,
        linear_w: bool = False,
        gate_count: int = 0,
        tracks_average: bool = True,
        draw: torch.Generator,
    ) -> None:
        super().__init__()
        self.z_dim, self.w_dim, self.class_count, self.layers = z_dim, w_dim, class_count, layers
        if class_count:
            self.embed = EqualisedLinear(class_count, w_dim, draw=draw)
        in_features = z_dim + (w_dim if class_count else 0)
        sizes = [in_features, *([width or w_dim] * (layers - 1)), w_dim]
        for index in range(layers):
            layer = EqualisedLinear(
                sizes[index],
                sizes[index + 1],
                draw=draw,
                activation=not (linear_w and index == layers - 1),
                learning_rate_multiplier=MAPPING_LEARNING_RATE_MULTIPLIER,
            )
            self.add_module(f"fc{index}", layer)
        self.gates = LabelGates(gate_count, draw=draw) if gate_count else None
        if tracks_average:
            self.register_buffer("w_avg", torch.zeros(w_dim))

    def class_vectors(self, label: torch.Tensor) -> torch.Tensor:
        """c = W c~ + b, [N, w_dim], of labels c~ [N, class_count]: one-hot or any mixture."""
        check_shape(label, (None, self.class_count), "label")
        return self.embed(label.float())

    def forward(
        self, z: torch.Tensor | None, label: torch.Tensor | None = None, *, class_vector: torch.Tensor | None = None
    ) -> torch.Tensor:
        """z [N, z_dim] (None when z_dim is 0) and label [N, class_count] (one-hot or any mixture) to w [N, w_dim].

        class_vector: c [N, w_dim] itself, in place of a label. Without classes neither is looked at.
        """
        return self.layered(None if z is None else self.entering(z), label, class_vector=class_vector)

    def entering(self, z: torch.Tensor) -> torch.Tensor:
        """What the first layer sees of z [N, z_dim]: unit length a coordinate, and +-1 for what the last ones decide."""
        check_shape(z, (None, self.z_dim), "z")
        z = normalise_second_moment(z.float())
        if self.gates is None:
            return z
        free, deciding = z.split([self.z_dim - self.gates.count, self.gates.count], dim=1)
        return torch.cat([free, 2 * self.gates(deciding) - 1], dim=1)

    def layered(
        self, entering: torch.Tensor | None, label: torch.Tensor | None = None, *, class_vector: torch.Tensor | None = None
    ) -> torch.Tensor:
        """:meth:`forward` from what :meth:`entering` gives on."""
        parts = []
        if self.z_dim:
            if entering is None:
                raise ValueError(f"z [N, {self.z_dim}] is needed")
            parts.append(entering)
        if self.class_count:
            if (label is None) == (class_vector is None):
                wanted = f"either a label [N, {self.class_count}] or a class vector [N, {self.w_dim}] is needed"
                raise ValueError(f"{wanted}: this network is class-conditional")
            c = self.class_vectors(label) if class_vector is None else class_vector
            check_shape(c, (None, self.w_dim), "class_vector")
            parts.append(normalise_second_moment(c))
        x = torch.cat(parts, dim=1)
        for index in range(self.layers):
            x = self.get_submodule(f"fc{index}")(x)
        return x
