// Left panel, "More options": what the chosen method can be told. What it has no use for is switched off and not sent.
window.lwe.mountOptions = (element, method) => {
  "use strict";
  const lwe = window.lwe;
  const part = (name) => lwe.part(element, name);
  const rows = [...element.querySelectorAll("[data-option]")];
  const radios = [...element.querySelectorAll('[name="lwe-mask"]')];
  const numbers = [...element.querySelectorAll("[data-side]")];
  const thing = part("options").dataset.thing || "face";
  // What holds unless the user says otherwise; the server's own defaults are none of both.
  const usual = { mask: part("options").dataset.mask || "none", transform: part("options").dataset.transform || "none" };
  const HINTS = {
    none: thing === "face" ? "All of the face's square counts the same." : "All of the picture counts the same.",
    auto: `The ${thing} that was found; what lies outside counts less.`,
    own: "Drag the rectangle or its corners, or type its sides; what lies outside counts less.",
    nothing: "Nothing was found in the picture: draw a rectangle of your own.",
  };
  let own = null;       // the user's rectangle in pixels of the picture
  let drawnFor = "";    // the picture and face that it was drawn for

  const uses = (option) => (method.selectedOptions[0].dataset.uses || "").split(" ").includes(option);
  const kind = () => radios.find((radio) => radio.checked).value;

  // The detected face or object in whole pixels of the picture, null where none is edited.
  function detected() {
    const { picture } = lwe.state;
    const found = picture && (picture.faces[picture.region] || picture.object);
    return found ? found.map((share, side) => Math.round(share * [picture.width, picture.height][side % 2])) : null;
  }

  const whole = ({ width, height }) => [0, 0, width, height];
  const mask = lwe.mountMask(element, (rectangle) => { own = rectangle; draw(); });

  // What differs from the defaults and is of use to the method, by the names of the server.
  function chosen() {
    const found = {};
    if (part("seconds").value) found.seconds = Number(part("seconds").value);
    if (part("space").value) found.space = part("space").value;
    if (part("transform").value !== "none") found.transform = part("transform").value;
    if (!part("encoder_start").checked) found.encoder_start = false;
    if (kind() !== "none") {
      found.mask = kind() === "own" && own ? own : "auto";
      if (part("outside_weight").value) found.outside_weight = Number(part("outside_weight").value);
    }
    return Object.fromEntries(Object.entries(found).filter(([option]) => uses(option)));
  }

  // Of these, what the user has set.
  function changed() {
    const found = chosen();
    if (found.mask === usual.mask && kind() !== "own") delete found.mask;
    if (found.transform === usual.transform) delete found.transform;
    if (usual.mask !== "none" && kind() === "none" && uses("mask")) found.mask = "none";
    if (usual.transform !== "none" && part("transform").value === "none" && uses("transform")) found.transform = "none";
    return found;
  }

  function useUsual() {
    part("transform").value = usual.transform;
    radios.find((radio) => radio.value === usual.mask).checked = true;
  }

  // For the open picture; a picture that is yet to come has no rectangle of its own, and is detected.
  lwe.options = (forOpenPicture) => {
    const options = chosen();
    return forOpenPicture || !options.mask ? options : { ...options, mask: "auto" };
  };

  // ---- what the user does ----
  for (const input of [part("seconds"), part("outside_weight")]) {
    input.addEventListener("change", () => {
      if (input.value) input.value = Math.min(Math.max(Number(input.value), input.min), input.max);
    });
  }
  numbers.forEach((input, side) => input.addEventListener("change", () => {
    if (input.value) own = own.map((value, each) => (each === side ? mask.bounded(own, side, Number(input.value)) : value));
    draw();
  }));
  part("options").addEventListener("change", () => draw());
  method.addEventListener("change", () => draw());
  part("options-reset").addEventListener("click", () => {
    for (const name of ["seconds", "space", "outside_weight"]) part(name).value = "";
    useUsual();
    part("encoder_start").checked = true;
    own = detected() || (lwe.state.picture && whole(lwe.state.picture));
    draw();
    part("options").querySelector("summary").focus();
  });

  // ---- drawing ----
  function drawMask() {
    const { picture } = lwe.state;
    const used = uses("mask") ? kind() : "none";
    const rectangle = { none: null, auto: detected(), own }[used];
    mask.show(picture && rectangle, picture, used === "own");
    part("mask-hint").textContent = HINTS[used === "auto" && picture && !rectangle ? "nothing" : kind()];
    part("sides").hidden = used !== "own";
    numbers.forEach((input, side) => {
      if (!own) return;
      input.value = own[side];
      input.min = 0;
      input.max = [picture.width, picture.height][side % 2];
    });
  }

  function draw() {
    const { picture } = lwe.state;
    for (const row of rows) {
      const off = !uses(row.dataset.option);
      row.classList.toggle("off", off);
      for (const control of row.querySelectorAll("input, select")) control.disabled = off;
    }
    radios.find((radio) => radio.value === "own").disabled = !picture || !uses("mask");
    rows.find((row) => row.dataset.option === "outside_weight").hidden = kind() === "none";
    part("options-unused").hidden = rows.some((row) => uses(row.dataset.option));
    const count = Object.keys(changed()).length;
    part("options-count").textContent = count ? `${count} set` : "";
    part("options-reset").disabled = count === 0;
    drawMask();
  }

  lwe.on("change", () => {
    const { picture } = lwe.state;
    const key = picture ? JSON.stringify([picture.src, picture.name, picture.region]) : "";
    if (key === drawnFor) return;
    drawnFor = key;
    // Another picture, or another face of it: the old rectangle means nothing there.
    own = picture && (detected() || whole(picture));
    if (!picture && kind() === "own") useUsual();
    draw();
  });
  useUsual();
  draw();
};
