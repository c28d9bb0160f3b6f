"""Right column, for packs with classes: of which class the object is, and what can be changed of it as a whole."""

from __future__ import annotations

import gradio as gr

from editor_app.markup import text
from editor_app.panels.attributes import stride
from editor_app.panels.icons import icon
from engines.api import PackInfo

__all__ = ["objects_panel"]

_TEMPLATE = """<section class="lwe-panel lwe-attributes lwe-objects idle" aria-label="Object">
  <div class="heading"><h2>Object</h2></div>
  {readout}
  <div class="family">
    <label for="lwe-class">Target class</label>
    <select id="lwe-class" data-part="class" aria-describedby="lwe-class-hint" disabled>
      <option value="">Its own</option>{classes}</select>
    <p class="hint" id="lwe-class-hint">What the object turns into; the rest of the picture stays as near as it can.</p>
  </div>
  <div>{rows}</div>
  <p class="hint">{hint}</p>
</section>"""

_READOUT = """<div class="summary"><div role="status"><span>Class</span><strong data-part="class-now">–</strong>
    <ul data-part="class-rows" aria-label="Most probable classes"></ul></div></div>"""

_ROW = """<div class="attribute" data-control="{id}">
  <div class="line"><label for="lwe-o-{id}">{name}</label><output for="lwe-o-{id}"></output>
  <button type="button" class="quiet" aria-label="Reset {name}" disabled>{reset}</button></div>
  <div class="track"><input type="range" id="lwe-o-{id}" aria-label="{name}" min="{low}" max="{high}" step="any" value="{still}"
   data-still="{still}" data-stride="{stride}" data-most="{most}" disabled>
   <i class="mark" style="--at:{at:.4f}" aria-hidden="true"></i></div>
</div>"""

# Nearer to the mean code of a class the generator has learned nothing: of some classes that is no object any more.
_LEAST_TRUNCATION = 0.5
_HINT = "Truncation takes the object towards the average of its class."
_STEERING_HINT = (
    "Shift and zoom ask the generator to paint the object elsewhere or of another size, a little, as far as it knows how."
)


def objects_panel(info: PackInfo) -> gr.HTML:
    """The read-out for packs that can tell classes, shift and zoom for packs that have directions for them."""
    rows = [_row("class_alpha", "Class morph", 0.0, 1.0, 0.0)]
    if info.steering is not None:
        most = info.steering.shift_most
        rows += [_row("shift_x", "Shift x", -most, most, 0.0), _row("shift_y", "Shift y", -most, most, 0.0)]
        # The slider counts in logarithms of the largest factor: half as large is as far as twice as large.
        rows.append(_row("zoom", "Zoom", -1.0, 1.0, 0.0, most=info.steering.zoom_most))
    rows.append(_row("truncation", "Truncation", _LEAST_TRUNCATION, 1.0, 1.0))
    return gr.HTML(
        html_template=_TEMPLATE.format(
            readout=_READOUT if info.class_readout else "",
            classes="".join(f'<option value="{text(row.id)}">{text(row.name)}</option>' for row in info.classes),
            rows="".join(rows),
            hint=text(_HINT if info.steering is None else f"{_HINT} {_STEERING_HINT}"),
        ),
        js_on_load="window.lwe.mountObjects(element);",
        apply_default_css=False,
        elem_id="lwe-objects",
    )


def _row(control: str, name: str, low: float, high: float, still: float, most: float = 1.0) -> str:
    return _ROW.format(
        id=control,
        name=text(name),
        low=low,
        high=high,
        still=still,
        stride=stride(low, high),
        most=most,
        reset=icon("reset"),
        at=(still - low) / (high - low),
    )
