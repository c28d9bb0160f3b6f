// Right column, for packs with classes: class read-out, class morph, shift, zoom and truncation of the object.
window.lwe.mountObjects = (element) => {
  "use strict";
  const lwe = window.lwe;
  const part = (name) => lwe.part(element, name);
  const SHOWN_CLASSES = 3;
  const choice = part("class");
  const nameOf = (id) => [...choice.options].find((option) => option.value === id)?.textContent || id;
  const percent = (share) => `${Math.round(100 * share)} %`;
  const signedPercent = (share) => (share === 0 ? "0" : `${share > 0 ? "+" : "−"}${Math.abs(100 * share).toFixed(0)} %`);
  const rounded = (value) => Math.round(1000 * value) / 1000;

  const rows = Object.fromEntries([...element.querySelectorAll("[data-control]")].map((row) => [row.dataset.control, {
    row, input: row.querySelector("input"), output: row.querySelector("output"), reset: row.querySelector("button"),
  }]));
  const most = Number(rows.zoom?.input.dataset.most);

  // Every slider as a view of the object's edit: its value, that value in words, and the edit with another value.
  const views = {
    class_alpha: {
      value: (object) => object.class_alpha ?? 0,
      words: percent,
      set: (object, value) => ({ ...object, class_alpha: rounded(value) }),
    },
    shift_x: shiftView(0),
    shift_y: shiftView(1),
    zoom: {
      value: (object) => Math.log(object.zoom ?? 1) / Math.log(most),
      words: (value) => `× ${(most ** value).toFixed(2)}`,
      set: (object, value) => ({ ...object, zoom: rounded(most ** value) }),
    },
    truncation: {
      value: (object) => object.truncation ?? 1,
      words: (value) => value.toFixed(2),
      set: (object, value) => ({ ...object, truncation: rounded(value) }),
    },
  };

  function shiftView(axis) {
    return {
      value: (object) => object.shift?.[axis] ?? 0,
      words: signedPercent,
      set: (object, value) => ({ ...object, shift: [0, 1].map((each) => (each === axis ? rounded(value) : object.shift?.[each] ?? 0)) }),
    };
  }

  // What is as it was is left out, as the server leaves it out.
  function change(object) {
    const kept = { ...object };
    if (kept.shift?.every((amount) => amount === 0)) delete kept.shift;
    for (const name of ["zoom", "truncation"]) if (kept[name] === 1) delete kept[name];
    if (!kept.class) { delete kept.class; delete kept.class_alpha; }
    lwe.setObject(kept);
  }

  const set = (id, value) => change(views[id].set(lwe.state.object, value));

  for (const [id, { input, reset }] of Object.entries(rows)) {
    const still = Number(input.dataset.still);
    lwe.listenToSlider(input, { still, value: () => views[id].value(lwe.state.object), set: (value) => set(id, value) });
    reset.addEventListener("click", () => {
      if (id === "class_alpha") change({ ...lwe.state.object, class: undefined });
      else set(id, still);
      input.focus();
    });
  }

  choice.addEventListener("change", () => {
    const { class_alpha: alpha } = lwe.state.object;
    // A class that is chosen is seen at once; the slider then goes back towards the object's own.
    change({ ...lwe.state.object, class: choice.value || undefined, class_alpha: alpha || 1 });
  });

  function draw() {
    const { object } = lwe.state;
    const usable = lwe.state.phase === "working" || lwe.state.phase === "ready";
    element.firstElementChild.classList.toggle("idle", !usable);
    choice.value = object.class || "";
    choice.disabled = !usable;
    for (const [id, { row, input, output, reset }] of Object.entries(rows)) {
      const value = views[id].value(object);
      const still = Number(input.dataset.still);
      // A slider counts in thousandths, a logarithm of one does not come back exactly.
      if (Math.abs(Number(input.value) - value) > 1e-3) input.value = value;
      lwe.fillSlider(input, { still, value, words: views[id].words(value) });
      lwe.write(output, views[id].words(value));
      input.disabled = !usable || (id === "class_alpha" && !object.class);
      const moved = id === "class_alpha" ? Boolean(object.class) : Math.abs(value - still) > 1e-6;
      reset.disabled = !moved;
      row.classList.toggle("moved", moved);
    }
    if (!lwe.state.result) drawClasses(null);
  }

  // classes: {id: [before, after]}
  function drawClasses(classes) {
    if (!part("class-now")) return;      // the pack tells no classes
    const table = Object.entries(classes || {});
    const top = (when) => table.reduce((best, row) => (row[1][when] > best[1][when] ? row : best), table[0]);
    const told = (when) => { const [id, shares] = top(when); return `${nameOf(id)} ${percent(shares[when])}`; };
    const changed = table.length && top(0)[0] !== top(1)[0];
    part("class-now").textContent = !table.length ? "–" : changed ? `${told(0)} → ${told(1)}` : told(1);
    const shown = table.sort((a, b) => b[1][1] - a[1][1]).slice(0, SHOWN_CLASSES);
    part("class-rows").replaceChildren(...shown.map(([id, [before, after]]) => {
      const row = document.createElement("li");
      const meter = Object.assign(document.createElement("div"), { className: "meter" });
      meter.append(document.createElement("i"), document.createElement("b"));
      meter.style.setProperty("--was", before);
      meter.style.setProperty("--now", after);
      row.append(Object.assign(document.createElement("span"), { textContent: nameOf(id) }), meter,
        Object.assign(document.createElement("span"), { textContent: `${percent(before)} → ${percent(after)}` }));
      return row;
    }));
  }

  lwe.on("edits", draw);
  lwe.on("change", draw);
  lwe.on("painted", ({ classes }) => drawClasses(classes));
  draw();
};
