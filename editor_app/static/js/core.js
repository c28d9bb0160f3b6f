// The page's state and its one way to talk to the server. Panels listen to it and draw themselves.
//
//   phase: empty    nothing is open            working  a job runs
//          ready    a result can be edited     choose   the user has to say what to edit
window.lwe = window.lwe || (() => {
  "use strict";
  const state = {
    revision: 0,      // number of the newest order; messages of older ones are dropped
    phase: "empty",
    sending: false,   // a chosen file is on its way to the server, beside whatever is open or at work
    picture: null,    // {opening, src, width, height, faces, region}
    job: null,        // {text, share, preview}
    result: null,     // {inversion, photo, ...}
    edits: {},        // attribute -> strength, zeros left out
    object: {},       // what becomes of the object as a whole: class, class_alpha, shift, zoom, truncation; what stays is left out
    family: null,     // by which edit family; null is the pack's usual one
    asNeeded: true,   // edits go only as far as the picture calls for
    view: "photo",
    blend: null,      // how an edit goes back into the photo; null is the result's usual way
    resting: true,    // no slider has moved just now
  };
  const listeners = {};
  const SILENCE_MS = 20000; // how long a job may say nothing before the server is asked whether it still runs
  const REST_MS = 200;
  const QUICK_BLEND = "detail";
  const NO_ANSWER = "The editor does not answer. Is it still running? Try again.";
  const AS_IT_IS = { edits: {}, object: {}, blend: null };
  const kept = new Map();   // subject -> {edits, object, blend} as they were left; only of the open picture
  let subject = "";         // what the edits are of: a face or all of a picture, or someone made up
  let settled = null;       // the picture when the last job ended
  let heard = 0;            // when the job last said something
  let doubted = 0;          // number of the job that the server did not know when it was asked last
  let choice = 0;           // number of the newest upload or order: an upload that is overtaken comes to nothing
  const told = new Set();   // notices of the current order that were shown already
  let rest = 0;             // timer until the sliders rest
  let bridge = null;        // {server, trigger, upload} of Gradio

  const on = (event, listener) => (listeners[event] = listeners[event] || []).push(listener);
  const emit = (event, detail) => (listeners[event] || []).forEach((listener) => listener(detail));
  const sessionHash = () => window.__gradio_session_hash__;

  // A secret of this browser: attributes that are trained with it belong to whoever has it, in every tab and after a restart.
  const user = (() => {
    const made = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    try {
      const kept = localStorage.getItem("lwe-user");
      if (/^[0-9a-f]{32}$/.test(kept || "")) return kept;
      localStorage.setItem("lwe-user", made);
    } catch (error) { /* private window: for this page alone */ }
    return made;
  })();

  // Calls a server function; null when the server does not answer.
  async function call(name, wanted) {
    try {
      return (await bridge.server[name]([sessionHash(), wanted, user])) || null;
    } catch (error) {
      return null;
    }
  }

  // method: the way out of what is said, offered as a button.
  const notify = (kind, text, method) => emit("notice", { kind, text, method });

  const partOf = (picture, region) => `${picture.opening} ${region}`;
  const shownSubject = () => (state.result && !state.result.photo ? `made up ${state.result.inversion}`
    : state.picture ? partOf(state.picture, state.picture.region) : "");

  // From now on the edits are those of `next`, as they were left; `otherwise` where it has not been edited yet.
  function turnTo(next, otherwise) {
    if (next === subject) return;
    subject = next;
    const left = kept.get(next) || otherwise;
    state.blend = left.blend;
    if (left.edits !== state.edits || left.object !== state.object) setEdits(left.edits, left.object);
  }

  const current = () => ({ edits: state.edits, object: state.object, blend: state.blend });

  // Starts a job. The page looks busy at once, before the server has heard of it.
  function order(kind, facts = {}) {
    if (!bridge) return;
    kept.set(subject, current());
    choice += 1;
    state.sending = false;
    state.revision += 1;
    state.phase = "working";
    state.job = { text: "Starting" };
    if (kind !== "invert") turnTo(`order ${state.revision}`, AS_IT_IS);
    else if (state.picture) turnTo(partOf(state.picture, facts.region ?? state.picture.region), { ...AS_IT_IS, blend: state.blend });
    heard = Date.now();
    told.clear();
    emit("clear-notices");
    emit("change");
    bridge.trigger("work", { revision: state.revision, kind, ...facts });
  }

  // Sends a file and returns where it lies on the server; null where another choice or Cancel has come before its end.
  async function send(file) {
    const mine = ++choice;
    setSending(true);
    try {
      const { path } = await bridge.upload(file);
      return choice === mine ? path : null;
    } catch (error) {
      if (choice === mine) throw error;
      return null;
    } finally {
      if (choice === mine) setSending(false);
    }
  }

  function setSending(sending) {
    state.sending = sending;
    emit("change");
  }

  function cancel() {
    choice += 1;
    if (state.sending) setSending(false);
    if (state.phase === "working") call("cancel", { revision: state.revision });
  }

  function receive(message) {
    if (!message || message.revision !== state.revision || state.phase !== "working") return;
    heard = Date.now();
    if (message.picture !== undefined) state.picture = message.picture;
    state.job = message.phase === "working" ? message : null;
    if (message.phase === "ready") state.result = message.result;
    if (message.phase === "choose" || message.phase === "failed") state.result = null;
    state.phase = message.phase === "failed" ? "empty" : message.phase;
    if (state.phase !== "working") settle();
    for (const { kind, text, method } of message.notices || []) {
      if (!told.has(text)) notify(kind, text, method);
      told.add(text);
    }
    emit("change");
  }

  // A job has ended. Sliders that were moved meanwhile are edits of what it brought; an order that came to nothing gives the
  // edits back. What is open no more is forgotten here as well.
  function settle() {
    settled = state.picture;
    turnTo(shownSubject(), subject === `order ${state.revision}` ? current() : AS_IT_IS);
    for (const key of kept.keys()) if (!settled || !key.startsWith(partOf(settled, ""))) kept.delete(key);
  }

  // A job whose server is gone would stay "working" for ever.
  async function watchSilence() {
    if (state.phase !== "working" || Date.now() - heard < SILENCE_MS) return;
    const revision = state.revision;
    const answer = await call("alive", null);
    if (state.revision !== revision || state.phase !== "working") return;
    if (answer?.revision === revision) {
      heard = Date.now();
      return;
    }
    // It may have ended just now, with its last message still on the way: the next look decides.
    if (doubted !== revision) {
      doubted = revision;
      return;
    }
    state.phase = state.result ? "ready" : "empty";
    state.picture = settled;
    state.job = null;
    settle();
    notify("error", NO_ANSWER);
    emit("change");
  }
  setInterval(watchSilence, 5000);

  function setEdits(edits, object = state.object) {
    state.object = object;
    state.edits = Object.fromEntries(Object.entries(edits).filter(([, strength]) => strength !== 0));
    state.resting = false;
    clearTimeout(rest);
    rest = setTimeout(() => { state.resting = true; emit("rest"); }, REST_MS);
    emit("edits");
  }

  const setObject = (object) => setEdits(state.edits, object);
  const edited = () => Object.keys(state.edits).length + Object.keys(state.object).length > 0;

  // Also where another face was edited.
  function dropEdits(isGone) {
    const without = (edits) => Object.fromEntries(Object.entries(edits).filter(([id]) => !isGone(id)));
    for (const [key, left] of kept) kept.set(key, { ...left, edits: without(left.edits) });
    setEdits(without(state.edits));
  }

  // Attributes that users trained may be removed meanwhile.
  let own = [];
  on("own", (edits) => {
    const ids = edits.map(({ id }) => id);
    const gone = own.filter((id) => !ids.includes(id));
    own = ids;
    if (gone.length) dropEdits((id) => gone.includes(id));
  });

  // What the family cannot edit goes back to 0.
  function setFamily(family, attributes) {
    state.family = family;
    dropEdits((id) => !attributes.includes(id));
    emit("change");
  }

  function setAsNeeded(asNeeded) {
    state.asNeeded = asNeeded;
    setEdits(state.edits);
  }

  function setView(view) {
    state.view = view;
    emit("change");
  }

  function setBlend(blend) {
    state.blend = blend;
    emit("change");
  }

  const blend = () => state.blend || state.result?.blend;

  // What should be painted in the end, or null when there is nothing to edit.
  function goal() {
    if (state.phase !== "ready" || !state.result) return null;
    const wish = {
      inversion: state.result.inversion,
      alphas: { ...state.edits },
      ...(state.family ? { family: state.family } : {}),
      ...(state.asNeeded ? { as_needed: true } : {}),
      ...(Object.keys(state.object).length ? { object: { ...state.object } } : {}),
    };
    return state.result.photo && state.view === "photo" ? { ...wish, view: "photo", blend: blend() } : { ...wish, view: "crop" };
  }

  // What should be painted now: seamless blending takes too long to follow a hand.
  function wanted() {
    const wish = goal();
    return wish?.blend && !state.resting ? { ...wish, blend: QUICK_BLEND } : wish;
  }

  function connect(parts) {
    bridge = parts;
    emit("connected");
  }

  // Writes a text that may be there already: the same text, written again, would be laid out again.
  const write = (node, text) => { if (node.textContent !== String(text)) node.textContent = text; };

  // Used by every panel: the element of that name inside it.
  const part = (element, name) => element.querySelector(`[data-part="${name}"]`);

  return { state, on, emit, call, notify, order, send, cancel, receive, setEdits, setObject, edited, setFamily, setAsNeeded, setView, setBlend, blend, goal, wanted,
           connect, part, write, NO_ANSWER, QUICK_BLEND,
           upload: (file) => bridge.upload(file) };
})();
