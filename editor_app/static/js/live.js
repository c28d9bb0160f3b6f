// The fast lane: one request in flight, the newest wish always last. A picture and its `data-shown` change together.
window.lwe.live = window.lwe.live || ((lwe) => {
  "use strict";
  const key = (wanted) => JSON.stringify(wanted);
  const quick = (wanted) => !wanted.blend || wanted.blend === lwe.QUICK_BLEND;
  let image = null;
  let running = false;
  let slow = false;        // the server works on a wish that takes it long
  let turn = 0;            // number of the newest round of requests; answers to older rounds are dropped
  let paintedKey = "";
  let failedKey = "";      // a wish the server refused is not repeated

  const open = (wanted) => wanted !== null && key(wanted) !== paintedKey && key(wanted) !== failedKey;

  function updateBusy() {
    // Running counts too: a hand that went away and came back wants what is painted, while what it left is still to come.
    image?.setAttribute("aria-busy", String(running || open(lwe.goal()) || lwe.state.phase === "working"));
  }

  async function paint() {
    updateBusy();
    const next = lwe.wanted();
    // A hand that moves again does not wait for the slow picture of where it rested.
    if (!image || (running && !(slow && next && quick(next)))) return;
    const mine = ++turn;
    running = true;
    try {
      for (let wanted = next; open(wanted) && turn === mine; wanted = lwe.wanted()) {
        slow = !quick(wanted);
        await paintOnce(wanted, () => turn === mine);
      }
    } finally {
      if (turn === mine) running = slow = false;
      updateBusy();
    }
  }

  async function paintOnce(wanted, current) {
    const answer = await lwe.call("paint", wanted);
    if (!current()) return;
    slow = false;
    if (lwe.wanted()?.inversion !== wanted.inversion) return;    // another picture came meanwhile
    if (!answer || answer.error) {
      if (key(lwe.wanted()) !== key(wanted)) return;             // the next wish will tell
      failedKey = key(wanted);
      lwe.notify("error", answer?.error || lwe.NO_ANSWER);
      return;
    }
    if (key(lwe.wanted()) === paintedKey) return;                // the hand is back where it was
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
  lwe.on("rest", paint);
  // The same picture with other sliders: what the predictors say of it has changed.
  lwe.on("repaint", () => {
    paintedKey = failedKey = "";
    paint();
  });
  lwe.on("edits", () => {
    failedKey = "";
    paint();
  });

  return { attach: (element) => { image = element; updateBusy(); }, shown: () => image?.dataset.shown,
           shownInversion: () => (image?.dataset.shown ? JSON.parse(image.dataset.shown).inversion : null) };
})(window.lwe);
