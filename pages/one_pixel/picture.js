// One decoder output, one pixel: from z to a, from a to a distribution, from the distribution to the loss. Nothing is
// sent to the server before the pointer or key is let go.

const Z = [-3, 3];
const [LEFT, RIGHT, TOP, BOTTOM] = [40, 352, 12, 186];

// Drawing ------------------------------------------------------------------------------------------------------------

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
  return { svg, x, y, inside: part(svg, "inside", "g", { "clip-path": `url(#${id})` }) };
}

const line = ({ x, y }, at, f) => path(at.map((one) => [x(one), clamp(y(f(one)), -999, 999)]));
const curve = (panel, at, f) => part(panel.inside, "curve", "path", { class: "curve", d: line(panel, at, f) });

const band = ({ x, inside }, [low, high], name) =>
  part(inside, name, "rect", { class: name, x: x(low), width: x(high) - x(low), y: TOP, height: BOTTOM - TOP });

// A diamond at the observed pixel, on an axis along the bottom.
function diamond(svg, at, bottom) {
  part(svg, "diamond", "path", { class: "diamond", d: `M${at} ${bottom - 8}l7 8l-7 8l-7 -8z` });
  part(svg, "diamond name", "text", { x: at + 8, y: bottom - 5 }, "x");
}

// From a place on the axis below up to the curve, and across from there.
function follow({ svg, x, y, inside }, from, to, across, kind) {
  const [cx, cy] = [x(from), clamp(y(to), TOP, BOTTOM)];
  part(inside, "guide", "path", { class: "guide", d: `M${cx} ${BOTTOM}V${cy}H${across}` });
  part(svg, "handle", "circle", { class: `handle ${kind}`, cx, cy, r: 8 });
}

function drawNetwork({ svg, state, frame, bias }) {
  const panel = plot(svg.network, Z, frame.network, "z", "a");
  curve(panel, places(Z), (z) => network(state.network, state.activation, z) + bias);
  follow(panel, state.z, state.a, RIGHT, "z");
}

function drawLink({ svg, state, frame }) {
  const { link, parameters } = likelihoodOf(state);
  const panel = plot(svg.link, frame.a, link === LINKS.identity ? frame.a : [0, 1], "a", parameters[0]);
  const unit = { y: panel.y(1), height: panel.y(0) - panel.y(1) };
  part(panel.inside, "unit", "rect", { class: "unit", x: LEFT, width: RIGHT - LEFT, ...unit });
  curve(panel, places(frame.a), link.of);
  follow(panel, state.a, link.of(state.a), LEFT, "a");
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
    band(panel, [0, 1], "unit");
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
    part(inside, `bar ${i}`, "rect", { class: same(state.x, value) ? "bar here" : "bar", ...size });
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
    band(panel, [xs[0], Math.log(state.settings.variance_floor)], "floor");
    part(svg, "floor name", "text", { x: LEFT + 3, y: BOTTOM - 6 }, "floor");
  }
  curve(panel, places(xs, state.x, name === "a" ? 0.01 : 0), (value) => loss({ ...state, [name]: value })); // a kink at a = x
  const [cx, cy] = [x(state[name]), y(loss(state))];
  const way = [x(1) - x(0), (y(1) - y(0)) * slope];
  const [dx, dy] = way.map((size) => (size * 70) / Math.hypot(...way));
  part(inside, "tangent", "line", { class: "tangent", x1: cx - dx, x2: cx + dx, y1: cy - dy, y2: cy + dy });
  part(inside, "guide", "line", { class: `guide ${kind}`, x1: cx, x2: cx, y1: BOTTOM, y2: cy });
  part(svg, "handle", "circle", { class: `handle ${kind}`, cx, cy: clamp(cy, TOP, BOTTOM), r: 8 });
  part(svg, "above", "text", { x: cx + 11, y: TOP + 30 }, cy < TOP ? "↑ above" : "");
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
    label(svg.second, state.limits.log_var, state.log_var, `${parameters[1]} = ${text(state.log_var)}`);
    svg.second.setAttribute("aria-label", `${parameters[1]}, the second raw output`);
  }
  for (const [name, words] of Object.entries(sentences(own))) texts[name].textContent = words;
  texts.badge.className = `badge ${isLoss(state) ? "loss" : isDensity(state) ? "density" : "mass"}`;
  const lines = likelihoodOf(state).worked(f, state.x, state.settings); // numbers and our own words: safe as HTML
  root.querySelector(".worked").innerHTML = lines.map((one) => `<p>${one}</p>`).join("");
  label(svg.network, state.limits.z, state.z, `z = ${text(state.z, 2)}, a = ${text(state.a)}`);
  label(svg.link, state.limits.a, state.a, `a = ${text(state.a)}, mean ${text(now.mean)}`);
  label(svg.pixel, state.limits.x, state.x, `x = ${text(state.x, 2)}, ln p = ${text(now.log_prob)} nats`);
  label(svg.loss, state.limits.a, state.a, `a = ${text(state.a)}, slope ${text(now.slopes[0])}`);
  const { draws, ...shown } = now;
  root.dataset.numbers = JSON.stringify({ ...state, bias: own.bias, drawn: ++own.drawn, ...shown });
}

function label(svg, [valuemin, valuemax], valuenow, valuetext) {
  const said = Object.entries({ valuemin, valuemax, valuenow, valuetext });
  for (const [name, value] of said) svg.setAttribute(`aria-${name}`, value);
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
  const another = own.state?.decoder !== data.decoder;
  if (!another && (own.busy || data.at < own.sent)) return; // an answer to an earlier move: a newer one is on its way
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
