"""Packs: a generator with everything that belongs to it, as one folder of safetensors files under a manifest.

``manifest`` describes, ``components`` says how each part is built, ``load`` and ``registry`` open, ``write`` creates.
The manifest side needs no torch, so that listing packs is quick; nothing is imported here for the same reason.
"""
