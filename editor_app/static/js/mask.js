// Left panel: the object's rectangle over the picture, moved and resized by pointer or by keyboard.
window.lwe.mountMask = (element, changed) => {
  "use strict";
  const part = (name) => window.lwe.part(element, name);
  const frame = part("frame");
  const box = part("mask");
  const LEAST = 0.02;          // of the picture's side: a smaller rectangle could not be taken hold of again
  let sides = null;            // [x0, y0, x1, y1] in pixels of the picture
  let size = [1, 1];           // of the picture
  let editable = false;

  const limit = (value, low, high) => Math.min(Math.max(value, low), high);
  const span = (side) => size[side % 2];

  // The rectangle with some of its sides moved by whole pixels; all four keep its size.
  function moved(from, moving, [dx, dy]) {
    const shift = (side) => (side % 2 ? dy : dx);
    const next = [...from];
    if (moving.length === 4) {
      for (const axis of [0, 1]) {
        const by = limit(shift(axis), -from[axis], span(axis) - from[axis + 2]);
        next[axis] = Math.round(from[axis] + by);
        next[axis + 2] = next[axis] + from[axis + 2] - from[axis];
      }
      return next;
    }
    for (const side of moving) next[side] = bounded(next, side, from[side] + shift(side));
    return next;
  }

  // One side's new place, inside the picture and clear of the opposite side.
  function bounded(rectangle, side, value) {
    const least = Math.ceil(LEAST * span(side));
    const [low, high] = side < 2 ? [0, rectangle[side + 2] - least] : [rectangle[side - 2] + least, span(side)];
    return Math.round(limit(value, Math.min(low, high), high));
  }

  const movingOf = (target) => (target === box ? [0, 1, 2, 3] : target.dataset.corner.split(" ").map(Number));

  // ---- pointer ----
  box.addEventListener("pointerdown", (event) => {
    if (!editable || event.button !== 0) return;
    event.preventDefault();
    const target = event.target.closest("[data-corner]") || box;
    const from = sides;
    const shown = frame.getBoundingClientRect();
    target.focus({ preventScroll: true });
    target.setPointerCapture(event.pointerId);
    const drag = (move) => {
      const by = [(move.clientX - event.clientX) * size[0] / shown.width, (move.clientY - event.clientY) * size[1] / shown.height];
      changed(moved(from, movingOf(target), by));
    };
    const end = () => {
      target.removeEventListener("pointermove", drag);
      for (const name of ["pointerup", "pointercancel"]) target.removeEventListener(name, end);
    };
    target.addEventListener("pointermove", drag);
    for (const name of ["pointerup", "pointercancel"]) target.addEventListener(name, end);
  });

  // ---- keyboard: about a pixel of the screen, with Shift ten ----
  box.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!editable || !step || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const pixel = Math.max(1, Math.round(size[0] / frame.getBoundingClientRect().width)) * (event.shiftKey ? 10 : 1);
    changed(moved(sides, movingOf(event.target), step.map((direction) => direction * pixel)));
  });

  return {
    // Draws a rectangle, or none; only one that can be edited takes the pointer and the focus.
    show(rectangle, picture, canEdit) {
      sides = rectangle;
      editable = canEdit;
      box.hidden = !rectangle;
      frame.classList.toggle("masked", Boolean(rectangle));
      if (!rectangle) return;
      size = [picture.width, picture.height];
      const share = (side) => `${100 * rectangle[side] / span(side)}%`;
      Object.assign(box.style, { left: share(0), top: share(1) });
      box.style.width = `${100 * (rectangle[2] - rectangle[0]) / size[0]}%`;
      box.style.height = `${100 * (rectangle[3] - rectangle[1]) / size[1]}%`;
      box.classList.toggle("editable", editable);
      if (editable) box.tabIndex = 0; else box.removeAttribute("tabindex");
      for (const corner of box.children) corner.hidden = !editable;
    },
    bounded,
  };
};
