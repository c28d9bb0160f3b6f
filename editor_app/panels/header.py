"""The strip on top: what this is, and light or dark."""

from __future__ import annotations

import gradio as gr

from editor_app.markup import text
from editor_app.panels.icons import icon
from engines.api import PackInfo

__all__ = ["header_panel"]

_TEMPLATE = """<header class="lwe-header">
  <div class="brand">{logo}<div><h1>Latent Wasserstein Editor</h1>
    <p>Change one thing about {thing}. See what else changed.</p></div></div>
  <div class="tools"><span class="pack" title="{title}">{pack}</span>
  <button type="button" class="quiet" data-part="theme" aria-label="Switch between light and dark">{theme}</button></div>
</header>"""

_SCRIPT = """
const dark = () => document.body.classList.contains("dark");
const keep = (theme) => { try { localStorage.setItem("lwe-theme", theme); } catch (error) { /* private window */ } };
let kept = null;
try { kept = localStorage.getItem("lwe-theme"); } catch (error) { /* private window */ }
if (kept) document.body.classList.toggle("dark", kept === "dark");
element.querySelector("[data-part=theme]").addEventListener("click", () => {
  document.body.classList.toggle("dark");
  keep(dark() ? "dark" : "light");
});
"""


def header_panel(info: PackInfo) -> gr.HTML:
    return gr.HTML(
        html_template=_TEMPLATE.format(
            logo=icon("logo"),
            theme=icon("theme"),
            pack=text(f"{info.title} · {info.resolution} px"),
            title=text(info.id),
            thing="an object" if info.classes else "a face" if info.identity else "a picture",
        ),
        js_on_load=_SCRIPT,
        apply_default_css=False,
        elem_id="lwe-header",
    )
