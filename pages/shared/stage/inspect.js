// One pixel of a held-out image under every decoder: its p(x_d|z,w) drawn, and ln p in numbers, at the step shown.

async function inspect(stage, image, pixel) {
  const asked = (stage.inspected = { image, pixel, found: new Map() });
  drawInspector(stage);
  if (!stage.root.activeElement) stage.find(".inspector button").focus({ preventScroll: true }); // so that Escape is heard
  const lanes = stage.data.lanes.filter((lane) => stage.feed.runs[lane.run]?.snapshots.length);
  await Promise.all(lanes.map(async (lane) => asked.found.set(lane.run, await askPixel(lane.run, image, pixel).catch((error) => error.message))));
  if (stage.inspected === asked) drawInspector(stage);
}

function closeInspector(stage) {
  if (!stage.inspected) return;
  stage.inspected = null;
  stage.find(".inspector").hidden = true;
  drawMarks(stage);
  stage.xStrip.frame.focus({ preventScroll: true });
}

function drawInspector(stage) {
  const { inspected, data } = stage;
  const panel = stage.find(".inspector");
  panel.hidden = !inspected;
  if (!inspected) return;
  panel.style.bottom = `${stage.find(".floor").offsetHeight}px`; // the playhead stays at hand
  const { image, pixel, found } = inspected;
  if (!panel.firstChild) buildInspector(stage, panel);
  const seen = new Set([...found.values()].filter((one) => one.steps?.length).map((one) => one.x));
  const [x] = seen.size === 1 ? seen : []; // with noise on pixels, masses keep the stored ones
  panel.said.textContent =
    `Held-out image ${image + 1} of ${stage.xStrip.columns}, pixel d = ${pixel} (row ${Math.floor(pixel / data.side)}, column ${pixel % data.side}, counted from 0)` +
    (x === undefined ? "" : `: x = ${number(x)}`) + ", z = m.";
  data.lanes.forEach((lane, index) => drawDensity(lane, found.get(lane.run), stage.step, panel.panels[index]));
}

function buildInspector(stage, panel) {
  const bar = panel.appendChild(document.createElement("div"));
  bar.className = "bar";
  panel.said = bar.appendChild(document.createElement("span"));
  panel.said.setAttribute("aria-live", "polite");
  const close = bar.appendChild(document.createElement("button"));
  Object.assign(close, { type: "button", textContent: "Close (Esc)", onclick: () => closeInspector(stage) });
  const all = panel.appendChild(document.createElement("div"));
  all.className = "densities";
  panel.panels = stage.data.lanes.map((lane) => {
    const one = all.appendChild(document.createElement("div"));
    one.appendChild(document.createElement("strong")).textContent = lane.title;
    one.svg = one.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "svg"));
    one.svg.setAttribute("viewBox", "0 0 300 158");
    one.svg.setAttribute("role", "img");
    one.says = one.appendChild(document.createElement("div"));
    one.log = one.appendChild(document.createElement("b"));
    return one;
  });
}

function drawDensity(lane, told, step, panel) {
  const known = told?.steps?.length;
  panel.svg.style.visibility = known ? "visible" : "hidden";
  if (!known) {
    panel.says.textContent = typeof told === "string" ? told : told ? "A run of an earlier version of this app: its pixels were not kept." : "";
    panel.log.textContent = "";
    return;
  }
  const { key, settings, colour } = lane;
  const likelihood = LIKELIHOODS[key];
  // The same height for all steps, so that a curve that narrows is seen to grow.
  told.peak ??= Math.max(...told.outputs.map((f) => peak(likelihood, f, settings)));
  const at = told.steps.findLastIndex((one) => one <= step);
  const f = told.outputs[Math.max(0, at)];
  const says = likelihood.say(f, settings, number);
  (valuesOf(likelihood, settings) ? bars : curve)(panel.svg, f, told.x, { likelihood, settings, colour, peak: told.peak });
  panel.svg.setAttribute("aria-label", `p(x_d|z,w) of this pixel under ${lane.title}: ${says}`);
  panel.says.textContent = `${says.replaceAll("_d", "")}: ${height(f, told.x, { likelihood, settings }).replaceAll("_d", "")}`;
  const unit = supports(likelihood, told.x, settings) ? "ln p(x|z,w)" : "−BCE";
  panel.log.textContent = `${unit} of this pixel = ${number(likelihood.log_prob(f, told.x, settings))} nats`;
}
