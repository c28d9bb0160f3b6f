// Right panel: one slider per attribute, and what the predictors see.
window.lwe.mountAttributes = (element) => {
  "use strict";
  const lwe = window.lwe;
  const part = (name) => lwe.part(element, name);
  const identity = part("identity"); // missing where the pack shows no persons
  const showIdentity = (share) => {
    if (!identity) return;
    lwe.write(identity, share === null ? "–" : percent(Math.max(0, share)));
    part("identity-meter").style.setProperty("--now", Math.max(0, share ?? 0));
  };
  const parts = (row, own = false) => ({
    id: row.dataset.attribute,
    own,
    row,
    input: row.querySelector("input"),
    value: row.querySelector("output"),
    reset: row.querySelector("button"),
    was: row.querySelector(".was"),
    now: row.querySelector(".now"),
    meter: row.querySelector(".meter"),
    verdict: row.querySelector(".reading em"),
    name: row.querySelector("label").textContent,
  });
  let rows = [...element.querySelectorAll("[data-attribute]")].map((row) => parts(row));
  const percent = (share) => `${Math.round(100 * share)} %`;
  const signed = (strength) => (strength === 0 ? "0" : `${strength > 0 ? "+" : "−"}${Math.abs(strength).toFixed(2)}`);

  // While a hand drags one slider all others stand still: drawing them too would take the time that its pictures need.
  function drawSlider(parts) {
    const { id, input, value, reset, row } = parts;
    const strength = lwe.state.edits[id] || 0;
    if (Number(input.value) !== strength) input.value = strength;
    if (parts.drawn === strength) return;
    parts.drawn = strength;
    lwe.fillSlider(input, { value: strength, words: signed(strength) });
    value.textContent = signed(strength);
    reset.disabled = strength === 0;
    row.classList.toggle("moved", strength !== 0);
  }

  function set(id, strength) {
    lwe.setEdits({ ...lwe.state.edits, [id]: Math.round(1000 * strength) / 1000 });
  }

  function listen({ id, input, reset }) {
    lwe.listenToSlider(input, { set: (strength) => set(id, strength) });
    reset.addEventListener("click", () => { set(id, 0); input.focus(); });
  }
  rows.forEach(listen);
  part("reset-all").addEventListener("click", () => lwe.setEdits({}, {}));

  // ---- attributes that users trained: they come and go while the page is open ----
  function ownRow({ id, name, low, high, calibrated, stride }) {
    const row = part("own-row").content.firstElementChild.cloneNode(true);
    row.dataset.attribute = id;
    row.querySelector("label").textContent = name;
    row.querySelector("button").setAttribute("aria-label", `Reset ${name}`);
    const input = row.querySelector("input");
    Object.assign(input, { id: `lwe-own-${id}`, min: low, max: high });
    input.setAttribute("aria-label", name);
    input.dataset.stride = stride;
    for (const kind of ["label", "output"]) row.querySelector(kind).setAttribute("for", input.id);
    const marks = [-calibrated, 0, calibrated].filter((alpha) => low < alpha && alpha < high).map((alpha) => {
      const mark = Object.assign(document.createElement("i"), { className: "mark" });
      mark.setAttribute("aria-hidden", "true");
      mark.style.setProperty("--at", (alpha - low) / (high - low));
      return mark;
    });
    row.querySelector(".track").append(...marks);
    return row;
  }

  lwe.on("own", (edits) => {
    const there = rows.filter((row) => row.own);
    const stay = there.filter((row) => edits.some((edit) => edit.id === row.id && edit.name === row.name));
    for (const { row } of there.filter((each) => !stay.includes(each))) row.remove();
    rows = [...rows.filter((row) => !row.own), ...stay];
    for (const edit of edits.filter(({ id }) => !stay.some((row) => row.id === id))) {
      const row = ownRow(edit);
      part("own-rows").append(row);
      const added = parts(row, true);
      rows.push(added);
      listen(added);
      drawSlider(added);
    }
    part("own").hidden = !edits.length;
    enable();
  });

  // ---- family ----
  const family = part("family"); // missing where the pack has only one
  const editable = () => family?.selectedOptions[0].dataset.attributes.split(" ");
  family?.addEventListener("change", () => {
    // What a title tells only a mouse.
    element.querySelector("#lwe-family-hint").textContent = `${family.selectedOptions[0].title}.`;
    // Users' own attributes are edited beside any family.
    lwe.setFamily(family.selectedIndex ? family.value : null, [...editable(), ...rows.filter((row) => row.own).map((row) => row.id)]);
  });

  // Missing where every attribute counts levels.
  part("as-needed")?.addEventListener("change", ({ target }) => lwe.setAsNeeded(target.checked));

  // Seamless blending takes the ground from the photo: without a word a background slider would seem to be broken.
  const groundHint = part("ground-hint"); // missing where no slider is of the background
  function drawGroundHint() {
    if (!groundHint) return;
    const ground = [...groundHint.parentElement.querySelectorAll("[data-attribute]")];
    const moved = ground.some((row) => lwe.state.edits[row.dataset.attribute]);
    const blend = lwe.goal()?.blend;
    groundHint.hidden = !moved || !blend || blend === lwe.QUICK_BLEND;
  }

  lwe.on("edits", () => {
    rows.forEach(drawSlider);
    part("reset-all").disabled = !lwe.edited();
    drawGroundHint();
  });

  function clearReadings() {
    element.firstElementChild.classList.remove("read");
    for (const { row, was, now } of rows) {
      was.textContent = now.textContent = "–";
      row.classList.remove("changed", "shifted", "already");
    }
    showIdentity(null);
    part("changes").textContent = "nothing yet";
  }

  function enable() {
    const usable = lwe.state.phase === "working" || lwe.state.phase === "ready";
    element.firstElementChild.classList.toggle("idle", !usable);
    const known = editable();
    for (const { id, own, input } of rows) input.disabled = !usable || Boolean(!own && known && !known.includes(id));
  }

  lwe.on("change", () => {
    enable();
    drawGroundHint();
    if (!lwe.state.result) clearReadings();
  });

  lwe.on("painted", ({ attributes, identity: share }) => {
    const changed = [];
    element.firstElementChild.classList.add("read");
    for (const { id, own, row, was, now, meter, name, verdict } of rows) {
      if (!attributes[id]) continue;     // trained since the picture was painted
      const [before, after, flipped, levelBefore, levelAfter] = attributes[id];
      lwe.write(was, levelBefore ?? percent(before));
      lwe.write(now, levelAfter ?? percent(after));
      meter.style.setProperty("--was", before);
      meter.style.setProperty("--now", after);
      row.classList.toggle("changed", flipped);
      row.classList.toggle("shifted", !flipped && Math.abs(after - before) >= 0.1);
      // The slider asks for what the picture shows as it is.
      const strength = lwe.state.asNeeded && !own && levelBefore === undefined ? lwe.state.edits[id] || 0 : 0;
      const already = !flipped && (strength > 0 ? before > 0.75 : strength < 0 && before < 0.25);
      row.classList.toggle("already", already);
      lwe.write(verdict, already ? "already" : "changed");
      if (flipped) changed.push(name);
    }
    showIdentity(share);
    lwe.write(part("changes"), changed.length ? changed.join(", ") : "nothing yet");
  });

  rows.forEach(drawSlider);
  // They may have come before this panel was there.
  if (lwe.own.edits().length) lwe.emit("own", lwe.own.edits());
};
