"""Edits of W+ codes: affine maps per attribute and direction."""
