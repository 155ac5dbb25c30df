// One decoder output, one pixel: from z to a, from a to a distribution, from the distribution to the loss. Nothing is
// sent to the server before the pointer or key is let go.

const N_DRAWS = 200;
const Z = [-3, 3];
const [LEFT, RIGHT, TOP, BOTTOM] = [40, 352, 12, 186];

// Numbers ------------------------------------------------------------------------------------------------------------

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

const likelihoodOf = ({ decoder }) => LIKELIHOODS[decoder];
const rawOf = (state) => [state.a, state.log_var].slice(0, likelihoodOf(state).parameters.length);
const isDensity = (state) => !valuesOf(likelihoodOf(state), state.settings);
const isLoss = (state) => !supports(likelihoodOf(state), state.x, state.settings);
// -ln p(x|z), nats; on an x outside the support only a loss.
const loss = (state) => -likelihoodOf(state).log_prob(rawOf(state), state.x, state.settings);

function numbers(state, noise) {
  const [likelihood, f, settings] = [likelihoodOf(state), rawOf(state), state.settings];
  const draws = noise.map((draw) => likelihood.sample(f, settings, draw));
  return {
    draws,
    mean: likelihood.mean(f, settings),
    stddev: likelihood.stddev(f, settings),
    on_floor: likelihood.on_floor?.(f, settings) ?? false,
    log_prob: -loss(state),
    slopes: likelihood.slope(f, state.x, settings).map((slope) => 0 - slope), // of the loss
    outside: outside(likelihood, f, settings),
    share: draws.filter((x) => x < 0 || x > 1).length / N_DRAWS,
  };
}

// What the axes span: chosen when nothing is held, so that they stand still while something is dragged.
function frames(state) {
  const [likelihood, f] = [likelihoodOf(state), rawOf(state)];
  if (likelihood.support === "boolean") return { a: [-6, 6], x: [-0.3, 1.3], p: [0, 1], loss: [0, 6.5], network: [-6, 6] };
  const [mean, sigma] = [likelihood.mean(f, state.settings), likelihood.stddev(f, state.settings)];
  const spans = [[-1, 2], [-3, 4], [-10, 11]];
  const near = spans.find(([low, high]) => low <= mean - 2.5 * sigma && mean + 2.5 * sigma <= high) ?? spans[2];
  const a = likelihood.link === LINKS.identity ? near : [-6, 6];
  const tallest = peak(likelihood, f, state.settings);
  const lost = (name, range) => places(range, state.x, 0).map((value) => loss({ ...state, [name]: value }));
  const [least, most] = [Math.min(...lost("a", a)), Math.max(loss({ ...state, a: a[0] }), loss({ ...state, a: a[1] }))];
  const lowest = Math.min(...lost("log_var", state.limits.log_var));
  return {
    a,
    x: likelihood.support === "real" ? near : [-0.3, 1.3],
    p: [0, [0.05, 0.2, 0.5, 1.5, 5, 10, 15].find((top) => tallest < top * 0.95) ?? 15],
    loss: [least - 0.06 * (most - least), most],
    network: a[0] === -1 ? spans[1] : a,
    second: [lowest - 1, lowest + 6],
  };
}

// Drawing ------------------------------------------------------------------------------------------------------------

const percent = (share) => (share > 0 && share < 0.0005 ? "less than 0.1 %" : `${(100 * share).toFixed(1)} %`);

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

const line = ({ x, y }, at, f) => path(at.map((one) => [x(one), clamp(y(f(one)), -999, 999)]));
const curve = (panel, at, f) => part(panel.inside, "curve", "path", { class: "curve", d: line(panel, at, f) });

function band(parent, { x }, [low, high], bottom = BOTTOM, name = "unit") {
  part(parent, name, "rect", { class: name, x: x(low), width: x(high) - x(low), y: TOP, height: bottom - TOP });
}

// A diamond at the observed pixel, on an axis along the bottom.
function diamond(svg, at, bottom) {
  const d = `M${at} ${bottom - 8}l7 8l-7 8l-7 -8z`;
  part(svg, "diamond", "path", { class: "diamond", d });
  part(svg, "diamond name", "text", { x: at + 8, y: bottom - 5 }, "x");
}

function drawNetwork({ svg, state, frame, bias }) {
  const panel = plot(svg.network, Z, frame.network, "z", "a");
  curve(panel, places(Z), (z) => network(state.network, state.activation, z) + bias);
  const [x, y] = [panel.x(state.z), clamp(panel.y(state.a), TOP, BOTTOM)];
  part(panel.inside, "guide", "path", { class: "guide", d: `M${x} ${BOTTOM}V${y}H${RIGHT}` });
  part(svg.network, "handle", "circle", { class: "handle z", cx: x, cy: y, r: 8 });
}

function drawLink({ svg, state, frame }) {
  const { link, parameters } = likelihoodOf(state);
  const panel = plot(svg.link, frame.a, link === LINKS.identity ? frame.a : [0, 1], "a", parameters[0]);
  const unit = { y: panel.y(1), height: panel.y(0) - panel.y(1) };
  part(panel.inside, "unit", "rect", { class: "unit", x: LEFT, width: RIGHT - LEFT, ...unit });
  curve(panel, places(frame.a), link.of);
  const [x, y] = [panel.x(state.a), panel.y(link.of(state.a))];
  part(panel.inside, "guide", "path", { class: "guide", d: `M${x} ${BOTTOM}V${y}H${LEFT}` });
  part(panel.inside, "handle", "circle", { class: "handle a", cx: x, cy: y, r: 8 });
}

function drawPixel({ svg, state, frame, now, noise }) {
  const values = valuesOf(likelihoodOf(state), state.settings);
  const bottom = 140;
  const xTicks = values ? [0, 0.5, 1] : roundTicks(...frame.x);
  const panel = plot(svg.pixel, frame.x, frame.p, "x, with 200 draws", "p", { bottom, xTicks });
  const { x, y, inside } = panel;
  const height = (value) => Math.exp(-loss({ ...state, x: value }));
  if (values) drawBars(svg.pixel, state, panel, values, height);
  else {
    band(inside, panel, [0, 1], bottom);
    const at = places(frame.x, now.mean, now.stddev, 320);
    curve(panel, at, height);
    part(inside, "area", "path", { class: "area", d: `M${LEFT} ${bottom}L${line(panel, at, height).slice(1)}V${bottom}Z` });
    part(inside, "stem", "line", { class: "stem", x1: x(state.x), x2: x(state.x), y1: bottom, y2: y(height(state.x)) });
    part(inside, "top", "circle", { class: "diamond", cx: x(state.x), cy: y(height(state.x)), r: 4.5 });
  }
  diamond(svg.pixel, x(state.x), bottom);
  const dots = { inside: "", outside: "" };
  const room = values ? 0.28 / (values.length - 1) : 0; // draws that fall on few values are laid side by side
  now.draws.forEach((draw, i) => {
    dots[draw < 0 || draw > 1 ? "outside" : "inside"] += `M${x(draw + room * (noise[i].across - 0.5)).toFixed(1)} ${noise[i].down}h0.01`;
  });
  const strip = part(svg.pixel, "strip", "g", { "clip-path": "url(#cut-strip)" });
  part(part(strip, "cut", "clipPath", { id: "cut-strip" }), "box", "rect", { x: LEFT, y: 160, width: RIGHT - LEFT, height: 50 });
  part(strip, "inside", "path", { class: "dots", d: dots.inside });
  part(strip, "outside", "path", { class: "dots outside", d: dots.outside });
}

function drawBars(svg, state, { x, y, inside }, values, height) {
  const wide = 0.32 / (values.length - 1);
  values.forEach((value, i) => {
    const top = y(height(value));
    const size = { x: x(value - wide / 2), width: x(wide) - x(0), y: top, height: y(0) - top };
    part(inside, `bar ${i}`, "rect", { class: state.x === value ? "bar here" : "bar", ...size });
    const place = { x: x(value), y: Math.max(top - 5, TOP + 30), "text-anchor": "middle" };
    if (values.length < 4) part(svg, `mass ${i}`, "text", place, text(height(value)));
  });
}

// A loss over one raw output, with its tangent where we are.
function drawLoss(svg, state, { name, symbol, kind, xs, ys, slope }) {
  const lnP = isLoss(state) ? `${nameOfLoss(state)[0]}, nats` : "−ln p(x|z,w), nats";
  const panel = plot(svg, xs, ys, symbol, lnP, { nameAt: name === "a" ? "middle" : "end" }); // where the curve seldom is
  const { x, y, inside } = panel;
  if (name === "log_var" && "variance_floor" in state.settings) {
    band(inside, panel, [xs[0], Math.log(state.settings.variance_floor)], BOTTOM, "floor");
    part(svg, "floor name", "text", { x: LEFT + 3, y: BOTTOM - 6 }, "floor");
  }
  curve(panel, places(xs, state.x, name === "a" ? 0.01 : 0), (value) => loss({ ...state, [name]: value })); // a kink at a = x
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
  const { svg, state, root, noise, texts, frame } = own;
  const now = (own.now = numbers(state, noise));
  const [{ link, parameters }, f] = [likelihoodOf(state), rawOf(state)];
  drawNetwork(own);
  drawLink(own);
  drawPixel(own);
  const { x } = drawLoss(svg.loss, state, { name: "a", symbol: "a", kind: "a", xs: frame.a, ys: frame.loss, slope: now.slopes[0] });
  if (link === LINKS.identity) diamond(svg.loss, x(state.x), BOTTOM);
  if (parameters[1]) {
    const scales = { xs: state.limits.log_var, ys: frame.second };
    drawLoss(svg.second, state, { name: "log_var", symbol: parameters[1], kind: "v", ...scales, slope: now.slopes[1] });
  }
  for (const [name, words] of Object.entries(sentences(own))) texts[name].textContent = words;
  texts.badge.className = `badge ${isLoss(state) ? "loss" : isDensity(state) ? "density" : "mass"}`;
  const lines = likelihoodOf(state).worked(f, state.x, state.settings); // numbers and our own words: safe as HTML
  root.querySelector(".worked").innerHTML = lines.map((one) => `<p>${one}</p>`).join("");
  label(svg.network, state.limits.z, state.z, `z = ${text(state.z, 2)}, a = ${text(state.a)}`);
  label(svg.link, state.limits.a, state.a, `a = ${text(state.a)}, mean ${text(now.mean)}`);
  label(svg.pixel, state.limits.x, state.x, `x = ${text(state.x, 2)}, ln p = ${text(now.log_prob)} nats`);
  label(svg.loss, state.limits.a, state.a, `a = ${text(state.a)}, slope ${text(now.slopes[0])}`);
  label(svg.second, state.limits.log_var, state.log_var, `${parameters[1]} = ${text(state.log_var)}`);
  svg.second.setAttribute("aria-label", `${parameters[1]}, the second raw output`);
  const { draws, ...shown } = now;
  root.dataset.numbers = JSON.stringify({ ...state, bias: own.bias, drawn: ++own.drawn, ...shown });
}

function label(svg, [low, high], value, words) {
  svg.setAttribute("aria-valuemin", low);
  svg.setAttribute("aria-valuemax", high);
  svg.setAttribute("aria-valuenow", value);
  svg.setAttribute("aria-valuetext", words);
}

const nameOfLoss = (state) => likelihoodOf(state).loss ?? ["loss", "a loss"];

// Every text that changes, by the name of its place in the HTML.
function sentences({ state, now, bias, times }) {
  const likelihood = likelihoodOf(state);
  const [density, lost] = [isDensity(state), isLoss(state)];
  const { link, parameters, support } = likelihood;
  const p = Math.exp(now.log_prob);
  let note = "";
  if (lost)
    note =
      `x = ${text(state.x, 2)} is ${support === "boolean" ? "neither 0 nor 1" : "none of its values"}, and this distribution ` +
      `gives it no mass. The formula still gives a number, minus ${nameOfLoss(state)[1]}: a usable loss, but not the log of a ` +
      "probability.";
  else if (now.on_floor)
    note = `σ² is at its floor of ${state.settings.variance_floor}: the network asks for less and does not get it. The slope in ln σ² is 0.`;
  else if (density && now.log_prob > 0)
    note = "ln p is above 0, because a density may exceed 1. Only areas under it are probabilities.";
  const within = "Outside [0,1]: none, and none can be.";
  return {
    network: `z = ${text(state.z, 2)} → a = ${text(state.a)}; last bias w₀ = ${text(bias)}`,
    link:
      `${parameters[0]} = ${link.formula} = ${text(link.of(state.a))}: ` +
      [link.says, likelihood.width?.(rawOf(state), state.settings)].filter(Boolean).join("; "),
    height: lost
      ? `x = ${text(state.x, 2)} has no height here: no mass on grey`
      : `height p = ${text(p)}${density ? " per unit of grey" : ", a probability"}, ln p = ${text(now.log_prob)} nats`,
    loss: `${lost ? nameOfLoss(state)[0] : "−ln p"} = ${text(-now.log_prob)} nats, slope ${text(now.slopes[0])} per unit of a`,
    second: parameters[1] ?? "",
    "loss of second": parameters[1] ? `slope ${text(now.slopes[1])} per unit of ${parameters[1]}` : "",
    badge: lost ? "a loss here, not ln p" : `ln of a probability ${density ? "density" : "mass"}, nats`,
    note,
    draws: {
      real: `Outside [0,1]: ${percent(now.share)} of these dots (red squares). Exact probability: ${percent(now.outside)}.`,
      boolean:
        `White: ${percent(now.draws.filter(Boolean).length / N_DRAWS)} of these dots. Exact probability: ` +
        `${percent(now.mean)}. ${within}`,
    }[support] ?? within,
    again: `Draws number ${times}. From z = ${text(state.z, 2)} the network makes a = ${text(state.a)} every time; only the draws differ.`,
  };
}

// Moving -------------------------------------------------------------------------------------------------------------

// What each draw is made of, held while the distribution moves.
function makeNoise(seed) {
  const { uniform, normal } = chance(uniforms(seed));
  return Array.from({ length: N_DRAWS }, () => {
    const [u, n, across, down] = [uniform(), normal(), uniform(), (164 + 38 * uniform()).toFixed(1)];
    return { uniform: () => u, normal: () => n, across, down };
  });
}

function mount(parent) {
  const root = parent.querySelector(".one-pixel");
  const own = { root, svg: {}, texts: {}, sent: 0, times: 1, drawn: 0, noise: makeNoise(1), busy: false };
  for (const svg of root.querySelectorAll("[data-panel]")) own.svg[svg.dataset.panel] = svg;
  for (const element of root.querySelectorAll("[data-text]")) own.texts[element.dataset.text] = element;
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
  surface("second", "log_var", (px) => across(px, own.state.limits.log_var), 0.1);
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

const pictures = new WeakMap();

export default function ({ data, parentElement, setStateValue }) {
  if (!pictures.has(parentElement)) pictures.set(parentElement, mount(parentElement));
  const own = pictures.get(parentElement);
  own.send = (state) => setStateValue("moved", state);
  const same = own.state?.decoder === data.decoder;
  if (same && (own.busy || data.at < own.sent)) return; // an answer to an earlier move: a newer one is on its way
  for (const svg of Object.values(own.svg)) drawnFor(svg, data.decoder);
  own.before = data;
  own.state = { ...data };
  own.root.style.setProperty("--decoder", data.colour);
  own.root.style.setProperty("--dash", data.dash);
  const second = likelihoodOf(data).parameters.length > 1;
  own.root.querySelector(".second").hidden = !second;
  own.root.querySelector(".words").classList.toggle("narrow", second); // beside a fifth picture
  settle(own);
}
