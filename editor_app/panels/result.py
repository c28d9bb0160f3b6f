"""Centre: the picture, what it was before, progress and notices. Also the page's only channel to the server."""

from __future__ import annotations

from collections.abc import Callable

import gradio as gr

from editor_app import texts
from editor_app.markup import text
from editor_app.panels.icons import icon
from engines.api import BLENDS, PackInfo

__all__ = ["result_panel"]

_TEMPLATE = """<section class="lwe-panel lwe-result" aria-label="Result">
  <div class="toolbar">
    <div class="segments" role="radiogroup" aria-label="View" data-part="views" hidden>
      <label><input type="radio" name="lwe-view" data-view="photo"><span>Whole photo</span></label>
      <label><input type="radio" name="lwe-view" data-view="crop"><span>{crop}</span></label>
    </div>
    <div class="tools">
      <button type="button" data-part="compare" aria-pressed="false" disabled>{compare}<span>Hold to compare</span></button>
      <button type="button" class="primary" data-part="download" disabled>{download}<span>Download</span></button>
    </div>
  </div>
  <div class="notices" data-part="notices"></div>
  <div class="stage" data-part="stage">
    <img class="shown" alt="Result" data-part="result" aria-busy="false" draggable="false" hidden>
    <img alt="Preview while the inversion runs" data-part="preview" hidden>
    <img alt="Before the edit" data-part="before" draggable="false" hidden>
    <span class="tag" aria-hidden="true">Before</span>
    <div class="empty" data-part="empty">{face}<p data-part="empty-text" data-start="{start}">{start}</p></div>
    <div class="job" data-part="job" hidden>
      <p data-part="job-text"></p>
      <div class="bar" role="progressbar" aria-label="Progress" aria-valuemin="0" aria-valuemax="100" data-part="bar">
        <i></i></div>
    </div>
  </div>
  <div class="foot">
    <p class="facts" data-part="facts"></p>
    <div class="blend" data-part="blending" hidden>
      <p class="hint" id="lwe-blend-hint" data-part="blend-hint">{slow_blend}</p>
      <label for="lwe-blend">Blend</label>
      <select id="lwe-blend" data-part="blend" aria-describedby="lwe-blend-hint">{blends}</select>
    </div>
  </div>
  <p class="unseen" role="status" data-part="status"></p>
</section>"""


def result_panel(server_functions: list[Callable], info: PackInfo) -> gr.HTML:
    """The component carries the event `work` (a job is ordered) and receives the job's messages as its value.

    server_functions: what build.py hands in by name, each taking [session hash, wanted state].
    """
    return gr.HTML(
        value="",
        html_template=_TEMPLATE.format(
            compare=icon("compare"),
            download=icon("download"),
            face=icon("face"),
            slow_blend=text(texts.SLOW_BLEND),
            blends="".join(f'<option value="{blend}">{text(texts.BLENDS.get(blend, blend))}</option>' for blend in BLENDS),
            start=text(texts.OBJECT_START if info.classes else texts.START if info.identity else texts.PICTURE_START),
            crop=text(texts.crop_view(info)),
        ),
        js_on_load="window.lwe.mountResult(element, trigger, props, server, upload, watch); /* event: 'work' */",
        server_functions=server_functions,
        apply_default_css=False,
        elem_id="lwe-result",
    )
