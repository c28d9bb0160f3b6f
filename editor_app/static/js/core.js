// The page's state and its one way to talk to the server. Panels listen to it and draw themselves.
//
//   phase: empty    nothing is open            working  a job runs
//          ready    a result can be edited     choose   the user has to say what to edit
window.lwe = window.lwe || (() => {
  "use strict";
  const state = {
    revision: 0,      // number of the newest order; messages of older ones are dropped
    phase: "empty",
    picture: null,    // {src, width, height, faces, region}
    job: null,        // {text, share, preview}
    result: null,     // {inversion, photo, ...}
    edits: {},        // attribute -> strength, zeros left out
    object: {},       // what becomes of the object as a whole: class, class_alpha, shift, zoom, truncation; what stays is left out
    family: null,     // by which edit family; null is the pack's usual one
    view: "photo",
    blend: null,      // how an edit goes back into the photo; null is the result's usual way
    resting: true,    // no slider has moved just now
  };
  const listeners = {};
  const SILENCE_MS = 20000; // how long a job may say nothing before the server is asked whether it still runs
  const REST_MS = 200;
  const QUICK_BLEND = "detail";
  const NO_ANSWER = "The editor does not answer. Is it still running? Try again.";
  let before = {};          // inversion and edits when the current job was ordered
  let heard = 0;            // when the job last said something
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

  const notify = (kind, text) => emit("notice", { kind, text });

  // Starts a job. The page looks busy at once, before the server has heard of it.
  function order(kind, facts = {}) {
    if (!bridge) return;
    const another = kind !== "invert" || (facts.region !== undefined && facts.region !== state.picture?.region);
    before = { inversion: state.result?.inversion, edits: state.edits, object: state.object };
    state.revision += 1;
    state.phase = "working";
    state.job = { text: "Starting" };
    if (kind !== "invert") state.blend = null;
    if (another) setEdits({}, {});
    heard = Date.now();
    told.clear();
    emit("clear-notices");
    emit("change");
    bridge.trigger("work", { revision: state.revision, kind, ...facts });
  }

  function receive(message) {
    if (!message || message.revision !== state.revision || state.phase !== "working") return;
    heard = Date.now();
    if (message.picture) state.picture = message.picture;
    state.job = message.phase === "working" ? message : null;
    if (message.phase === "ready") state.result = message.result;
    if (message.phase === "choose" || message.phase === "failed") state.result = null;
    state.phase = message.phase === "failed" ? "empty" : message.phase;
    // An order that came to nothing gives the edits back.
    const same = message.phase === "ready" && message.result.inversion === before.inversion;
    if (same && !edited()) setEdits(before.edits, before.object);
    for (const notice of message.notices || []) {
      if (!told.has(notice.text)) notify(notice.kind, notice.text);
      told.add(notice.text);
    }
    for (const text of message.result?.warnings || []) notify("warning", text);
    emit("change");
  }

  // A job whose server is gone would stay "working" for ever.
  async function watchSilence() {
    if (state.phase !== "working" || Date.now() - heard < SILENCE_MS) return;
    const revision = state.revision;
    const answer = await call("alive", null);
    if (state.revision !== revision || state.phase !== "working") return;
    heard = Date.now();
    if (answer?.revision === revision) return;
    state.phase = state.result ? "ready" : "empty";
    state.job = null;
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

  // What the family cannot edit goes back to 0.
  function setFamily(family, attributes) {
    state.family = family;
    setEdits(Object.fromEntries(Object.entries(state.edits).filter(([id]) => attributes.includes(id))));
    emit("change");
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

  // Used by every panel: the element of that name inside it.
  const part = (element, name) => element.querySelector(`[data-part="${name}"]`);

  return { state, on, emit, call, notify, order, receive, setEdits, setObject, edited, setFamily, setView, setBlend, blend, goal, wanted,
           connect, part, NO_ANSWER, QUICK_BLEND,
           upload: (file) => bridge.upload(file) };
})();
