"""Right panel: a slider for every attribute beside what the image predictor sees of it."""

from __future__ import annotations

import gradio as gr

from editor_app import texts
from editor_app.markup import text
from editor_app.panels.icons import icon
from engines.api import GROUND_GROUP, AttributeInfo, PackInfo

__all__ = ["attributes_panel", "stride"]

_TEMPLATE = """<section class="lwe-panel lwe-attributes idle" aria-label="Attributes">
  <div class="heading"><h2>Attributes</h2><button type="button" data-part="reset-all" disabled>Reset all</button></div>
  <div class="summary">
    {identity}<div role="status"><span>Changed</span><strong data-part="changes">nothing yet</strong></div>
  </div>
  {families}{as_needed}{groups}
  <details open data-part="own" hidden><summary><h3>{own}</h3></summary><div data-part="own-rows"></div>
    <p class="hint">{own_reading}</p></details>
  <template data-part="own-row">{own_row}</template>
  <p class="hint">Under each slider: how sure an image classifier is that the attribute is there, before → now.
  A mark on the slider shows the strength that changes most pictures.</p>
</section>"""

_IDENTITY = """<div><span>Same person</span><strong data-part="identity">–</strong>
      <div class="meter" data-part="identity-meter"><i></i></div></div>
    """

_FAMILIES = """<div class="family">
    <label for="lwe-family">Edit family</label>
    <select id="lwe-family" data-part="family" aria-describedby="lwe-family-hint">{choices}</select>
    <p class="hint" id="lwe-family-hint">The method that the sliders edit by.</p>
  </div>
  """

_FAMILY = '<option value="{name}" title="{title}" data-attributes="{attributes}">{name}</option>'

_AS_NEEDED = """<div class="as-needed">
    <label class="check"><input type="checkbox" data-part="as-needed" checked aria-describedby="lwe-as-needed-hint">
    Only as far as needed</label>
    <p class="hint" id="lwe-as-needed-hint">Nothing is removed that is not there, and little is added to what is.
    Switch it off to go all the way.</p>
  </div>
  """

_GROUP = "<details open><summary><h3>{name}</h3></summary>{rows}</details>"

_GROUND_HINT = '<p class="hint" role="status" data-part="ground-hint" hidden>{stays}</p>'

_ROW = """<div class="attribute" data-attribute="{id}">
  <div class="line"><label for="lwe-a-{id}">{name}</label><output for="lwe-a-{id}">0</output>
  <button type="button" class="quiet" aria-label="Reset {name}" disabled>{reset}</button></div>
  <div class="track"><input type="range" id="lwe-a-{id}" aria-label="{name}" min="{low}" max="{high}" step="any" value="0"
   data-stride="{stride}" disabled>{marks}</div>
  <div class="reading"><div class="meter"><i></i><b></b></div>
  <span><span class="was">–</span> → <span class="now">–</span></span><em>changed</em></div>
</div>"""


def attributes_panel(info: PackInfo) -> gr.HTML:
    """Groups in the page's order; a group that texts.GROUPS does not know comes last under its own name.

    How much it is still the same person is shown for packs that can tell, the choice of family for packs that have several.
    """
    groups = [*texts.GROUPS, *sorted({attribute.group for attribute in info.attributes} - set(texts.GROUPS))]
    blocks = []
    # Those that users trained come from the page's script, whenever they come.
    attributes = [attribute for attribute in info.attributes if not attribute.own]
    for group in groups:
        rows = "".join(_row(attribute) for attribute in attributes if attribute.group == group)
        if rows and group == GROUND_GROUP:
            rows += _GROUND_HINT.format(stays=text(texts.GROUND_STAYS.format(crop=texts.crop_view(info))))
        if rows:
            blocks.append(_GROUP.format(name=text(texts.GROUPS.get(group, group.capitalize())), rows=rows))
    return gr.HTML(
        html_template=_TEMPLATE.format(
            groups="".join(blocks),
            families=_families(info),
            # Steps between levels end by themselves where there is nothing more.
            as_needed="" if all(attribute.ordered for attribute in attributes) else _AS_NEEDED,
            identity=_IDENTITY if info.identity else "",
            own=text(texts.OWN_GROUP),
            own_reading=text(texts.OWN_READING),
            own_row=_row(AttributeInfo("", "", "", -1.0, 1.0, 1.0, own=True), marks=False),
        ),
        js_on_load="window.lwe.mountAttributes(element);",
        apply_default_css=False,
        elem_id="lwe-attributes",
    )


def stride(low: float, high: float) -> float:
    """One press of an arrow key: about a fortieth of the range, as a number that people count in."""
    return min((0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0), key=lambda step: abs(step - (high - low) / 40))


def _families(info: PackInfo) -> str:
    """The list of edit families, each with the ids of what it can edit; nothing where there is no choice."""
    if len(info.families) < 2:
        return ""
    choices = [
        _FAMILY.format(name=text(family.name), title=text(family.title), attributes=text(" ".join(family.attributes)))
        for family in info.families
    ]
    return _FAMILIES.format(choices="".join(choices))


def _row(attribute: AttributeInfo, *, marks: bool = True) -> str:
    low, high, calibrated = attribute.alpha_min, attribute.alpha_max, attribute.calibrated_alpha
    shares = [(alpha - low) / (high - low) for alpha in (-calibrated, 0.0, calibrated) if low < alpha < high]
    return _ROW.format(
        id=text(attribute.id),
        name=text(attribute.name),
        low=low,
        high=high,
        stride=stride(low, high),
        reset=icon("reset"),
        marks="".join(f'<i class="mark" style="--at:{share:.4f}" aria-hidden="true"></i>' for share in shares if marks),
    )
