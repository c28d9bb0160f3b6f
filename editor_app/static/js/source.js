// Left panel: choose a picture (file, drop, paste, example), choose a face, choose a method, invert.
window.lwe.mountSource = (element, config) => {
  "use strict";
  const lwe = window.lwe;
  const part = (name) => lwe.part(element, name);
  const file = part("file");
  const method = part("method");
  lwe.mountOptions(element, method);
  const how = (forOpenPicture) => ({ method: method.value, options: lwe.options(forOpenPicture) });

  async function open(picked) {
    if (!picked) return;
    lwe.emit("clear-notices");
    if (picked.size > config.maxBytes) return lwe.notify("error", config.tooLarge);
    if (picked.size === 0) return lwe.notify("error", config.emptyFile);
    try {
      const path = await lwe.send(picked);
      if (path) lwe.order("open", { source: path, name: picked.name || "pasted picture", ...how(false) });
    } catch (error) {
      lwe.notify("error", config.uploadFailed);
    }
  }

  file.addEventListener("change", () => {
    open(file.files[0]);
    file.value = "";      // the same file may be chosen again
  });

  // ---- drop and paste, anywhere on the page ----
  const carriesFiles = (event) => [...(event.dataTransfer?.types || [])].includes("Files");
  let depth = 0;
  const setDropping = (dropping) => document.body.classList.toggle("lwe-dropping", dropping);
  document.addEventListener("dragenter", (event) => { if (carriesFiles(event)) { depth += 1; setDropping(true); } });
  document.addEventListener("dragleave", (event) => { if (carriesFiles(event)) { depth -= 1; setDropping(depth > 0); } });
  document.addEventListener("dragover", (event) => { if (carriesFiles(event)) event.preventDefault(); });
  document.addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    depth = 0;
    setDropping(false);
    open(event.dataTransfer.files[0]);
  });
  document.addEventListener("paste", (event) => {
    const pasted = [...(event.clipboardData?.files || [])][0];
    if (pasted) { event.preventDefault(); open(pasted); }
  });

  // ---- buttons ----
  element.querySelectorAll("[data-example]").forEach((button) => {
    button.addEventListener("click", () => lwe.order("example", { source: button.dataset.example, ...how(false) }));
  });
  part("invert").addEventListener("click", () => lwe.order("invert", how(true)));
  part("cancel").addEventListener("click", () => {
    lwe.cancel();
    part("cancel").disabled = true;
  });
  part("surprise").addEventListener("click", () => {
    const chosen = part("surprise-class")?.value;      // missing where the pack has no classes
    const seed = crypto.getRandomValues(new Uint32Array(1))[0] % 1000000;
    lwe.order("surprise", { seed, ...(chosen ? { class: chosen } : {}) });
  });
  method.addEventListener("change", () => { part("method-hint").textContent = method.selectedOptions[0].dataset.hint; });
  lwe.methodName = (id) => [...method.options].find((option) => option.value === id)?.textContent || id;
  // A notice offers a method that comes closer.
  lwe.on("use-method", (wanted) => {
    method.value = wanted;
    method.dispatchEvent(new Event("change"));
    part("invert").click();
  });

  // ---- what is kept ----
  part("kept").addEventListener("toggle", async () => {
    if (!part("kept").open) return;
    const answer = await lwe.call("stored", null);
    part("stored").textContent = answer?.text || answer?.error || "";
  });
  part("forget").addEventListener("click", async () => {
    const { result } = lwe.state;
    const answer = await lwe.call("forget", null);
    if (!answer || answer.error) return lwe.notify("error", answer?.error || lwe.NO_ANSWER);
    result.kept = false;
    lwe.notify("info", answer.text);
    lwe.emit("change");
  });

  // ---- faces ----
  const choose = (region) => lwe.order("invert", { region, ...how(region === lwe.state.picture.region) });

  function faceChip(label, region) {
    const chip = document.createElement("label");
    const radio = Object.assign(document.createElement("input"), { type: "radio", name: "lwe-region" });
    radio.dataset.region = region;
    radio.addEventListener("change", () => choose(region));
    chip.append(radio, Object.assign(document.createElement("span"), { textContent: label }));
    return chip;
  }

  function faceBox([x0, y0, x1, y1], index, numbered) {
    const box = Object.assign(document.createElement("div"), { className: "face-box", title: `Face ${index + 1}` });
    Object.assign(box.style, { left: `${100 * x0}%`, top: `${100 * y0}%`, width: `${100 * (x1 - x0)}%`, height: `${100 * (y1 - y0)}%` });
    if (numbered) box.append(Object.assign(document.createElement("b"), { textContent: index + 1 }));
    box.dataset.region = index;
    box.addEventListener("click", () => choose(index));
    return box;
  }

  function drawFaces({ faces, object }) {
    const several = faces.length > 1;
    part("boxes").replaceChildren(...faces.map((face, index) => faceBox(face, index, several)));
    const chips = faces.map((_, index) => faceChip(several ? `Face ${index + 1}` : "Face", index));
    part("chips").replaceChildren(...chips, faceChip(object ? "Around the object" : "Whole picture", "whole"));
  }

  // The object of a picture without faces, and of which class it is.
  function drawObject({ object, class: found }) {
    if (!object) return;
    const [x0, y0, x1, y1] = object;
    const box = Object.assign(document.createElement("div"), { className: "object-box" });
    Object.assign(box.style, { left: `${100 * x0}%`, top: `${100 * y0}%`, width: `${100 * (x1 - x0)}%`, height: `${100 * (y1 - y0)}%` });
    box.classList.toggle("low", y1 > 0.85);
    if (found) box.append(Object.assign(document.createElement("b"), { textContent: found.name }));
    part("boxes").append(box);
  }

  const classWords = ({ class: found }) => (found ? ` · ${found.name}, ${Math.round(100 * found.probability)} %` : "");

  function drawRegion({ region }) {
    for (const box of part("boxes").children) box.classList.toggle("selected", box.dataset.region === String(region));
    for (const radio of part("chips").querySelectorAll("input")) radio.checked = radio.dataset.region === String(region);
  }
  part("whole").addEventListener("click", () => choose("whole"));

  // ---- drawing ----
  let drawn = "";
  lwe.on("change", () => {
    const { phase, sending, picture, result } = lwe.state;
    part("cancel").disabled = phase !== "working" && !sending;
    part("drop").classList.toggle("uploading", sending);
    element.firstElementChild.classList.toggle("has-picture", Boolean(picture));
    part("photo").hidden = !picture;
    part("kept-this").hidden = !(phase === "ready" && result?.kept);
    part("aside").hidden = !(picture && phase === "ready" && result && !result.photo);
    part("whole").hidden = !picture || picture.region !== null;
    part("chips").hidden = !picture || picture.region === null;
    if (!picture) return;
    const key = JSON.stringify([picture.src, picture.name, picture.faces, picture.object]);
    if (key !== drawn) {
      drawn = key;
      part("image").src = picture.src;
      part("caption").textContent = `${picture.name} · ${picture.width} × ${picture.height}${classWords(picture)}`;
      drawFaces(picture);
      drawObject(picture);
    }
    drawRegion(picture);
  });
};
