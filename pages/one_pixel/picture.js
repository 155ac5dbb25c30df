// One decoder output, one pixel. Every formula here is one of vae_core/likelihoods.py, for n_pixels = 1; a browser test
// holds the numbers against it. Nothing is sent to the server before the pointer or key is let go.

const LN_2PI = Math.log(2 * Math.PI);
const N_DRAWS = 200;
const Z = [-3, 3];
const [LEFT, RIGHT, TOP, BOTTOM] = [40, 352, 12, 186];

// Numbers ------------------------------------------------------------------------------------------------------------

const sigmoid = (a) => 1 / (1 + Math.exp(-a));
const softplus = (a) => Math.max(a, 0) + Math.log1p(Math.exp(-Math.abs(a)));
const isNormal = ({ decoder }) => decoder !== "bernoulli";
const isGrey = ({ decoder, x }) => decoder === "bernoulli" && x !== 0 && x !== 1;

// Abramowitz & Stegun 7.1.6: all terms have one sign, so nothing cancels.
function erf(x) {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) sum += term *= (2 * x * x) / (2 * n + 1);
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}
const normalCdf = (x) => 0.5 * (1 + erf(x / Math.SQRT2));

const ACTIVATIONS = {
  sigmoid,
  relu: (x) => Math.max(x, 0),
  gelu: (x) => x * normalCdf(x),
};

// a - w0 of the tiny network.
function network({ wide, bias, out }, activation, z) {
  const h = ACTIVATIONS[activation];
  return wide.reduce((sum, weight, k) => sum + out[k] * h(weight * z + bias[k]), 0);
}

function lnVariance({ decoder, log_var, sigma, floor }) {
  return decoder === "gaussian_identity" ? 2 * Math.log(sigma) : Math.max(log_var, Math.log(floor));
}

// -ln p(x|z), nats. On grey x under a Bernoulli it is the loss called BCE, and no log-probability.
function loss(state) {
  if (!isNormal(state)) return softplus(state.a) - state.x * state.a;
  const v = lnVariance(state);
  return 0.5 * ((state.x - state.a) ** 2 / Math.exp(v) + v + LN_2PI);
}

function numbers(state, noise) {
  const normal = isNormal(state);
  const mean = normal ? state.a : sigmoid(state.a);
  const stddev = normal ? Math.exp(0.5 * lnVariance(state)) : Math.sqrt(mean * (1 - mean));
  const on_floor = state.decoder === "gaussian_learned" && state.log_var <= Math.log(state.floor);
  const draws = normal ? noise.normal.map((n) => mean + stddev * n) : noise.uniform.map((u) => Number(u < mean));
  return {
    mean,
    stddev,
    on_floor,
    draws,
    log_prob: -loss(state),
    slope_a: normal ? (mean - state.x) / stddev ** 2 : mean - state.x,
    slope_log_var: on_floor ? 0 : 0.5 - 0.5 * ((state.x - mean) / stddev) ** 2,
    outside: normal ? normalCdf(-mean / stddev) + normalCdf((mean - 1) / stddev) : 0,
    share: draws.filter((x) => x < 0 || x > 1).length / N_DRAWS,
  };
}

// What the axes span: chosen when nothing is held, so that they stand still while something is dragged.
function frames(state) {
  if (!isNormal(state)) return { a: [-6, 6], x: [-0.3, 1.3], p: [0, 1], loss: [0, 6.5], network: [-6, 6] };
  const sigma = Math.exp(0.5 * lnVariance(state));
  const { a: mean, x } = state;
  const spans = [[-1, 2], [-3, 4], [-10, 11]];
  const a = spans.find(([low, high]) => low <= mean - 2.5 * sigma && mean + 2.5 * sigma <= high) ?? spans[2];
  const peak = 1 / (sigma * Math.sqrt(2 * Math.PI));
  const best = loss({ ...state, a: x });
  const most = Math.max(loss({ ...state, a: a[0] }), loss({ ...state, a: a[1] }));
  const lowest = 0.5 * (Math.log(Math.max((x - mean) ** 2, state.floor)) + 1 + LN_2PI); // over ln sigma^2, about
  return {
    a,
    x: a,
    p: [0, [0.5, 1.5, 5, 10, 15].find((top) => peak < top * 0.95) ?? 15],
    loss: [best - 0.06 * (most - best), most],
    network: a[0] === -1 ? spans[1] : a,
    variance: [lowest - 1, lowest + 6],
  };
}

// Drawing ------------------------------------------------------------------------------------------------------------

const text = (value, digits = 3) => {
  const tiny = value !== 0 && Math.abs(value) < 0.5 * 10 ** -digits;
  return (tiny ? value.toExponential(1) : value.toFixed(digits)).replaceAll("-", "−");
};
const inBrackets = (value) => (value < 0 ? `(${text(value)})` : text(value));
const percent = (share) => (share > 0 && share < 0.0005 ? "less than 0.1 %" : `${(100 * share).toFixed(1)} %`);
const sampled = ([low, high], f, count = 160) =>
  Array.from({ length: count + 1 }, (_, i) => low + ((high - low) * i) / count).map((at) => [at, f(at)]);

// A panel's frame, axes and names; what is drawn into `inside` is cut off at the frame.
function plot(svg, xs, ys, xName, yName, { bottom = BOTTOM, xTicks = roundTicks(...xs), nameAt = "start" } = {}) {
  const x = scale(xs, [LEFT, RIGHT]);
  const y = scale(ys, [bottom, TOP]);
  const box = { x: LEFT, y: TOP, width: RIGHT - LEFT, height: bottom - TOP };
  const id = `cut-${svg.dataset.panel}`;
  part(part(svg, "cut", "clipPath", { id }), "box", "rect", box);
  part(svg, "frame", "rect", { ...box, class: "frame" });
  axis(svg, "x", x, xTicks, bottom, (tick) => text(tick, 10).replace(/\.?0+$/, ""));
  axis(svg, "y", y, roundTicks(...ys), LEFT, (tick) => text(tick, 10).replace(/\.?0+$/, ""));
  part(svg, "x name", "text", { x: RIGHT, y: 220, "text-anchor": "end" }, xName);
  const place = { start: LEFT + 6, middle: (LEFT + RIGHT) / 2, end: RIGHT - 6 }[nameAt];
  part(svg, "y name", "text", { x: place, y: TOP + 13, "text-anchor": nameAt }, yName);
  return { x, y, inside: part(svg, "inside", "g", { "clip-path": `url(#${id})` }) };
}

const curve = (parent, { x, y }, points) =>
  part(parent, "curve", "path", { class: "curve", d: path(points.map(([u, v]) => [x(u), clamp(y(v), -999, 999)])) });

function band(parent, { x }, [low, high], bottom = BOTTOM, name = "unit") {
  part(parent, name, "rect", { class: name, x: x(low), width: x(high) - x(low), y: TOP, height: bottom - TOP });
}

// A diamond at the observed pixel, on an axis along the bottom.
function diamond(svg, at, bottom) {
  const d = `M${at} ${bottom - 8}l7 8l-7 8l-7 -8z`;
  part(svg, "diamond", "path", { class: "diamond", d });
  part(svg, "diamond name", "text", { x: at + 8, y: bottom - 5 }, "x");
}

function drawNetwork({ svg, state, frame, bias, bends }) {
  const panel = plot(svg.network, Z, frame.network, "z", "a");
  const points = (bends[state.activation] ??= sampled(Z, (z) => network(state.network, state.activation, z)));
  curve(panel.inside, panel, points.map(([z, bend]) => [z, bend + bias]));
  const [x, y] = [panel.x(state.z), clamp(panel.y(state.a), TOP, BOTTOM)];
  part(panel.inside, "guide", "path", { class: "guide", d: `M${x} ${BOTTOM}V${y}H${RIGHT}` });
  part(svg.network, "handle", "circle", { class: "handle z", cx: x, cy: y, r: 8 });
}

function drawLink({ svg, state, frame, now }) {
  const normal = isNormal(state);
  const panel = plot(svg.link, frame.a, normal ? frame.a : [0, 1], "a", normal ? "μ" : "λ");
  const unit = normal ? { y: panel.y(1), height: panel.y(0) - panel.y(1) } : { y: TOP, height: BOTTOM - TOP };
  part(panel.inside, "unit", "rect", { class: "unit", x: LEFT, width: RIGHT - LEFT, ...unit });
  curve(panel.inside, panel, sampled(frame.a, normal ? (a) => a : sigmoid));
  const [x, y] = [panel.x(state.a), panel.y(now.mean)];
  part(panel.inside, "guide", "path", { class: "guide", d: `M${x} ${BOTTOM}V${y}H${LEFT}` });
  part(panel.inside, "handle", "circle", { class: "handle a", cx: x, cy: y, r: 8 });
}

function drawPixel({ svg, state, frame, now, noise }) {
  const normal = isNormal(state);
  const bottom = 140;
  const panel = plot(svg.pixel, frame.x, frame.p, "x, with 200 draws", "p", {
    bottom,
    xTicks: normal ? roundTicks(...frame.x) : [0, 0.5, 1],
  });
  const { x, y, inside } = panel;
  const at = x(state.x);
  const density = (value) => Math.exp(-loss({ ...state, x: value }));
  if (normal) {
    band(inside, panel, [0, 1], bottom);
    const points = sampled(frame.x, density, 320);
    curve(inside, panel, points);
    const d = `${path([[frame.x[0], 0], ...points, [frame.x[1], 0]].map(([u, v]) => [x(u), clamp(y(v), -999, 999)]))}Z`;
    part(inside, "area", "path", { class: "area", d });
    part(inside, "stem", "line", { class: "stem", x1: at, x2: at, y1: bottom, y2: y(density(state.x)) });
    part(inside, "top", "circle", { class: "diamond", cx: at, cy: y(density(state.x)), r: 4.5 });
  } else {
    for (const value of [0, 1]) {
      const height = value ? now.mean : 1 - now.mean;
      const here = state.x === value ? "bar here" : "bar";
      const size = { x: x(value - 0.16), width: x(0.32) - x(0), y: y(height), height: bottom - y(height) };
      part(inside, `bar ${value}`, "rect", { class: here, ...size });
      const place = { x: x(value), y: Math.max(y(height) - 5, TOP + 30), "text-anchor": "middle" };
      part(svg.pixel, `mass ${value}`, "text", place, text(height));
    }
  }
  diamond(svg.pixel, at, bottom);
  const dots = { inside: "", outside: "" };
  now.draws.forEach((draw, i) => {
    const spread = normal ? 0 : 0.28 * (noise.across[i] - 0.5); // coins fall on two values: laid side by side
    dots[draw < 0 || draw > 1 ? "outside" : "inside"] += `M${x(draw + spread).toFixed(1)} ${noise.down[i]}h0.01`;
  });
  const strip = part(svg.pixel, "strip", "g", { "clip-path": "url(#cut-strip)" });
  part(part(strip, "cut", "clipPath", { id: "cut-strip" }), "box", "rect", { x: LEFT, y: 160, width: RIGHT - LEFT, height: 50 });
  part(strip, "inside", "path", { class: "dots", d: dots.inside });
  part(strip, "outside", "path", { class: "dots outside", d: dots.outside });
}

// A loss over one raw output, with its tangent where we are.
function drawLoss(svg, { state, frame }, { name, symbol, xs, ys, slope, kind }) {
  const panel = plot(svg, xs, ys, symbol, isGrey(state) ? "BCE, nats" : "−ln p(x|z,w), nats", {
    nameAt: name === "a" ? "middle" : "end", // where the curve seldom is
  });
  const { x, y, inside } = panel;
  if (name === "log_var") {
    band(inside, panel, [xs[0], Math.log(state.floor)], BOTTOM, "floor");
    part(svg, "floor name", "text", { x: LEFT + 3, y: BOTTOM - 6 }, "floor");
  }
  curve(inside, panel, sampled(xs, (value) => loss({ ...state, [name]: value })));
  const [cx, cy] = [x(state[name]), y(loss(state))];
  const way = [x(1) - x(0), (y(1) - y(0)) * slope];
  const length = 70 / Math.hypot(...way);
  const [dx, dy] = way.map((size) => size * length);
  part(inside, "tangent", "line", { class: "tangent", x1: cx - dx, x2: cx + dx, y1: cy - dy, y2: cy + dy });
  part(inside, "guide", "line", { class: `guide ${kind}`, x1: cx, x2: cx, y1: BOTTOM, y2: cy });
  const above = cy < TOP; // off the scale: an arrow at the top
  part(svg, "handle", "circle", { class: `handle ${kind}`, cx, cy: clamp(cy, TOP, BOTTOM), r: 8 });
  part(svg, "above", "text", { x: cx + 11, y: TOP + 30 }, above ? "↑ above" : "");
  return panel;
}

function draw(own) {
  const { svg, state, root, noise, texts } = own;
  own.now = numbers(state, noise);
  const { now } = own;
  drawNetwork(own);
  drawLink(own);
  drawPixel(own);
  const { x } = drawLoss(svg.loss, own, {
    name: "a", symbol: "a", kind: "a", xs: own.frame.a, ys: own.frame.loss, slope: now.slope_a,
  });
  if (isNormal(state)) diamond(svg.loss, x(state.x), BOTTOM);
  const learned = state.decoder === "gaussian_learned";
  if (learned) {
    drawLoss(svg.variance, own, {
      name: "log_var", symbol: "ln σ²", kind: "v", xs: state.limits.log_var, ys: own.frame.variance, slope: now.slope_log_var,
    });
  }
  for (const [name, words] of Object.entries(sentences(own))) {
    for (const element of texts[name] ?? []) if (element.textContent !== words) element.textContent = words;
  }
  const badge = texts.badge[0];
  badge.className = `badge ${isGrey(state) ? "loss" : isNormal(state) ? "density" : "mass"}`;
  label(svg.network, state.limits.z, state.z, `z = ${text(state.z, 2)}, a = ${text(state.a)}`);
  label(svg.link, state.limits.a, state.a, `a = ${text(state.a)}, mean ${text(now.mean)}`);
  label(svg.pixel, state.limits.x, state.x, `x = ${text(state.x, 2)}, ln p = ${text(now.log_prob)} nats`);
  label(svg.loss, state.limits.a, state.a, `a = ${text(state.a)}, slope ${text(now.slope_a)}`);
  label(svg.variance, state.limits.log_var, state.log_var, `ln σ² = ${text(state.log_var)}`);
  const { draws, ...shown } = now;
  const { decoder, a, log_var, sigma, x: pixel, z, activation } = state;
  const all = { decoder, a, log_var, sigma, x: pixel, z, activation, bias: own.bias, drawn: ++own.drawn, ...shown };
  root.dataset.numbers = JSON.stringify(all);
}

function label(svg, [low, high], value, words) {
  svg.setAttribute("aria-valuemin", low);
  svg.setAttribute("aria-valuemax", high);
  svg.setAttribute("aria-valuenow", value);
  svg.setAttribute("aria-valuetext", words);
}

// Every text that changes, by the name of its place in the HTML.
function sentences({ state, now, bias, times }) {
  const normal = isNormal(state);
  const grey = isGrey(state);
  const p = Math.exp(now.log_prob);
  const half = 0.5 * (Math.log(now.stddev ** 2) + LN_2PI);
  const height = normal
    ? `height p = ${text(p)} per unit of grey, ln p = ${text(now.log_prob)} nats`
    : `height p = ${text(p)}, a probability, ln p = ${text(now.log_prob)} nats`;
  let note = "";
  if (grey)
    note =
      `x = ${text(state.x, 2)} is neither 0 nor 1, and this distribution gives it no mass. The formula still gives a ` +
      "number, minus the binary cross-entropy: a usable loss, but not the log of a probability.";
  else if (now.on_floor)
    note = `σ² is at its floor of ${state.floor}: the network asks for less and does not get it. The slope in ln σ² is 0.`;
  else if (normal && now.log_prob > 0)
    note = "ln p is above 0, because a density may exceed 1. Only areas under it are probabilities.";
  return {
    network: `z = ${text(state.z, 2)} → a = ${text(state.a)}; last bias w₀ = ${text(bias)}`,
    link: normal ? `μ = a = ${text(now.mean)}: used as it is; σ = ${text(now.stddev)}` : `λ = sigmoid(a) = ${text(now.mean)}: always between 0 and 1`,
    height: grey ? `x = ${text(state.x, 2)} has no height here: no mass on grey` : height,
    loss: `${grey ? "BCE" : "−ln p"} = ${text(-now.log_prob)} nats, slope ${text(now.slope_a)} per unit of a`,
    "loss of variance": `slope ${text(now.slope_log_var)} per unit of ln σ²`,
    badge: grey ? "a loss here, not ln p" : `ln of a probability ${normal ? "density" : "mass"}, nats`,
    name: grey ? "−BCE" : "ln p(x|z,w)",
    "minus a": text(-state.a),
    mean: text(now.mean),
    "mean in brackets": inBrackets(now.mean),
    stddev: text(now.stddev),
    log_var: text(state.log_var),
    floor: String(state.floor),
    fixed: `, fixed: ${state.sigma === 1 ? "identity covariance" : "covariance σ²I, not the identity"}`,
    x: text(state.x, 2),
    "1 - x": text(1 - state.x, 2),
    "ln lambda": text(-softplus(-state.a)),
    "ln 1 - lambda": text(-softplus(state.a)),
    "minus half square": text(-0.5 * ((state.x - now.mean) / now.stddev) ** 2),
    "half ln 2 pi var in brackets": inBrackets(half),
    constant: `${half < 0 ? "+" : "−"} ${text(Math.abs(half))}`,
    log_prob: text(now.log_prob),
    slope_a: text(now.slope_a),
    slope_log_var: text(now.slope_log_var),
    note,
    draws: normal
      ? `Outside [0,1]: ${percent(now.share)} of these dots (red squares). Exact probability: ${percent(now.outside)}.`
      : `White: ${percent(now.draws.filter(Boolean).length / N_DRAWS)} of these dots. Exact probability: ` +
        `${percent(now.mean)}. Outside [0,1]: none, and none can be.`,
    again: `Draws number ${times}. From z = ${text(state.z, 2)} the network makes a = ${text(state.a)} every time; only the draws differ.`,
  };
}

// Moving -------------------------------------------------------------------------------------------------------------

function makeNoise(seed) {
  const next = uniforms(seed);
  const many = () => Array.from({ length: N_DRAWS }, next);
  const [uniform, across, down] = [many(), many(), many()];
  return { uniform, across, down: down.map((u) => (164 + 38 * u).toFixed(1)), normal: Array.from(normals(seed, N_DRAWS)) };
}

function mount(parent) {
  const root = parent.querySelector(".one-pixel");
  const own = { root, svg: {}, texts: {}, bends: {}, sent: 0, times: 1, drawn: 0, noise: makeNoise(1), busy: false };
  for (const svg of root.querySelectorAll("[data-panel]")) own.svg[svg.dataset.panel] = svg;
  for (const element of root.querySelectorAll("[data-text]")) (own.texts[element.dataset.text] ??= []).push(element);
  own.svg.network.classList.add("network");
  const across = (svg, xs) => scale(xs, [LEFT, RIGHT]).invert(svg);
  const round = (value) => Math.round(value * 100) / 100;
  const set = (name, value) => change(own, name, round(clamp(value, ...own.state.limits[name])));
  const snap = (x) => (Math.abs(x) < 0.05 ? 0 : Math.abs(x - 1) < 0.05 ? 1 : x); // 0 and 1 are easy to hit
  const surface = (panel, name, at, size = 0.05) =>
    connect(own, own.svg[panel], { move: (px) => set(name, at(px)), step: (dx, dy) => set(name, own.state[name] + size * (dx + dy)) });
  surface("network", "z", (px) => across(px, Z));
  surface("link", "a", (px) => across(px, own.frame.a));
  surface("pixel", "x", (px) => snap(across(px, own.frame.x)));
  surface("loss", "a", (px) => across(px, own.frame.a));
  surface("variance", "log_var", (px) => across(px, own.state.limits.log_var), 0.1);
  root.querySelector("button").onclick = () => {
    own.noise = makeNoise(++own.times);
    draw(own);
  };
  return own;
}

// A change by hand. Moving z moves a along the network's curve; setting a moves the curve, by its last bias.
function change(own, name, value) {
  const { state } = own;
  if (name === "z") {
    const a = own.bias + network(state.network, state.activation, value);
    if (a < state.limits.a[0] || a > state.limits.a[1]) return; // the curve leaves the range: z stays where it was
    state.a = Number(a.toFixed(6));
  }
  state[name] = value;
  if (name === "a") own.bias = value - network(state.network, state.activation, state.z);
  own.waiting ??= requestAnimationFrame(() => {
    own.waiting = undefined;
    draw(own);
  });
}

function connect(own, svg, { move, step }) {
  const begin = (act) => (...at) => {
    if (!own.busy) own.before = { ...own.state };
    own.busy = true;
    act(...at);
  };
  const finish = () => {
    if (!own.busy) return;
    settle(own);
    const { a, log_var, x, z } = own.state;
    own.sent = Math.round(performance.timeOrigin + performance.now());
    own.send({ a, log_var, x, z, at: own.sent });
  };
  const cancel = () => {
    own.state = own.before;
    settle(own);
  };
  draggable(svg, { move: begin(move), step: begin(step), end: finish, cancel });
  svg.onblur = () => !svg.dragging && finish(); // the key may be let go elsewhere
}

// Nothing is held: the axes may fit what they show.
function settle(own) {
  own.busy = false;
  own.frame = frames(own.state);
  own.bias = own.state.a - network(own.state.network, own.state.activation, own.state.z);
  draw(own);
}

const places = new WeakMap();

export default function ({ data, parentElement, setStateValue }) {
  if (!places.has(parentElement)) places.set(parentElement, mount(parentElement));
  const own = places.get(parentElement);
  own.send = (state) => setStateValue("moved", state);
  if (own.busy || data.at < own.sent) return; // an answer to an earlier move: a newer one is on its way
  own.state = { ...data };
  own.root.style.setProperty("--decoder", data.colour);
  own.root.style.setProperty("--dash", data.dash);
  for (const element of own.root.querySelectorAll("[data-only]"))
    element.hidden = !element.dataset.only.split(" ").includes(data.decoder);
  own.root.querySelector(".words").classList.toggle("narrow", data.decoder === "gaussian_learned"); // beside a fifth picture
  settle(own);
}
