"""Left panel: where a picture comes from and how it is inverted."""

from __future__ import annotations

import json

import gradio as gr

from editor_app import texts
from editor_app.examples import Example
from editor_app.markup import text
from editor_app.methods import GROUPS, Method, offered
from editor_app.panels.icons import icon
from editor_app.panels.options import MASK, options_part
from engines.api import PackInfo

__all__ = ["MAX_UPLOAD_BYTES", "source_panel"]

MAX_UPLOAD_BYTES = 25 * 2**20

_TEMPLATE = """<section class="lwe-panel lwe-source" aria-label="Picture">
  <div class="group">
    <h2>Picture</h2>
    <figure class="photo" data-part="photo" hidden>
      <div class="frame" data-part="frame"><img data-part="image" alt="The picture you opened"><div data-part="boxes"></div>
        {mask}</div>
      <figcaption data-part="caption"></figcaption>
    </figure>
    <div class="kept" data-part="kept-this" hidden><p class="hint">{kept_of_this}</p>
      <button type="button" class="quiet" data-part="forget" aria-label="Forget this picture">Forget</button></div>
    <p class="hint" data-part="aside" hidden>You are editing a made-up {made_up}. Invert brings your picture back.</p>
    <button type="button" class="primary wide" data-part="whole" hidden>Use the whole picture</button>
    <div class="chips" role="radiogroup" aria-label="What to edit" data-part="chips" hidden></div>
    <label class="drop" data-part="drop">
      <input type="file" accept="image/*" aria-label="Upload a picture" data-part="file">
      {upload}<span class="long"><strong>Drop a photo here</strong> or <u>browse</u>. Pasting works too.</span>
      <span class="short">Another picture</span>
    </label>
  </div>
  <div class="group">
    <div class="field">
      <label for="lwe-method">Inversion method</label>
      <select id="lwe-method" data-part="method" aria-describedby="lwe-method-hint">{methods}</select>
      <p class="hint" id="lwe-method-hint" data-part="method-hint">{hint}</p>
    </div>
    {options}
    <div class="actions">
      <button type="button" class="primary" data-part="invert">Invert</button>
      <button type="button" data-part="cancel" disabled>Cancel</button>
    </div>
    <div class="or">{classes}<button type="button" class="wide" data-part="surprise">{spark}Surprise me</button></div>
  </div>
  <div class="group">
    {examples}
    <div><p class="hint">{privacy}</p>
      <details data-part="kept"><summary>What is kept</summary><p>{kept}</p><p data-part="stored"></p></details></div>
  </div>
</section>"""

_EXAMPLE = (
    '<li><button type="button" data-example="{id}" aria-label="Example: {caption}" title="{title}">'
    '<img src="example/{id}" alt="" loading="lazy" width="72" height="72"></button></li>'
)


_CLASSES = """<div class="choice"><label for="lwe-surprise-class">Class</label>
    <select id="lwe-surprise-class" data-part="surprise-class"><option value="">Any</option>{choices}</select></div>"""


def source_panel(info: PackInfo, examples: tuple[Example, ...], default_method: str) -> gr.HTML:
    """Upload, faces, examples, method, and the buttons Invert, Cancel and Surprise me."""
    methods = offered(info.methods)
    config = {
        "maxBytes": MAX_UPLOAD_BYTES,
        "tooLarge": texts.TOO_LARGE.format(megabytes=MAX_UPLOAD_BYTES // 2**20),
        "emptyFile": texts.EMPTY_FILE,
        "uploadFailed": texts.UPLOAD_FAILED,
    }
    return gr.HTML(
        html_template=_TEMPLATE.format(
            upload=icon("upload"),
            spark=icon("spark"),
            methods=_choices(methods, default_method),
            hint=text(methods[default_method].hint),
            mask=MASK,
            options=options_part(info.spaces, objects=info.finds_objects),
            classes=_classes(info),
            made_up="one" if info.classes else "person" if info.identity else "picture",
            examples=_examples(examples),
            privacy=text(texts.PRIVACY),
            kept=text(texts.KEPT),
            kept_of_this=text(texts.KEPT_OF_THIS),
        ),
        js_on_load=f"window.lwe.mountSource(element, {json.dumps(config)});",
        apply_default_css=False,
        elem_id="lwe-source",
    )


def _choices(methods: dict[str, Method], default: str) -> str:
    """The list's entries under the headings of their groups."""
    parts = []
    for group, heading in GROUPS.items():
        rows = [_choice(name, method, name == default) for name, method in methods.items() if method.group == group]
        if rows:
            parts.append(f'<optgroup label="{text(heading)}">{"".join(rows)}</optgroup>')
    return "".join(parts)


def _choice(name: str, method: Method, selected: bool) -> str:
    return (
        f'<option value="{text(name)}" data-hint="{text(method.hint)}" data-uses="{" ".join(sorted(method.uses))}"'
        f"{' selected' if selected else ''}>{text(method.name)}</option>"
    )


def _classes(info: PackInfo) -> str:
    """Of which class Surprise me makes one; nothing for a pack without classes."""
    choices = "".join(f'<option value="{text(row.id)}">{text(row.name)}</option>' for row in info.classes)
    return _CLASSES.format(choices=choices) if choices else ""


def _examples(examples: tuple[Example, ...]) -> str:
    if not examples:
        return ""
    items = "".join(
        _EXAMPLE.format(
            id=text(example.id),
            caption=text(example.caption),
            title=text(f"{example.caption}. {example.credit}" if example.credit else example.caption),
        )
        for example in examples
    )
    credits = "".join(f"<p>{text(credit)}</p>" for credit in dict.fromkeys(example.credit for example in examples) if credit)
    about = f"<details><summary>Where these come from</summary>{credits}</details>" if credits else ""
    return f'<h3>Examples</h3><ul class="examples">{items}</ul>{about}'
