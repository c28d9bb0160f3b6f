"""Losses as pure functions ``(prediction, target) -> [N]``; the networks that they need are passed in."""
