"""Right column, below the sliders: "New attribute", where users train one of their own.

The form is laid out when it is first opened: until then the page has one upload and one set of options, for everybody.
"""

from __future__ import annotations

import json

import gradio as gr

from editor_app import texts
from editor_app.handlers.own import MAX_BYTES, MAX_PICTURES, MAX_TABLE_BYTES
from editor_app.markup import text
from editor_app.panels.source import MAX_UPLOAD_BYTES
from engines.api import LEAST_EXAMPLES, PackInfo

__all__ = ["new_attribute_panel"]

_TEMPLATE = """<section class="lwe-panel lwe-new" aria-label="New attribute">
  <details data-part="new"><summary><h2>New attribute</h2></summary><div class="form" data-part="form"></div></details>
  <template data-part="form-template">
    <p class="hint">{about}</p>
    <div class="row"><label for="lwe-new-name">Attribute name</label>
      <input type="text" id="lwe-new-name" data-part="name" maxlength="40" autocomplete="off" placeholder="Party hat"></div>
    <fieldset class="row"><legend>Pictures</legend>
      <div class="segments">
        <label><input type="radio" name="lwe-new-kind" value="groups" checked><span>Two groups</span></label>
        <label><input type="radio" name="lwe-new-kind" value="table"><span>With a CSV</span></label>
      </div></fieldset>
    <div data-kind="groups">{with_it}{without}</div>
    <div data-kind="table" hidden>{pictures}
      <div class="files"><strong>CSV file</strong>
        <label class="pick"><input type="file" accept=".csv,text/csv" data-files="table" aria-label="CSV file of labels">
          <span>Choose</span></label>
        <output data-count="table"></output>
        <p class="hint">Its first line is <code>file,NAME</code>; then one line a picture, with 1 or 0.</p></div>
      <div class="row"><label for="lwe-new-column">Column</label>
        <input type="text" id="lwe-new-column" data-part="column" autocomplete="off" placeholder="the only new one"></div>
    </div>
    {cropped}
    <div class="actions"><button type="button" class="primary" data-part="train">Train</button>
      <button type="button" data-part="stop" disabled>Stop training</button></div>
    <div data-part="progress" hidden><p class="hint" role="status" data-part="training-text"></p>
      <div class="bar" role="progressbar" aria-label="Training" aria-valuemin="0" aria-valuemax="100" data-part="training-bar">
        <i></i></div></div>
    <img data-part="grid" alt="Pictures that the training has not seen, above as they are, below with the attribute" hidden>
    <div class="mine" data-part="mine" hidden><h3>Yours</h3><ul data-part="mine-list"></ul></div>
    <p class="hint">{kept}</p>
  </template>
</section>"""

_FILES = """<div class="files"><strong>{title}</strong>
        <label class="pick"><input type="file" accept="image/*" multiple data-files="{side}" aria-label="{title}: pictures">
          <span>Pictures</span></label>
        <label class="pick"><input type="file" webkitdirectory data-files="{side}" aria-label="{title}: a folder">
          <span>Folder</span></label>
        <output data-count="{side}"></output></div>"""

_CROPPED = """<label class="check"><input type="checkbox" data-part="aligned"> The pictures are cropped faces already, as this
      program writes them</label>"""


def new_attribute_panel(info: PackInfo) -> gr.HTML:
    """The closed panel; what it does lies in static/js/own.js."""
    config = {
        "maxPictures": MAX_PICTURES,
        "maxBytes": MAX_BYTES,
        "maxPictureBytes": MAX_UPLOAD_BYTES,
        "maxTableBytes": MAX_TABLE_BYTES,
        "least": LEAST_EXAMPLES,
        "tooMany": texts.TOO_MANY_PICTURES.format(most=MAX_PICTURES),
        "tooLarge": texts.PICTURES_TOO_LARGE.format(megabytes=MAX_BYTES // 2**20),
        "pictureTooLarge": texts.TOO_LARGE.format(megabytes=MAX_UPLOAD_BYTES // 2**20),
        "tableTooLarge": texts.TABLE_TOO_LARGE.format(name="That table", kilobytes=MAX_TABLE_BYTES // 1024),
        "noName": texts.NO_ATTRIBUTE_NAME,
        "tooFew": texts.TOO_FEW_PICTURES.format(least=LEAST_EXAMPLES),
        "noTable": texts.NO_TABLE,
        "uploadFailed": texts.UPLOAD_FAILED,
        "cancelled": texts.TRAINING_CANCELLED,
    }
    return gr.HTML(
        html_template=_TEMPLATE.format(
            about=text(texts.NEW_ATTRIBUTE.format(least=LEAST_EXAMPLES)),
            kept=text(texts.NEW_ATTRIBUTE_KEPT),
            with_it=_FILES.format(title="With it", side="having"),
            without=_FILES.format(title="Without it", side="lacking"),
            pictures=_FILES.format(title="All pictures", side="pictures"),
            cropped=_CROPPED if info.faces else "",
        ),
        js_on_load=f"window.lwe.mountOwn(element, {json.dumps(config)});",
        apply_default_css=False,
        elem_id="lwe-new",
    )
