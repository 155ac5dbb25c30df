// Drawing the stage as it stands at the step shown.

function draw(stage) {
  const { data, feed, find } = stage;
  for (const press of stage.toggles) press();
  stage.lanes.forEach((one) => drawLane(stage, one, feed.runs[one.lane.run]));
  const idle = data.lanes.map((lane, index) => !data.statuses[index] && !feed.runs[lane.run]);
  stage.lanes.forEach(({ section }, index) => (section.dataset.idle = idle[index]));
  find(".left").dataset.idle = !idle.includes(false);
  set(stage.ahead, data.ahead);
  const first = data.lanes.map((lane) => snapshotAt(feed.runs[lane.run], stage.step)).find(Boolean);
  paintSheet(stage.xStrip, first?.sheets.input, data.side, GREYS);
  if (stage.fresh) drawCurves(stage);
  stage.fresh = false;
  drawPlayhead(stage);
  drawRemarks(stage);
  drawMarks(stage);
  if (stage.inspected) drawInspector(stage);
  const live = stage.follow && data.lanes.some((lane) => feed.runs[lane.run]?.status === "running");
  find(".step").textContent = `step ${stage.step.toLocaleString("en")} of ${data.total_steps.toLocaleString("en")}${live ? ", live" : ""}`;
  find("[name=play]").dataset.playing = stage.playing;
  find("[name=play]").setAttribute("aria-label", stage.playing ? "Pause" : "Play");
  find("[name=live]").setAttribute("aria-pressed", stage.follow);
}

function drawLane(stage, one, run) {
  const { lane } = one;
  const snapshot = snapshotAt(run, stage.step);
  set(one.state, stateOf(run, lane));
  one.state.title = run?.message ?? "";
  const terms = termsOf(lane, snapshot, stage.bits);
  if (one.said !== terms.html) one.terms.innerHTML = one.said = terms.html;
  for (const name of ["mean", "sample"]) paintSheet(one[name], snapshot?.sheets[name], stage.data.side, GREYS);
  paintSheet(one.sigma, snapshot?.sheets.sigma, stage.data.side, COLOURS);
  paintSheet(one.prior, snapshot?.sheets[`prior_${stage.prior}`], stage.data.side, GREYS);
  set(one.priorCaption, `new, z from the prior: ${stage.prior}s${stage.prior === "sample" && lane.clipped ? ", clipped" : ""}`);
  if (snapshot?.sigma) set(one.sigmaCaption, sigmaWords(lane, snapshot.sigma));
}

function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function stateOf(run, lane) {
  if (!run) return `not trained yet: ${lane.total_steps.toLocaleString("en")} steps`;
  if (run.removed) return "deleted: train it again for the same numbers";
  const { status, step, in_line: inLine, training, message } = run;
  const at = `step ${step.toLocaleString("en")} of ${lane.total_steps.toLocaleString("en")}`;
  const left = run.seconds_left === null ? "" : `, ${Math.max(1, Math.round(run.seconds_left))} s left`;
  const others = inLine > 1 ? `, and ${inLine - 1} more; learners take turns` : "";
  if (status === "queued") return message || (others || training ? `waiting for a worker${others}` : "starting");
  if (status === "running") return `${at}${left}${message && `. ${message}`}`;
  if (status === "done") return `done: ${step.toLocaleString("en")} steps in ${run.seconds.toFixed(1)} s`;
  return `${status}: ${message}`;
}

const nats = (value) => fixed(value, 1);
function fixed(value, digits) {
  const [whole, decimals] = Math.abs(value).toFixed(digits).split(".");
  const text = whole.replace(/\B(?=(\d{3})+$)/g, ",") + (decimals ? `.${decimals}` : "");
  return (value < 0 && /[1-9]/.test(text) ? "−" : "") + text;
}

// The two terms after the step shown, held out, with each symbol lighting its figure.
function termsOf(lane, snapshot, bits = false) {
  if (!snapshot) return { html: "", text: "not begun" };
  const [reconstruction, elbo] = lane.kind === "loss" ? ["−BCE", "−BCE − KL"] : ["E ln p", "ELBO"];
  const name = (lights, text) => `<span data-lights="${lights}">${text}</span>`;
  const rest = `${name("mse", `MSE ${fixed(snapshot.mse, 4)}`)} · ${snapshot.active_latents} of ${lane.latent_dim} latents active`;
  const text = `${elbo} ${nats(snapshot.elbo)}, KL ${nats(snapshot.kl)} nats per image`;
  if (bits) {
    const said = snapshot.bits
      ? `${name("reconstruction", `−E log₂ P <b>${fixed(snapshot.bits[0], 3)}</b>`)}, with the KL <b>${fixed(snapshot.bits[1], 3)}</b> bits a pixel`
      : lane.without_bits;
    return { html: `${said}<br>${rest}`, text };
  }
  const sum = `${name("reconstruction", `${reconstruction} <b>${nats(snapshot.reconstruction)}</b>`)} − ${name("kl", `KL <b>${nats(snapshot.kl)}</b>`)} = ${elbo === "ELBO" ? "ELBO " : ""}<b>${nats(snapshot.elbo)}</b>`;
  return { html: `${sum}<br>${rest}`, text };
}

function sigmaWords(lane, sigma) {
  if (lane.n_shared) return `σ = ${sigma.median.toFixed(3)} at every pixel${sigma.pixels_on_floor ? ", its floor" : ""}`;
  return `σ: dark ${Number(sigma.floor.toPrecision(3))}, its floor (${Math.round(sigma.pixels_on_floor)} pixels on average), to bright ≥ 1`;
}

// Curves ----------------------------------------------------------------------------------------------------------------

const [KL_PANEL, MSE_PANEL, BOTTOM] = [[12, 46], [60, 94], 94]; // from and to which height

function drawCurves(stage) {
  const { data, feed, bits } = stage;
  const runs = data.lanes.map((lane) => feed.runs[lane.run]);
  const own = data.lanes.map((lane, index) => reconstructionLines(lane, runs[index], bits));
  const shared = bits ? [0, 1.25 * data.uniform_bits] : null;
  stage.lanes.forEach(({ chart, lane }, index) => {
    const width = inPixels(chart, 84);
    const what = bits ? "−E log₂ P(x|z,w), bits a pixel" : lane.kind === "loss" ? "−BCE, nats" : "E ln p(x|z,w), nats";
    part(chart, "name", "text", { x: 48, y: 9, class: "name" }, what);
    const domain = shared ?? domainOf(own[index].slice(0, 1));
    stage.ownX = plot(chart, "own", { top: 14, bottom: 78, right: width - 4, steps: data.total_steps, lines: own[index], domain });
    chart.setAttribute("aria-label", `${what} of ${lane.title} over the steps`);
  });
  const svg = stage.find(".shared");
  const width = inPixels(svg, 100);
  const panels = [
    [KL_PANEL, ...(bits ? ["with the KL, bits a pixel (lower is better)", (one) => one.bits?.[1]] : ["KL to the prior, nats", (one) => one.kl]), bits ? "reconstruction" : "kl"],
    [MSE_PANEL, "MSE per pixel", (one) => one.mse, "mse"],
  ];
  panels.forEach(([[top, bottom], name, of, lights], number) => {
    const lines = data.lanes.map(({ colour, dash }, index) => ({ points: curveOf(runs[index], of), colour, dash }));
    const domain = bits && !number ? shared : domainOf(lines, 1e-6);
    stage.x = plot(svg, `panel ${number}`, { top, bottom, right: width - 4, steps: data.total_steps, lines, domain });
    part(svg, `name ${number}`, "text", { x: ROOM + 4, y: top - 3, class: "name" }, `${name}, held out`);
    const lit = part(svg, `lit ${number}`, "rect", { x: 0, y: top - 10, width, height: bottom - top + 12, fill: "transparent", "pointer-events": "none" });
    lit.dataset.lights = lights;
  });
}

// One unit of a drawing is one pixel across, so that letters keep their shape.
function inPixels(svg, height) {
  const width = Math.max(120, Math.round(svg.clientWidth));
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  return width;
}

function reconstructionLines(lane, run, bits) {
  const held = { points: curveOf(run, (one) => (bits ? one.bits?.[0] : one.reconstruction)), colour: lane.colour, width: 2.4 };
  const training = { points: bits ? [] : (run?.curve ?? []).map(([step, reconstruction]) => [step, reconstruction]), colour: lane.colour, width: 1, opacity: 0.65 };
  return [held, training];
}

function drawPlayhead(stage) {
  const svg = stage.find(".shared");
  if (!stage.x) return;
  playhead(svg, stage.x(stage.step), KL_PANEL[0] - 8, BOTTOM);
  for (const { chart } of stage.lanes) playhead(chart, stage.ownX(stage.step), 12, 78);
  const value = { "aria-valuemin": 0, "aria-valuemax": stage.data.total_steps, "aria-valuenow": stage.step, "aria-valuetext": `step ${stage.step}` };
  for (const [name, one] of Object.entries(value)) svg.setAttribute(name, one);
}

// What happened up to the step shown, the newest first; a press leads to where it happened.
function drawRemarks(stage) {
  const passed = stage.feed.remarks.filter((one) => one.step <= stage.step).slice(-4).reverse();
  const said = JSON.stringify(passed);
  if (stage.remarked === said) return;
  stage.remarked = said;
  const lanes = Object.fromEntries(stage.data.lanes.map((lane) => [lane.run, lane]));
  stage.remarks.replaceChildren(
    ...passed.map(({ step, text, runs }) => {
      const item = document.createElement("li");
      const button = element(item, "button", "", `step ${step.toLocaleString("en")}`);
      button.type = "button";
      button.onclick = () => goTo(stage, step);
      item.append(` ${runs.length === 1 ? `${lanes[runs[0]]?.title}: ` : ""}${text}`);
      return item;
    }),
  );
}
