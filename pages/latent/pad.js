// The pad: a plane of latent space to walk through; the decoders run here and nothing is sent until the walk pauses.

const SIZE = 400; // of the plane, in its own units
const STEP = 0.1; // of z, an arrow key

export default function (component) {
  const use = (pad) => {
    pad.send = (value) => component.setStateValue("at", value);
    dress(pad);
  };
  return withNetworks(component, makePad, use);
}

// Draw the ground where its colours or its width are new; else what was drawn stays: this is called at every rerun.
function dress(pad) {
  const colour = getComputedStyle(pad.find(".pad")).getPropertyValue("--st-secondary-background-color");
  const look = `${colour} ${pad.find(".plane").clientWidth}`;
  if (pad.look !== look) drawGround(pad);
  pad.look = look;
}

function makePad(root, data) {
  const find = (selector) => root.querySelector(selector);
  const latents = data.kl.length;
  const pad = {
    ...data, root, find, control: (name) => find(`[name=${name}]`), latents, frame: 0, said: "", image: -1,
    z: new Float32Array(latents),
    axes: [data.order[0], data.order[1] ?? -1], // -1: there is one latent, and height means nothing
    codes: readCodes(data),
    runs: readRuns(data),
    x: scale([-data.reach, data.reach], [0, SIZE]),
    y: scale([-data.reach, data.reach], [SIZE, 0]),
  };
  goTo(pad, data.start);
  makeControls(pad);
  makeRuns(pad);
  find(".pad").classList.toggle("one", pad.runs.length === 1);
  find(".spoken").textContent = "";
  pad.watch = new ResizeObserver(() => dress(pad));
  pad.watch.observe(find(".plane"));
  show(pad);
  return pad;
}

// Where to stand: { axes, z, image }, each part optional. The other latents are 0, or those of the image.
function goTo(pad, { axes = [], z = [], image = -1 }) {
  const known = axes.length === Math.min(2, pad.latents) && axes.every((axis) => axis < pad.latents);
  if (axes.length && !known) pad.said = `This run has ${pad.latents} latents; the link's z is for another one.`;
  if (known) axes.forEach((axis, index) => (pad.axes[index] = axis));
  if (image >= pad.codes.count) pad.said = `There are ${pad.codes.count} held-out images here, numbered from 0.`;
  pad.image = image < pad.codes.count ? image : -1;
  hold(pad);
  if (known) z.forEach((value, index) => place(pad, index, value));
}

function hold(pad) {
  const from = pad.image * pad.latents;
  pad.z.set(pad.image < 0 ? new Float32Array(pad.latents) : pad.codes.m.subarray(from, from + pad.latents));
}

// Set z along one axis of the plane; beyond its edge z stays on it, and that is told.
function place(pad, index, value) {
  if (pad.axes[index] < 0 || !Number.isFinite(value)) return;
  const kept = clamp(value, -pad.reach, pad.reach);
  if (kept !== value) pad.said = `z is kept within ±${pad.reach} on this plane.`;
  pad.z[pad.axes[index]] = kept;
}

function makeControls(pad) {
  const { find, control } = pad;
  const named = (latent) => `${latentName(latent)}: KL ${pad.kl[latent].toFixed(2)} nats`;
  planeControls(pad, named, () => moved(pad, () => {}, true, true));
  for (const [index, name] of ["x", "y"].entries()) {
    control(name).onchange = (event) => moved(pad, () => place(pad, index, Number(event.target.value)), true);
    Object.assign(control(name), { min: -pad.reach, max: pad.reach });
  }
  control("behind").onchange = control("points").onchange = () => drawGround(pad);
  control("image").max = pad.codes.count - 1;
  control("go").onclick = () => toImage(pad, control("image").value);
  control("image").onkeydown = (event) => {
    if (event.key === "Enter") toImage(pad, control("image").value); // and returns nothing: false would forbid all keys
  };
  control("origin").onclick = () => moved(pad, () => goTo(pad, { image: -1 }), true, true);
  control("draw").onclick = () => show(pad);
  const surface = find(".surface");
  surface.setAttribute("aria-label", "A plane of latent space: drag, or use the arrow keys, to move z. Shift makes larger steps.");
  holdable(surface);
  draggable(surface, {
    move: (x, y) => {
      pad.before ??= pad.z.slice();
      moved(pad, () => [pad.x.invert(x), pad.y.invert(y)].forEach((value, index) => place(pad, index, value)));
    },
    step: (dx, dy) => moved(pad, () => [dx, dy].forEach((by, index) => by && place(pad, index, pad.z[pad.axes[index]] + STEP * by))),
    end: () => {
      pad.before = null;
      tell(pad);
    },
    cancel: () => {
      moved(pad, () => pad.z.set(pad.before));
      pad.before = null;
    },
  });
}

function toImage(pad, text) {
  const image = imageNumber(pad, text, pad.codes.count);
  if (image !== null) moved(pad, () => goTo(pad, { image }), true, true);
}

// Move z by `change` and draw at the next frame. `final`: tell Python. `others`: the plane itself is another one now.
function moved(pad, change, final = false, others = false) {
  pad.said = "";
  change();
  if (others) drawGround(pad);
  cancelAnimationFrame(pad.frame);
  pad.frame = requestAnimationFrame(() => show(pad));
  if (final) tell(pad);
}

function tell(pad) {
  const axes = pad.axes.filter((axis) => axis >= 0);
  pad.send({ axes, z: axes.map((axis) => Number(pad.z[axis].toFixed(4))), image: pad.image });
  const z = axes.map((axis) => `${latentName(axis)} = ${pad.z[axis].toFixed(2).replace("-", "−")}`);
  pad.find(".spoken").textContent = `${z.join(", ")}. ${where(pad)}`;
}

// What is decoded at z ------------------------------------------------------------------------------------------------

function makeRuns(pad) {
  pad.runs.forEach((run) => {
    const box = document.createElement("div");
    box.className = "run";
    box.style.borderLeftColor = run.colour;
    box.innerHTML = '<h2></h2><div class="pictures"></div>';
    box.querySelector("h2").textContent = run.decode ? run.name : `${run.name}: likelihoods.js has no such decoder yet`;
    const figure = (caption) => {
      const canvas = captioned(caption, `${caption}, ${run.name}`);
      box.querySelector(".pictures").append(canvas.parentNode);
      return canvas;
    };
    const real = LIKELIHOODS[run.likelihood]?.support === "real"; // else within [0,1] already
    const noise = run.shared.length && run.decode ? `, σ = ${run.decode(pad.z).sigma[0].toFixed(3)} at every pixel and z` : "";
    const captions = { mean: `mean of p(x|z,w)${real ? ", clipped" : ""}`, sample: `a sample${noise}${real ? ", clipped for display" : ""}` };
    if (run.sigma) captions.sigma = `σ, dark ${run.sigma.dark.toFixed(2)} (${run.sigma.is}) to bright 1 or more`;
    run.canvases = run.decode && Object.fromEntries(Object.entries(captions).map(([name, caption]) => [name, figure(caption)]));
    run.box = box;
  });
  const held = document.createElement("div");
  held.className = "run held hidden";
  held.innerHTML = '<div class="pictures"></div>';
  held.firstChild.append(captioned("", "The held-out image").parentNode);
  pad.find(".runs").replaceChildren(...pad.runs.map((run) => run.box), held);
}

function show(pad) {
  const { side, x, y, axes, z } = pad;
  const draw = chance();
  for (const run of pad.runs.filter((one) => one.decode)) {
    const decoded = run.decode(z);
    paint(run.canvases.mean, side, decoded.mean);
    paint(run.canvases.sample, side, decoded.sample(draw));
    if (run.canvases.sigma) paintSigma(run.canvases.sigma, side, decoded.sigma, run.sigma.dark);
  }
  const surface = pad.find(".surface");
  const [cx, cy] = [x(z[axes[0]]), axes[1] < 0 ? SIZE / 2 : y(z[axes[1]])];
  const mark = part(surface, "mark", "g", { "pointer-events": "none" });
  const line = { stroke: pad.said ? "#D55E00" : "var(--st-text-color)", "stroke-width": 1.5 };
  part(mark, "down", "line", { x1: cx, x2: cx, y1: 0, y2: SIZE, ...line, "stroke-opacity": 0.35 });
  if (axes[1] >= 0) part(mark, "over", "line", { x1: 0, x2: SIZE, y1: cy, y2: cy, ...line, "stroke-opacity": 0.35 });
  const r = 8 * Math.max(1, SIZE / (pad.find(".plane").clientWidth || SIZE)); // as large on a small screen
  part(mark, "halo", "circle", { cx, cy, r, fill: "none", stroke: "var(--st-background-color)", "stroke-width": 0.75 * r });
  part(mark, "ring", "circle", { cx, cy, r, fill: "none", ...line, "stroke-width": 0.375 * r });
  if (pad.find(".told").textContent !== pad.said) pad.find(".told").textContent = pad.said;
  for (const [index, name] of ["x", "y"].entries()) {
    if (axes[index] < 0) continue;
    pad.control(name).value = z[axes[index]].toFixed(2);
    pad.find(`.name-${name}`).textContent = `${latentName(axes[index])} =`;
    pad.control(["across", "up"][index]).value = axes[index];
  }
  showHeld(pad);
  pad.find(".where").textContent = where(pad);
  pad.root.host?.setAttribute("data-z", [...z].map((value) => value.toFixed(4)).join(" "));
}

function showHeld(pad) {
  const held = pad.find(".held");
  const pixels = pad.side ** 2;
  const pictured = pad.image >= 0 && (pad.image + 1) * pixels <= pad.pictures.length;
  held.classList.toggle("hidden", !pictured);
  if (!pictured) return;
  paint(held.querySelector("canvas"), pad.side, pad.pictures.subarray(pad.image * pixels), (value) => value);
  held.querySelector("figcaption").textContent = `held-out image ${pad.image}, x`;
}

function where(pad) {
  const shown = (value) => value.toFixed(1).replace("-", "−");
  const others = pad.latents - pad.axes.filter((axis) => axis >= 0).length;
  const whose = pad.runs.length > 1 ? ` of ${pad.runs[0].name}` : "";
  const held = pad.image < 0 ? "at 0" : `at the code m of held-out image ${pad.image}${whose && `, by the encoder${whose}`}`;
  return (
    `ln p(z) = ${shown(logPrior(pad.z))} nats, the log density of the prior.` +
    (others ? ` The other ${others} latent${others > 1 ? "s are" : " is"} held ${held}.` : "")
  );
}
