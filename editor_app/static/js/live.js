// The fast lane: one request in flight, the newest wish always last. A picture and its `data-shown` change together.
window.lwe.live = window.lwe.live || ((lwe) => {
  "use strict";
  const key = (wanted) => JSON.stringify(wanted);
  let image = null;
  let running = false;
  let paintedKey = "";
  let failedKey = "";      // a wish the server refused is not repeated

  function updateBusy() {
    if (!image) return;
    const wanted = lwe.wanted();
    const behind = wanted !== null && key(wanted) !== paintedKey && key(wanted) !== failedKey;
    image.setAttribute("aria-busy", String(behind || lwe.state.phase === "working"));
  }

  async function paint() {
    updateBusy();
    if (running || !image) return;
    running = true;
    try {
      for (let wanted = lwe.wanted(); wanted && key(wanted) !== paintedKey && key(wanted) !== failedKey; wanted = lwe.wanted()) {
        await paintOnce(wanted);
      }
    } finally {
      running = false;
      updateBusy();
    }
  }

  async function paintOnce(wanted) {
    const answer = await lwe.call("paint", wanted);
    if (lwe.wanted()?.inversion !== wanted.inversion) return;   // another picture came meanwhile
    if (!answer || answer.error) {
      if (key(lwe.wanted()) !== key(wanted)) return;             // the next wish will tell
      failedKey = key(wanted);
      lwe.notify("error", answer?.error || lwe.NO_ANSWER);
      return;
    }
    image.src = answer.src;
    await image.decode().catch(() => {});
    if (lwe.wanted()?.inversion !== wanted.inversion) return;
    image.dataset.shown = JSON.stringify(answer.shown);
    paintedKey = key(wanted);
    failedKey = "";
    lwe.emit("painted", answer);
  }

  lwe.on("change", () => {
    if (image && !lwe.state.result) {       // nothing to show: no picture of before may stay
      image.removeAttribute("src");
      delete image.dataset.shown;
      paintedKey = "";
    }
    paint();
  });
  lwe.on("edits", () => {
    failedKey = "";
    paint();
  });

  return { attach: (element) => { image = element; updateBusy(); }, shown: () => image?.dataset.shown,
           shownInversion: () => (image?.dataset.shown ? JSON.parse(image.dataset.shown).inversion : null) };
})(window.lwe);
