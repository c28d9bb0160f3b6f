"""Encoders: image to W+."""
