// The drawings of One pixel: from z to a, from a to a parameter, to a distribution over the pixel, to the loss.

const Z = [-3, 3];
const [LEFT, RIGHT, TOP, BOTTOM] = [40, 352, 12, 186];
const SYMBOLS = { μ: "mean", λ: "mean", σ: "sigma", b: "sigma", s: "sigma", z: "z" }; // of a calculation, to what they light

// A panel's frame, axes and names; what is drawn into `inside` is cut off at the frame.
function plot(svg, xs, ys, xName, yName, { bottom = BOTTOM, xTicks = roundTicks(...xs), nameAt = "start" } = {}) {
  const x = scale(xs, [LEFT, RIGHT]);
  const y = scale(ys, [bottom, TOP]);
  const box = { x: LEFT, y: TOP, width: RIGHT - LEFT, height: bottom - TOP };
  const id = `cut-${svg.dataset.panel}`;
  part(part(svg, "cut", "clipPath", { id }), "box", "rect", box);
  part(svg, "frame", "rect", { ...box, class: "frame" });
  const inside = part(svg, "inside", "g", { "clip-path": `url(#${id})` }); // below all words
  axis(svg, "x", x, xTicks, bottom, (tick) => text(tick, 10).replace(/\.?0+$/, ""));
  axis(svg, "y", y, roundTicks(...ys), LEFT, (tick) => text(tick, 10).replace(/\.?0+$/, ""));
  part(svg, "x name", "text", { x: RIGHT, y: 220, "text-anchor": "end" }, xName);
  const place = { start: LEFT + 6, middle: (LEFT + RIGHT) / 2, end: RIGHT - 6 }[nameAt];
  part(svg, "y name", "text", { x: place, y: TOP + 13, "text-anchor": nameAt }, yName);
  return { svg, x, y, inside };
}

const line = ({ x, y }, at, f) => path(at.map((one) => [x(one), clamp(y(f(one)), -999, 999)]));
const curve = (panel, at, f) => part(panel.inside, "curve", "path", { class: "curve", d: line(panel, at, f) });

const band = ({ x, inside }, [low, high], name) =>
  part(inside, name, "rect", { class: name, x: x(low), width: x(high) - x(low), y: TOP, height: BOTTOM - TOP });

// A diamond at the observed pixel, on an axis along the bottom.
function diamond(svg, at, bottom) {
  part(svg, "diamond", "path", { class: "diamond", "data-lights": "x", d: `M${at} ${bottom - 8}l7 8l-7 8l-7 -8z` });
  part(svg, "diamond name", "text", { x: at + 8, y: bottom - 5 }, "x");
}

// From a place on the axis below up to the curve, and across from there.
function follow({ svg, x, y, inside }, from, to, across, kind) {
  const [cx, cy] = [x(from), clamp(y(to), TOP, BOTTOM)];
  part(inside, "guide", "path", { class: "guide", d: `M${cx} ${BOTTOM}V${cy}H${across}` });
  part(svg, "handle", "circle", { class: `handle ${kind}`, "data-lights": kind === "a" ? "a mean" : kind, cx, cy, r: 8 });
}

function drawNetwork({ svg, state, frame, bias }) {
  const panel = plot(svg.network, Z, frame.network, "z", "a");
  curve(panel, places(Z), (z) => network(state.network, state.activation, z) + bias);
  follow(panel, state.z, state.a, RIGHT, "z");
}

function drawLink({ svg, state, frame }) {
  const { link } = likelihoodOf(state);
  const panel = plot(svg.link, frame.a, link === LINKS.identity ? frame.a : [0, 1], "a", parameterName(state));
  const unit = { y: panel.y(1), height: panel.y(0) - panel.y(1) };
  part(panel.inside, "unit", "rect", { class: "unit", x: LEFT, width: RIGHT - LEFT, ...unit });
  if (link.joint) // the other levels' shares of the same 1
    valuesOf(likelihoodOf(state), state.settings).forEach((x, k) =>
      part(panel.inside, `level ${k}`, "path", { class: "curve other", d: line(panel, places(frame.a), (a) => parameterAt({ ...state, x }, a)) }));
  curve(panel, places(frame.a), (a) => parameterAt(state, a));
  follow(panel, state.a, parameterAt(state, state.a), LEFT, "a");
}

// Bernoulli's formula over grey x: its area is 1/C(λ), and with C it is 1.
function drawNormaliser({ svg, state, frame, now, texts }) {
  texts.normaliser.closest("section").hidden = !now.normaliser;
  if (!now.normaliser) return;
  const panel = plot(svg.normaliser, [0, 1], frame.area, "x", "height", { nameAt: state.a < 0 ? "end" : "start" });
  const [at, { x, y, inside }] = [places([0, 1]), panel];
  const without = (value) => now.normaliser.area * withC(value);
  const withC = (value) => Math.exp(LIKELIHOODS.continuous_bernoulli.log_prob([state.a], value));
  const under = (f) => `M${LEFT} ${BOTTOM}L${line(panel, at, f).slice(1)}V${BOTTOM}Z`;
  part(inside, "area", "path", { class: "area", d: under(without) });
  part(inside, "without", "path", { class: "curve", d: line(panel, at, without) });
  part(inside, "with", "path", { class: "curve with", d: line(panel, at, withC) });
  const low = state.a < 0 ? { x: RIGHT - 6, "text-anchor": "end" } : { x: LEFT + 6, "text-anchor": "start" }; // where the curves are
  part(svg.normaliser, "with name", "text", { ...low, y: TOP + 30 }, "dashed: with C, area 1");
  part(svg.normaliser, "without name", "text", { ...low, y: TOP + 46 }, `shaded: without, area ${text(now.normaliser.area)}`);
  svg.normaliser.setAttribute("aria-label", texts.normaliser.textContent);
}

function drawPixel({ svg, state, frame, now, noise }) {
  const values = valuesOf(likelihoodOf(state), state.settings);
  const bottom = 140;
  const xTicks = values ? [0, 0.5, 1] : roundTicks(...frame.x);
  const panel = plot(svg.pixel, frame.x, frame.p, "x, with 200 draws", "p", { bottom, xTicks });
  const { x, y, inside } = panel;
  const height = (value) => Math.exp(-loss({ ...state, x: value }));
  const cut = likelihoodOf(state).support === "unit_interval" ? [0, 1] : frame.x; // beyond, there is no height
  if (values) drawBars(svg.pixel, state, panel, values, height);
  else {
    band(panel, [0, 1], "unit");
    const at = places(cut, now.mean, now.stddev, 320);
    curve(panel, at, height);
    part(inside, "area", "path", { class: "area", d: `M${x(cut[0])} ${bottom}L${line(panel, at, height).slice(1)}V${bottom}Z` });
    part(inside, "stem", "line", { class: "stem", x1: x(state.x), x2: x(state.x), y1: bottom, y2: y(height(state.x)) });
    part(inside, "top", "circle", { class: "diamond", cx: x(state.x), cy: y(height(state.x)), r: 4.5 });
  }
  diamond(svg.pixel, x(usedOf(state)), bottom);
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
  const wide = (values.length > 2 ? 0.6 : 0.32) / (values.length - 1);
  values.forEach((value, i) => {
    const top = y(height(value));
    const size = { x: x(value - wide / 2), width: x(wide) - x(0), y: top, height: y(0) - top };
    part(inside, `bar ${i}`, "rect", { class: means(likelihoodOf(state), state.x, value, state.settings) ? "bar here" : "bar", ...size });
    const place = { x: x(value), y: Math.max(top - 5, TOP + (values.length > 2 ? 12 : 30)), "text-anchor": "middle" };
    if (values.length < 6) part(svg, `mass ${i}`, "text", place, text(height(value), values.length < 4 ? 3 : 2));
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
  part(svg, "handle", "circle", { class: `handle ${kind}`, "data-lights": lightsOf(name), cx, cy: clamp(cy, TOP, BOTTOM), r: 8 });
  part(svg, "above", "text", { x: cx + 11, y: TOP + 30 }, cy < TOP ? "↑ above" : "");
  return panel;
}

function draw(own) {
  const { svg, state, root, noise, texts, frame } = own;
  const subject = JSON.stringify([state.decoder, state.settings.levels]); // as many bars as levels
  for (const one of Object.values(svg)) drawnFor(one, subject);
  root.style.setProperty("--decoder", state.colour);
  root.style.setProperty("--dash", state.dash);
  texts.second.closest("section").hidden = !state.second;
  const now = (own.now = numbers(state, noise));
  const [{ link }, f] = [likelihoodOf(state), rawOf(state)];
  drawNetwork(own);
  drawLink(own);
  drawPixel(own);
  const { x } = drawLoss(svg.loss, state, { name: "a", symbol: "a", kind: "a", xs: frame.a, ys: frame.loss, slope: now.slopes[0] });
  if (link === LINKS.identity) diamond(svg.loss, x(state.x), BOTTOM);
  if (state.second) {
    const [name, symbol, xs] = [state.second, symbolOf(state), state.limits[state.second]];
    drawLoss(svg.second, state, { name, symbol, kind: "v", xs, ys: frame.second, slope: now.slopes[1] });
    label(svg.second, xs, state[name], `${symbol} = ${text(state[name])}`);
    svg.second.setAttribute("aria-label", `${symbol}, ${state.shared ? "a weight of its own" : "the second raw output"}`);
  }
  for (const [name, words] of Object.entries(sentences(own))) texts[name].textContent = words;
  drawNormaliser(own);
  own.root.querySelector(".words").classList.toggle("narrow", Boolean(state.second || now.normaliser)); // beside a fifth picture
  texts.badge.className = `badge ${isLoss(state) ? "loss" : isDensity(state) ? "density" : "mass"}`;
  const lines = worked(state, now); // numbers and our own words: safe as HTML
  root.querySelector(".worked").innerHTML = lines.map((one) => `<p>${one}</p>`).join("");
  for (const symbol of root.querySelectorAll(".worked i")) {
    const lights = symbol.className === "v" ? lightsOf(state.second) : symbol.className || SYMBOLS[symbol.textContent];
    if (lights) symbol.dataset.lights = lights;
  }
  fillBoxes(own);
  label(svg.network, state.limits.z, state.z, `z = ${text(state.z, 2)}, a = ${text(state.a)}`);
  label(svg.link, state.limits.a, state.a, `a = ${text(state.a)}, mean ${text(now.mean)}`);
  label(svg.pixel, state.limits.x, state.x, `x = ${text(state.x, 2)}, ln p = ${text(now.log_prob)} nats`);
  label(svg.loss, state.limits.a, state.a, `a = ${text(state.a)}, slope ${text(now.slopes[0])}`);
  const { draws, ...shown } = now;
  const { kinds, limits, sent, ...held } = state;
  root.dataset.numbers = JSON.stringify({ ...held, bias: own.bias, drawn: ++own.drawn, ...shown });
}

function label(svg, [valuemin, valuemax], valuenow, valuetext) {
  const said = Object.entries({ valuemin, valuemax, valuenow, valuetext });
  for (const [name, value] of said) svg.setAttribute(`aria-${name}`, value);
}
