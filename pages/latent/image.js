// From an image: its q(z|x) = N(m, diag s²), draws z = m + s ⊙ ε with ε held, and what each decodes to. All of it here:
// the encoder runs in the browser too, so that x can be drawn and m and s be moved at once.

const SIZE = 400;
const DRAWS = 6;
const [LEAST_S, MOST_S] = [0.01, 3];
const HANDLE = 26; // how far beyond s its handle lies, so that a small s can be gripped

export default function (component) {
  const use = (view) => {
    view.send = (image) => component.setStateValue("image", image);
    drawAll(view);
  };
  return withNetworks(component, makeView, use);
}

function makeView(root, data) {
  const latents = data.kl.length;
  const view = {
    ...data, root, latents, said: "", seed: 1, frame: 0, grip: null,
    find: (selector) => root.querySelector(selector),
    control: (name) => root.querySelector(`[name=${name}]`),
    run: readRuns(data)[0],
    pixels: new Float32Array(data.side ** 2),
    axes: [data.order[0], data.order[1] ?? -1],
  };
  view.count = data.pictures.length / view.pixels.length;
  newNoise(view);
  open(view, data.start);
  makeControls(view);
  makeSketch(view);
  makeFigures(view);
  return view;
}

function newNoise(view) {
  view.eps = Float32Array.from({ length: DRAWS * view.latents }, chance(uniforms(view.seed++)).normal);
}

function open(view, image) {
  view.image = clamp(image, 0, view.count - 1);
  view.pixels.set(view.pictures.subarray(view.image * view.pixels.length, (view.image + 1) * view.pixels.length));
  view.pixels.forEach((value, d) => (view.pixels[d] = value / 255));
  encode(view);
}

// m and s of q(z|x), as the encoder says.
function encode(view) {
  const seen = view.black_and_white ? view.pixels.map((value) => (value > 0.5 ? 1 : 0)) : view.pixels;
  const outputs = view.run.encode(seen);
  view.m = outputs.slice(0, view.latents);
  view.s = outputs.subarray(view.latents).map((logVar) => Math.exp(0.5 * logVar));
  look(view);
}

// The part of the plane to show: all of it, or so near to q(z|x) that its shape can be seen. It stays while m and s move.
function look(view) {
  const near = view.control("near").checked;
  const shown = view.axes.filter((axis) => axis >= 0);
  const half = near ? clamp(6 * Math.max(...shown.map((axis) => view.s[axis])), 0.1, view.reach) : view.reach;
  const [cx, cy] = view.axes.map((axis) => (near && axis >= 0 ? view.m[axis] : 0));
  view.across = scale([cx - half, cx + half], [0, SIZE]);
  view.up = scale([cy - half, cy + half], [SIZE, 0]);
}

function makeControls(view) {
  const { control } = view;
  planeControls(view, latentName, () => changed(view, () => look(view)));
  [0, 1].forEach((index) => {
    control(`m${index}`).onchange = (event) => changed(view, () => setM(view, index, Number(event.target.value)));
    control(`s${index}`).onchange = (event) => changed(view, () => setS(view, index, Number(event.target.value)));
  });
  control("image").max = view.count - 1;
  control("image").onchange = (event) => {
    const image = imageNumber(view, event.target.value, view.count);
    if (image === null) return;
    changed(view, () => open(view, image));
    view.send(image);
  };
  control("clear").onclick = () => changed(view, () => (view.pixels.fill(0), encode(view)));
  control("encoded").onclick = () => changed(view, () => encode(view));
  control("near").onchange = () => changed(view, () => look(view));
  control("noise").onclick = () => changed(view, () => newNoise(view));
  holdable(view.find(".surface"));
  draggable(view.find(".surface"), {
    move: (x, y) => {
      view.before ??= { m: view.m.slice(), s: view.s.slice() };
      changed(view, () => drag(view, x, y));
    },
    step: (dx, dy) => changed(view, () => [dx, dy].forEach((by, index) => by && setM(view, index, view.m[view.axes[index]] + 0.1 * by))),
    end: () => {
      letGo(view);
      speak(view);
    },
    cancel: () => {
      changed(view, () => Object.assign(view, view.before));
      letGo(view);
    },
  });
}

const letGo = (view) => Object.assign(view, { grip: null, before: null });

// What a listener hears once a drag or a key has ended.
function speak(view) {
  const shown = view.axes.filter((axis) => axis >= 0).flatMap((axis) => ["m", "s"].map((letter) => {
    const value = view[letter][axis].toFixed(2).replace("-", "−");
    return `${latentName(axis).replace("z", letter)} = ${value}`;
  }));
  view.find(".spoken").textContent = `${shown.join(", ")}. ${told(view)}`;
}

const within = (view, value, low, high, name) => {
  const kept = clamp(value, low, high);
  if (kept !== value) view.said = `${name} is kept from ${low} to ${high}.`;
  return kept;
};

function setM(view, index, value) {
  if (view.axes[index] >= 0 && Number.isFinite(value)) view.m[view.axes[index]] = within(view, value, -view.reach, view.reach, "m");
}

function setS(view, index, value) {
  if (view.axes[index] >= 0 && Number.isFinite(value)) view.s[view.axes[index]] = within(view, value, LEAST_S, MOST_S, "s");
}

// The pointer takes whatever lies nearest to it when it comes down: m, or one of the two handles of s.
function drag(view, x, y) {
  const grips = gripsOf(view);
  const distance = (grip) => Math.hypot(grips[grip][0] - x, grips[grip][1] - y);
  view.grip ??= Object.keys(grips).reduce((best, grip) => (distance(grip) < distance(best) ? grip : best));
  const unit = view.across(1) - view.across(0);
  if (view.grip === "m") {
    setM(view, 0, view.across.invert(x));
    setM(view, 1, view.up.invert(y));
  } else if (view.grip === "s0") setS(view, 0, (x - HANDLE - grips.m[0]) / unit);
  else setS(view, 1, (grips.m[1] - HANDLE - y) / unit);
}

function gripsOf({ m, s, axes, across, up }) {
  const unit = across(1) - across(0);
  const at = [across(m[axes[0]]), axes[1] < 0 ? SIZE / 2 : up(m[axes[1]])];
  const grips = { m: at, s0: [at[0] + unit * s[axes[0]] + HANDLE, at[1]] };
  if (axes[1] >= 0) grips.s1 = [at[0], at[1] - unit * s[axes[1]] - HANDLE];
  return grips;
}

// Drawing on x: a soft pen of about a stroke's width.
function makeSketch(view) {
  const canvas = view.find(".sketch");
  const radius = 1.2 * (view.side / 28);
  const ink = (event) => {
    const box = canvas.getBoundingClientRect();
    const [px, py] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height].map((v) => v * view.side);
    for (let d = 0; d < view.pixels.length; d++) {
      const away = Math.hypot((d % view.side) + 0.5 - px, Math.floor(d / view.side) + 0.5 - py);
      view.pixels[d] = Math.max(view.pixels[d], clamp(radius + 0.5 - away, 0, 1));
    }
    changed(view, () => encode(view));
  };
  canvas.onpointerdown = (event) => {
    canvas.setPointerCapture(event.pointerId);
    canvas.drawing = true;
    ink(event);
  };
  canvas.onpointermove = (event) => {
    if (canvas.drawing) ink(event);
  };
  canvas.onpointerup = canvas.onpointercancel = () => {
    canvas.drawing = false;
  };
}

function makeFigures(view) {
  const captions = ["at z = m", ...Array.from({ length: DRAWS }, (_, l) => `z${"¹²³⁴⁵⁶"[l]} = m + s ⊙ ε${"¹²³⁴⁵⁶"[l]}`)];
  view.canvases = captions.map((caption) => captioned(caption, `Mean of p(x|z,w) ${caption}`));
  view.find(".draws").replaceChildren(...view.canvases.map((canvas) => canvas.parentNode));
}

function changed(view, change) {
  view.said = "";
  change();
  cancelAnimationFrame(view.frame);
  view.frame = requestAnimationFrame(() => drawAll(view));
}

function drawAll(view) {
  const { m, s, eps, latents, axes } = view;
  const zs = Array.from({ length: DRAWS }, (_, l) => m.map((value, j) => value + s[j] * eps[l * latents + j]));
  paint(view.find(".sketch"), view.side, view.pixels);
  [m, ...zs].forEach((z, index) => paint(view.canvases[index], view.side, view.run.decode(z).mean));
  const epsilons = zs.map((_, l) => eps.subarray(l * latents, (l + 1) * latents));
  drawPlane(view, view.find(".noise"), epsilons, scale([-4, 4], [0, SIZE]), scale([-4, 4], [SIZE, 0]), "ε");
  const surface = view.find(".surface");
  drawPlane(view, surface, zs, view.across, view.up, "z");
  drawQ(view, surface);
  for (const index of axes[1] < 0 ? [0] : [0, 1]) {
    const name = latentName(axes[index]).slice(1);
    for (const [letter, values] of [["m", m], ["s", s]]) {
      view.find(`.name-${letter}${index}`).textContent = `${letter}${name} =`;
      view.control(letter + index).value = values[axes[index]].toFixed(2);
    }
    view.control(["across", "up"][index]).value = axes[index];
  }
  view.control("image").value = view.image;
  view.find(".told").textContent = view.said;
  view.find(".where").textContent = told(view);
}

// The prior's circles and the draws, numbered.
function drawPlane(view, svg, points, across, up, letter) {
  const flat = view.axes[1] < 0;
  const dashed = { fill: "none", stroke: "var(--st-text-color)", "stroke-opacity": 0.5, "stroke-dasharray": "5 4" };
  for (const sigma of [1, 2, 3]) {
    const circle = { cx: across(0), cy: up(0), r: across(sigma) - across(0), ...dashed };
    part(svg, `prior ${sigma}`, "circle", circle);
  }
  const name = (axis) => latentName(axis).replace("z", letter);
  part(svg, "across", "text", { x: SIZE - 6, y: SIZE - 8, "text-anchor": "end" }, `${name(view.axes[0])} →`);
  part(svg, "up", "text", { x: 8, y: 20 }, flat ? "" : `${name(view.axes[1])} ↑`);
  points.forEach((point, l) => {
    const [x, y] = [across(point[view.axes[0]]), flat ? SIZE / 2 : up(point[view.axes[1]])];
    part(svg, `point ${l}`, "circle", { cx: x, cy: y, r: 4, fill: "#D55E00" });
    part(svg, `number ${l}`, "text", { x: x + 6, y: y - 4 - (flat ? 14 * (l % 3) : 0) }, String(l + 1));
  });
}

// q(z|x) at one and two standard deviations, with the handles of m and s.
function drawQ(view, svg) {
  const { s, axes } = view;
  const grips = gripsOf(view);
  const unit = view.across(1) - view.across(0);
  const [cx, cy] = grips.m;
  for (const sigma of [1, 2]) {
    const [rx, ry] = [unit * sigma * s[axes[0]], axes[1] < 0 ? 6 : unit * sigma * s[axes[1]]];
    part(svg, `q ${sigma}`, "ellipse", { cx, cy, rx, ry, fill: "#0072B2", "fill-opacity": 0.15, stroke: "#0072B2", "stroke-width": 2 });
  }
  part(svg, "grip m", "circle", { cx, cy, r: 7, fill: "#0072B2", stroke: "#fff", "stroke-width": 1.5 });
  for (const grip of ["s0", "s1"].filter((one) => grips[one])) {
    const [x, y] = grips[grip];
    part(svg, `grip ${grip}`, "rect", { x: x - 6, y: y - 6, width: 12, height: 12, fill: "#009E73", stroke: "#fff", "stroke-width": 1.5 });
  }
}

function told({ m, s, latents, axes }) {
  const kl = m.reduce((sum, value, j) => sum + 0.5 * (value * value + s[j] * s[j] - 1 - 2 * Math.log(s[j])), 0);
  const others = latents - axes.filter((axis) => axis >= 0).length;
  const rest = others ? ` The other ${others} latents keep their m and s, and have their own ε.` : "";
  return `KL(q(z|x)‖p(z)) at this m and s: ${kl.toFixed(2)} nats.${rest} The pictures are means of p(x|z,w).`;
}
