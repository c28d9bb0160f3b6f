"""Gradio's own parts (pop-up messages, the API page) in the page's colours and with the system's fonts: nothing is fetched."""

from __future__ import annotations

import gradio as gr

__all__ = ["page_theme"]

_FONTS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]
_MONO_FONTS = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]


def page_theme() -> gr.themes.Base:
    return gr.themes.Base(
        primary_hue=gr.themes.colors.indigo,
        neutral_hue=gr.themes.colors.zinc,
        radius_size=gr.themes.sizes.radius_lg,
        font=_FONTS,
        font_mono=_MONO_FONTS,
    )
