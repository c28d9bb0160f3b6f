// Users' own attributes: which there are, and the panel "New attribute" that trains one from pictures.
window.lwe.own = window.lwe.own || ((lwe) => {
  "use strict";
  const LOOK_MS = 15000;    // edits that the owner trains by command appear this soon, or when the window is looked at again
  let edits = [];           // {id, name, low, high, calibrated, stride, mine}
  let problems = [];        // {id, text}: edits of mine that no longer fit the pack
  let known = "";

  async function refresh() {
    const answer = await lwe.call("edits", null);
    if (!answer || answer.error) return;
    const now = JSON.stringify(answer);
    if (now === known) return;
    known = now;
    ({ edits, problems } = answer);
    const gone = Object.keys(lwe.state.edits).filter((id) => wasOwn.has(id) && !edits.some((edit) => edit.id === id));
    edits.forEach((edit) => wasOwn.add(edit.id));
    lwe.emit("own", edits);
    if (gone.length) lwe.setEdits(Object.fromEntries(Object.entries(lwe.state.edits).filter(([id]) => !gone.includes(id))));
    lwe.emit("repaint");
  }
  const wasOwn = new Set();

  lwe.on("connected", refresh);
  setInterval(() => { if (!document.hidden) refresh(); }, LOOK_MS);
  window.addEventListener("focus", refresh);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
  return { refresh, edits: () => edits, problems: () => problems };
})(window.lwe);

window.lwe.mountOwn = (element, config) => {
  "use strict";
  const lwe = window.lwe;
  const POLL_MS = 700;
  const LANES = 4;          // uploads at a time
  const part = (name) => lwe.part(element, name);
  const files = { having: [], lacking: [], pictures: [], table: [] };
  let busy = false;
  let stopped = false;

  const kind = () => element.querySelector('[name="lwe-new-kind"]:checked').value;
  const chosen = () => (kind() === "groups" ? [...files.having, ...files.lacking] : files.pictures);

  // ---- the form ----
  function layOut() {
    if (part("form").childElementCount) return;
    part("form").append(part("form-template").content.cloneNode(true));
    element.querySelectorAll("[data-files]").forEach((input) => input.addEventListener("change", () => take(input)));
    element.querySelectorAll('[name="lwe-new-kind"]').forEach((radio) => radio.addEventListener("change", draw));
    part("train").addEventListener("click", train);
    part("stop").addEventListener("click", stop);
    drawMine();
    draw();
  }
  part("new").addEventListener("toggle", () => { if (part("new").open) layOut(); });

  function take(input) {
    const side = input.dataset.files;
    const picked = [...input.files];
    // A folder brings everything that lies in it.
    files[side] = side === "table" ? picked.slice(0, 1) : picked.filter((file) => !input.webkitdirectory || file.type.startsWith("image/"));
    input.value = "";
    draw();
  }

  function complaint() {
    const pictures = chosen();
    if (kind() === "groups" && (files.having.length < config.least || files.lacking.length < config.least)) return config.tooFew;
    if (kind() === "table" && !files.table.length) return config.noTable;
    if (pictures.length < 2 * config.least) return config.tooFew;
    if (!part("name").value.trim()) return config.noName;
    if (pictures.length > config.maxPictures) return config.tooMany;
    if (pictures.some((file) => file.size > config.maxPictureBytes)) return config.pictureTooLarge;
    if (pictures.reduce((sum, file) => sum + file.size, 0) > config.maxBytes) return config.tooLarge;
    if (kind() === "table" && files.table[0].size > config.maxTableBytes) return config.tableTooLarge;
    return "";
  }

  // ---- training ----
  async function sent(list, tell) {
    const places = new Array(list.length);
    let next = 0;
    const lane = async () => {
      while (next < list.length && !stopped) {
        const index = next++;
        try {
          const { path } = await lwe.upload(list[index]);
          places[index] = { path, name: list[index].name };
        } catch (error) {
          next = list.length;       // the other lanes need not go on
          throw error;
        }
        tell();
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    return places;
  }

  async function train() {
    const wrong = complaint();
    if (wrong) return lwe.notify("error", wrong);
    const total = chosen().length;
    let done = 0;
    stopped = false;
    setBusy(true);
    part("grid").hidden = true;
    const tell = () => show(`Sending the pictures, ${Math.min(++done, total)} of ${total}`, done / total);
    show("Sending the pictures", 0);
    const order = { name: part("name").value.trim(), aligned: Boolean(part("aligned")?.checked) };
    try {
      if (kind() === "groups") {
        order.having = await sent(files.having, tell);
        order.lacking = await sent(files.lacking, tell);
      } else {
        order.pictures = await sent(files.pictures, tell);
        [order.table] = await sent(files.table, tell);
        if (part("column").value.trim()) order.column = part("column").value.trim();
      }
    } catch (error) {
      setBusy(false);
      return lwe.notify("error", config.uploadFailed);
    }
    if (stopped) return end(config.cancelled, "info");
    const answer = await lwe.call("train", order);
    if (!answer || answer.error) return end(answer?.error || lwe.NO_ANSWER, "error");
    if (stopped) lwe.call("stop_training", null);
    return follow();
  }

  function stop() {
    stopped = true;
    part("stop").disabled = true;
    lwe.call("stop_training", null);
  }

  // Asks how far the training is until it has ended.
  async function follow() {
    let silent = 0;
    for (;;) {
      const answer = await lwe.call("training", null);
      if (answer?.error) return end(answer.error, "error");
      // A server that was started anew knows of no training.
      silent = answer?.phase ? 0 : silent + 1;
      if (silent > 10) return end(lwe.NO_ANSWER, "error");
      if (answer?.phase && answer.phase !== "working") return finished(answer);
      if (answer?.phase) show(`${answer.name}: ${answer.text}`, answer.share);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  async function finished({ phase, text, grid }) {
    if (phase === "done") {
      await lwe.own.refresh();
      if (grid) part("grid").src = grid;
      part("grid").hidden = !grid;
      Object.keys(files).forEach((side) => { files[side] = []; });
      part("name").value = "";
    }
    end(text, { done: "info", cancelled: "info" }[phase] || "error");
  }

  function end(text, how) {
    setBusy(false);
    show(text, null);
    lwe.notify(how, text);
  }

  // A training that this user began before the page was loaded anew goes on.
  lwe.on("connected", async () => {
    const answer = await lwe.call("training", null);
    if (answer?.phase !== "working" || busy) return;
    part("new").open = true;
    layOut();
    setBusy(true);
    follow();
  });

  // ---- drawing ----
  function setBusy(value) {
    busy = value;
    part("train").disabled = busy;
    part("stop").disabled = !busy;
    element.querySelectorAll(".form input").forEach((input) => { input.disabled = busy; });
    draw();
  }

  function show(text, share) {
    const bar = part("training-bar");
    const known = typeof share === "number";
    part("progress").hidden = false;
    part("training-text").textContent = text;
    bar.hidden = !busy;
    bar.classList.toggle("unknown", !known);
    bar.firstElementChild.style.width = known ? `${100 * share}%` : "";
    if (known) bar.setAttribute("aria-valuenow", Math.round(100 * share)); else bar.removeAttribute("aria-valuenow");
  }

  function draw() {
    element.querySelectorAll("[data-kind]").forEach((box) => { box.hidden = box.dataset.kind !== kind(); });
    element.querySelectorAll("[data-count]").forEach((output) => {
      const list = files[output.dataset.count];
      output.textContent = !list.length ? "none" : output.dataset.count === "table" ? list[0].name : `${list.length} pictures`;
    });
  }

  function drawMine() {
    if (!part("mine")) return;
    const rows = [
      ...lwe.own.edits().filter((edit) => edit.mine).map(({ id, name }) => ({ id, name, text: "" })),
      ...lwe.own.problems().map(({ id, text }) => ({ id, name: id, text })),
    ];
    part("mine").hidden = !rows.length;
    part("mine-list").replaceChildren(...rows.map(({ id, name, text }) => {
      const item = document.createElement("li");
      const button = Object.assign(document.createElement("button"), { type: "button", className: "quiet", textContent: "Remove" });
      button.setAttribute("aria-label", `Remove ${name}`);
      button.addEventListener("click", () => remove(id));
      item.append(Object.assign(document.createElement("span"), { textContent: name }), button);
      if (text) item.append(Object.assign(document.createElement("p"), { className: "hint", textContent: text }));
      return item;
    }));
  }
  lwe.on("own", drawMine);

  async function remove(id) {
    const answer = await lwe.call("remove_edit", { id });
    if (!answer || answer.error) return lwe.notify("error", answer?.error || lwe.NO_ANSWER);
    lwe.notify("info", answer.text);
    await lwe.own.refresh();
    return part("new").querySelector("summary").focus();
  }
};
