"""Left panel, "More options": how the chosen method works, and the object's rectangle over the picture."""

from __future__ import annotations

from editor_app.handlers.inverting import MAX_SECONDS
from editor_app.markup import text

__all__ = ["MASK", "options_part"]

SPACES = {"z": "Z", "w": "W", "w+": "W+"}
"""Latent space -> name in the list."""
TRANSFORMS = {"none": "None", "spatial": "Spatial", "colour": "Colour", "both": "Both"}

MASK = """<div class="mask" data-part="mask" role="group" aria-label="Object mask, move it with the arrow keys" hidden>
        <button type="button" data-corner="0 1" aria-label="Top left corner of the mask"></button>
        <button type="button" data-corner="2 1" aria-label="Top right corner of the mask"></button>
        <button type="button" data-corner="0 3" aria-label="Bottom left corner of the mask"></button>
        <button type="button" data-corner="2 3" aria-label="Bottom right corner of the mask"></button>
      </div>"""
"""The rectangle over the picture; a corner names the two sides of (x0, y0, x1, y1) that it moves."""

_TEMPLATE = """<details class="options" data-part="options"{usual}>
    <summary>More options<span class="count" data-part="options-count"></span></summary>
    <div class="rows">
      <p class="hint" data-part="options-unused" hidden>This method has no options.</p>
      <fieldset class="row" data-option="mask">
        <legend>Object mask</legend>
        <div class="segments">
          <label><input type="radio" name="lwe-mask" value="none" checked><span>None</span></label>
          <label><input type="radio" name="lwe-mask" value="auto"><span>Detected</span></label>
          <label><input type="radio" name="lwe-mask" value="own"><span>Rectangle</span></label>
        </div>
        <p class="hint" data-part="mask-hint"></p>
        <div class="sides" role="group" aria-label="Sides of the mask in pixels" data-part="sides" hidden>
          <label>Left<input type="number" data-side="0"></label><label>Top<input type="number" data-side="1"></label>
          <label>Right<input type="number" data-side="2"></label><label>Bottom<input type="number" data-side="3"></label>
        </div>
      </fieldset>
      <div class="row" data-option="outside_weight" hidden>
        <label for="lwe-outside">Weight outside</label>
        <input type="number" id="lwe-outside" data-part="outside_weight" min="0" max="1" step="0.05" placeholder="0 to 1"
         inputmode="decimal">
      </div>
      <div class="row" data-option="seconds">
        <label for="lwe-seconds">Time limit (s)</label>
        <input type="number" id="lwe-seconds" data-part="seconds" min="0.5" max="{max_seconds}" step="any" placeholder="default"
         inputmode="decimal">
      </div>
      <div class="row" data-option="space">
        <label for="lwe-space">Latent space</label>
        <select id="lwe-space" data-part="space" aria-describedby="lwe-space-hint">
          <option value="">Default</option>{spaces}</select>
        <p class="hint" id="lwe-space-hint">Z stays most typical, W+ comes closest.</p>
      </div>
      <div class="row" data-option="transform">
        <label for="lwe-transform">Transform</label>
        <select id="lwe-transform" data-part="transform" aria-describedby="lwe-transform-hint">{transforms}</select>
        <p class="hint" id="lwe-transform-hint">Searches how to move, scale or brighten the picture so that it fits the
        generator.</p>
      </div>
      <div class="row" data-option="encoder_start">
        <label class="check"><input type="checkbox" data-part="encoder_start" checked> Start from the encoder</label>
      </div>
      <button type="button" class="quiet" data-part="options-reset" disabled>Back to defaults</button>
    </div>
  </details>"""


# Objects lie anywhere in their pictures: unless the user says otherwise, they are found and brought to the middle.
_OBJECT_USUAL = ' data-thing="object" data-mask="auto" data-transform="both"'


def options_part(spaces: tuple[str, ...], *, objects: bool = False) -> str:
    """The closed part under the method; `spaces` are the pack's, `objects` says whether it finds them in pictures."""
    return _TEMPLATE.format(
        usual=_OBJECT_USUAL if objects else "",
        max_seconds=MAX_SECONDS,
        spaces=_choices({space: SPACES.get(space, space) for space in spaces}),
        transforms=_choices(TRANSFORMS),
    )


def _choices(names: dict[str, str]) -> str:
    return "".join(f'<option value="{text(value)}">{text(name)}</option>' for value, name in names.items())
