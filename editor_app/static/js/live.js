// The fast lane: the newest wish always last. A picture and its `data-shown` change together.
window.lwe.live = window.lwe.live || ((lwe) => {
  "use strict";
  const MOST = 3;               // wishes that may be on their way at once
  const key = (wanted) => JSON.stringify(wanted);
  const quick = (wanted) => !wanted.blend || wanted.blend === lwe.QUICK_BLEND;
  let image = null;
  const flying = new Map();     // number -> wish: what the server has been asked and has not answered
  let asked = 0;                // number of the newest wish
  let askedKey = "";            // and the wish itself, until it is painted or came to nothing
  let answered = 0;             // number of the newest wish that was answered: answers to older ones are dropped
  let arrived = null;           // the newest answer, until it is shown
  let showing = false;
  let paintedKey = "";
  let failedKey = "";           // a wish the server refused is not repeated
  let travelMs = 0;             // how long a wish and its picture are on their way, and
  let workMs = 1;               // how long the server works on it

  const open = (wanted) => wanted !== null && key(wanted) !== paintedKey && key(wanted) !== failedKey;
  const waiting = () => Math.max(0, ...flying.keys()) > answered;

  // One at a time while the server is near. Where the way is long it would stand idle for most of it: so many more are sent.
  const lanes = () => Math.min(MOST, 1 + Math.floor(travelMs / (2 * workMs)));

  function updateBusy() {
    // What is on its way counts too: a hand that went away and came back wants what is painted, while what it left is to come.
    const busy = waiting() || showing || open(lwe.goal()) || lwe.state.phase === "working";
    image?.setAttribute("aria-busy", String(busy));
  }

  function paint() {
    const wanted = lwe.wanted();
    if (image && open(wanted) && key(wanted) !== askedKey && mayFly(wanted)) send(wanted);
    updateBusy();
  }

  // A hand that moves again does not wait for the slow picture of where it rested; that picture waits for all others.
  function mayFly(wanted) {
    const quicks = [...flying.values()].filter(quick).length;
    return quick(wanted) ? quicks < lanes() : !waiting();
  }

  async function send(wanted) {
    const mine = ++asked;
    const sentMs = performance.now();
    flying.set(mine, wanted);
    askedKey = key(wanted);
    const answer = await lwe.call("paint", wanted);
    flying.delete(mine);
    if (answer?.took_ms && quick(wanted)) learn(performance.now() - sentMs, answer.took_ms);
    if (mine > answered) {
      answered = mine;
      if (answer && !answer.error) arrived = { wanted, answer };
      else refuse(wanted, answer);
    }
    show();
    // The server works on the next wish while this one's picture is unpacked.
    paint();
  }

  function learn(roundTripMs, tookMs) {
    const share = travelMs ? 0.2 : 1;
    travelMs += share * (Math.max(1, roundTripMs - tookMs) - travelMs);
    workMs += share * (Math.max(1, tookMs) - workMs);
  }

  function refuse(wanted, answer) {
    drop(wanted);
    if (key(lwe.wanted()) !== key(wanted)) return;     // the next wish will tell
    failedKey = key(wanted);
    lwe.notify("error", answer?.error || lwe.NO_ANSWER);
  }

  function drop(wanted) {
    if (askedKey === key(wanted)) askedKey = "";
  }

  // One after the other: a picture that the next one replaced while it was unpacked would never be seen.
  async function show() {
    if (showing) return;
    showing = true;
    try {
      while (arrived) {
        const { wanted, answer } = arrived;
        arrived = null;
        await showOne(wanted, answer);
      }
    } finally {
      showing = false;
      paint();
    }
  }

  async function showOne(wanted, answer) {
    const unwanted = () => lwe.wanted()?.inversion !== wanted.inversion;         // another picture came meanwhile
    if (unwanted() || key(lwe.wanted()) === paintedKey) return drop(wanted);     // or the hand is back where it was
    image.src = answer.src;
    await image.decode().catch(() => {});
    if (unwanted()) return drop(wanted);
    image.dataset.shown = JSON.stringify(answer.shown);
    paintedKey = key(wanted);
    failedKey = "";
    lwe.emit("painted", answer);
  }

  function forget() {
    paintedKey = failedKey = askedKey = "";
    answered = asked;
    arrived = null;
    flying.clear();
  }

  lwe.on("change", () => {
    if (image && !lwe.state.result) {       // nothing to show: no picture of before may stay
      image.removeAttribute("src");
      delete image.dataset.shown;
      forget();
    }
    paint();
  });
  lwe.on("rest", paint);
  // The same picture with other sliders: what the predictors say of it has changed.
  lwe.on("repaint", () => {
    forget();
    paint();
  });
  lwe.on("edits", () => {
    failedKey = "";
    paint();
  });

  return { attach: (element) => { image = element; updateBusy(); }, shown: () => image?.dataset.shown,
           shownInversion: () => (image?.dataset.shown ? JSON.parse(image.dataset.shown).inversion : null) };
})(window.lwe);
