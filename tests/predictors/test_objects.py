"""Class predictor and box detector: shapes, ranges, and overlaps against counted cells."""

from __future__ import annotations

import torch

from engines.core.rng import torch_generator
from engines.predictors.boxes import BoxDetector, box_overlap
from engines.predictors.classes import ClassPredictor

_CHANNELS = (8, 8, 16)


def _images(count: int = 3) -> torch.Tensor:
    return torch.rand(count, 3, 32, 32, generator=torch_generator(1)) * 2 - 1


def test_class_probabilities_are_the_tempered_softmax():
    torch.manual_seed(0)
    network = ClassPredictor(["a", "b", "c"], _CHANNELS, 16).eval()
    logits = network(_images())
    torch.testing.assert_close(network.probabilities(_images()), logits.exp() / logits.exp().sum(1, keepdim=True))
    network.temperature.fill_(4.0)
    softer = network.probabilities(_images())
    assert torch.equal(softer.argmax(1), logits.argmax(1)) and bool((softer.amax(1) < torch.softmax(logits, 1).amax(1)).all())
    torch.testing.assert_close(softer.sum(1), torch.ones(3))


def test_configurations_rebuild_the_networks():
    for network in (ClassPredictor(["a", "b"], _CHANNELS, 16), BoxDetector(_CHANNELS, 16)):
        again = type(network).from_config(network.config_json())
        again.load_state_dict(network.state_dict())
        assert again.config_json() == network.config_json()


def test_boxes_have_their_corners_in_order_whatever_the_weights():
    network = BoxDetector(_CHANNELS, 16).eval()
    torch.nn.init.normal_(network.output.weight, std=5.0)
    boxes = network(_images(20))
    assert boxes.shape == (20, 4) and bool((boxes[:, 2:] > boxes[:, :2]).all())
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    assert bool((centres >= 0).all() and (centres <= 1).all())


def test_overlap_is_that_of_counted_cells():
    """Corners on a grid of twentieths: areas can be counted cell by cell."""
    draw, cells = torch_generator(4), 20
    corners = torch.rand(60, 2, 2, 2, generator=draw).mul(cells).round().sort(dim=2).values
    corners[:, :, 1] = torch.maximum(corners[:, :, 1], corners[:, :, 0] + 1)
    boxes = corners.flatten(2) / cells
    iou, generalised = box_overlap(boxes[:, 0], boxes[:, 1])

    def filled(box: torch.Tensor) -> torch.Tensor:
        x0, y0, x1, y1 = (box * cells).round().int().tolist()
        mask = torch.zeros(cells + 1, cells + 1, dtype=torch.bool)
        mask[y0:y1, x0:x1] = True
        return mask

    for i in range(60):
        a, b = filled(boxes[i, 0]), filled(boxes[i, 1])
        union, both = int((a | b).sum()), int((a & b).sum())
        assert abs(float(iou[i]) - both / union) < 1e-4
        ys, xs = torch.nonzero(a | b, as_tuple=True)
        around = int((ys.max() - ys.min() + 1) * (xs.max() - xs.min() + 1))
        assert abs(float(generalised[i]) - (both / union - (around - union) / around)) < 1e-4
    same, generalised_same = box_overlap(boxes[:, 0], boxes[:, 0])
    torch.testing.assert_close(same, torch.ones(60))
    torch.testing.assert_close(generalised_same, torch.ones(60))
