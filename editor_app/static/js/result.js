// Centre: the result, what it was before, how far a job is, notices, download.
window.lwe.mountResult = (element, trigger, props, server, upload, watch) => {
  "use strict";
  const lwe = window.lwe;
  const part = (name) => lwe.part(element, name);

  watch("value", () => lwe.receive(props.value));
  lwe.live.attach(part("result"));
  lwe.connect({ server, trigger, upload });

  // ---- notices ----
  lwe.on("clear-notices", () => part("notices").replaceChildren());
  lwe.on("notice", ({ kind, text, method }) => {
    const notice = Object.assign(document.createElement("div"), { className: `notice ${kind}` });
    notice.setAttribute("role", "alert");
    const close = Object.assign(document.createElement("button"), { type: "button", className: "close" });
    close.setAttribute("aria-label", "Dismiss");
    close.addEventListener("click", () => notice.remove());
    const body = Object.assign(document.createElement("p"), { textContent: text });
    for (const old of part("notices").children) if (old.querySelector("p").textContent === text) old.remove();
    const said = document.createElement("div");
    said.append(body, ...(method ? [wayOut(method)] : []));
    notice.append(said, close);
    part("notices").append(notice);
  });

  function wayOut(method) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: `Use ${lwe.methodName(method)}` });
    button.addEventListener("click", () => lwe.emit("use-method", method));
    return button;
  }

  // ---- before ----
  const before = part("before");
  let beforeKey = "";     // what it shows
  let comingKey = "";     // what was asked for last: answers to older questions are dropped
  let holding = false;

  async function loadBefore() {
    const wanted = lwe.wanted();
    const key = wanted && `${wanted.inversion} ${wanted.view}`;
    if (!wanted || key === comingKey) return;
    comingKey = key;
    const answer = await lwe.call("before", wanted);
    if (comingKey !== key) return;
    if (!answer || answer.error) {
      comingKey = "";
      return;
    }
    beforeKey = "";       // until it can be shown
    before.src = answer.src;
    await before.decode().catch(() => {});
    if (comingKey !== key) return;
    beforeKey = key;
    hold(holding);
  }

  function hold(on) {
    holding = on;
    const wanted = lwe.wanted();
    const show = Boolean(on && wanted && beforeKey === `${wanted.inversion} ${wanted.view}`);
    before.hidden = !show;
    part("stage").classList.toggle("comparing", show);
    part("compare").setAttribute("aria-pressed", String(on));
  }

  for (const handle of [part("compare"), part("result")]) {
    handle.addEventListener("pointerdown", (event) => { if (event.button === 0) { hold(true); event.preventDefault(); handle.focus(); } });
    handle.addEventListener("contextmenu", (event) => { if (holding) event.preventDefault(); });
  }
  for (const end of ["pointerup", "pointercancel", "blur"]) window.addEventListener(end, () => { if (holding) hold(false); });
  part("compare").addEventListener("keydown", (event) => { if (event.key === " " || event.key === "Enter") { event.preventDefault(); hold(true); } });
  part("compare").addEventListener("keyup", () => hold(false));
  part("compare").addEventListener("blur", () => hold(false));

  // ---- view ----
  element.querySelectorAll("[data-view]").forEach((radio) => radio.addEventListener("change", () => lwe.setView(radio.dataset.view)));

  // ---- blend ----
  part("blend").addEventListener("change", () => lwe.setBlend(part("blend").value));

  // ---- download ----
  let downloading = false;

  function setDownloading(value) {
    downloading = value;
    // Not `disabled`, which would take the focus away.
    for (const name of ["aria-busy", "aria-disabled"]) part("download").setAttribute(name, String(value));
  }

  part("download").addEventListener("click", async () => {
    const shown = lwe.live.shown();
    if (!shown || downloading) return;
    setDownloading(true);
    const answer = await lwe.call("download", { ...JSON.parse(shown), blend: lwe.blend() });
    setDownloading(false);
    if (!answer || answer.error) return lwe.notify("error", answer?.error || lwe.NO_ANSWER);
    const link = Object.assign(document.createElement("a"), { href: answer.url, download: answer.name });
    document.body.append(link);
    link.click();
    link.remove();
  });

  // ---- drawing ----
  function drawJob(job) {
    part("job").hidden = !job;
    if (!job) return;
    const known = typeof job.share === "number";
    const bar = part("bar");
    part("job-text").textContent = job.text;
    bar.classList.toggle("unknown", !known);
    bar.firstElementChild.style.width = known ? `${100 * job.share}%` : "";
    if (known) bar.setAttribute("aria-valuenow", Math.round(100 * job.share)); else bar.removeAttribute("aria-valuenow");
    bar.setAttribute("aria-valuetext", job.text);
  }

  function describe(result, view) {
    if (!result) return "";
    if (!result.photo) return `Made-up ${result.sampled} ${result.seed} · ${result.width} × ${result.height} PNG`;
    const [width, height] = view === "photo" ? [result.width, result.height] : [result.side, result.side];
    return [
      result.from_store ? `${result.method}, kept from an earlier visit` : `${result.method} · ${result.seconds.toFixed(1)} s`,
      `MSE ${result.mse.toPrecision(2)}`,
      result.distance,
      ...(result.evaluations ? [result.evaluations === 1 ? "1 evaluation" : `${result.evaluations.toLocaleString("en")} evaluations`] : []),
      `${width} × ${height} PNG`,
    ].join(" · ");
  }

  function draw() {
    const { phase, sending, job, picture, result, view } = lwe.state;
    // Until there is a first preview, a newly opened picture stands for itself.
    const preview = phase === "working" && (job?.preview || (!result && picture?.src));
    const painted = Boolean(result) && lwe.live.shownInversion() === result.inversion;
    if (preview) part("preview").src = preview;
    // The last preview stays until the result itself is painted: no other picture flashes up in between.
    const bridging = phase === "ready" && !painted && !part("preview").hidden;
    part("preview").hidden = !preview && !bridging;
    part("result").hidden = !part("preview").hidden || !result || !lwe.live.shown();
    part("stage").classList.toggle("dimmed", !preview && !painted);
    part("empty").hidden = Boolean(result) || phase === "working";
    lwe.write(part("empty-text"), phase !== "choose" ? part("empty-text").dataset.start
      : picture.region === null ? "Choose what to edit." : "Press Invert to go on.");
    part("views").hidden = !result?.photo;
    element.querySelectorAll("[data-view]").forEach((radio) => { radio.checked = radio.dataset.view === view; });
    part("blending").hidden = phase !== "ready" || !result.photo;
    if (result?.photo) part("blend").value = lwe.blend();
    part("blend-hint").hidden = lwe.blend() === lwe.QUICK_BLEND;
    for (const name of ["compare", "download"]) part(name).disabled = phase !== "ready";
    lwe.write(part("facts"), phase === "ready" ? describe(result, view) : "");
    part("download").title = phase === "ready" ? result.saves[result.photo ? view : "crop"] : "";
    const states = { working: "Working", ready: "Ready to edit", choose: "Waiting for your choice" };
    lwe.write(part("status"), sending ? states.working : states[phase] || "");
    drawJob(sending ? { text: "Sending the picture" } : job);
    if (phase !== "ready") hold(false);
  }
  lwe.on("change", draw);
  // A job that starts out of sight brings its picture into sight: on a phone the button stands far above it.
  let seen = 0;
  lwe.on("change", () => {
    if (lwe.state.revision === seen) return;
    seen = lwe.state.revision;
    const { top, bottom } = part("stage").getBoundingClientRect();
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (top >= 0 && bottom <= innerHeight + 40) return;
    // In small windows only the stage has a box, and nothing else could be scrolled to.
    const shown = [element.firstElementChild, part("stage")].find((each) => each.getClientRects().length);
    shown.scrollIntoView({ behavior: calm ? "auto" : "smooth", block: "start" });
  });
  lwe.on("painted", () => {
    draw();
    loadBefore();
  });
};
