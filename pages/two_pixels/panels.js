// The drawings of two pixels: the plane, the z axis with posterior and q, the bar, and the draws with their bounds.

const Z = [-4, 4]; // of every z axis
const HEAT = 96; // cells across
const [TRUTH, Q_COLOUR] = ["#0072B2", "#D55E00"];
const along = (count, [low, high] = Z) => Array.from({ length: count + 1 }, (_, i) => low + ((high - low) * i) / count);
const shown = (value, digits = 3) => (Math.abs(value) < 0.5 * 10 ** -digits ? 0 : value).toFixed(digits).replace("-", "−");
const nice = (value, ticks) => ticks.find((tick) => tick >= value) ?? ticks.at(-1);

// A panel as wide as it stands, in pixels: letters keep their size.
function fit(svg, height) {
  const width = svg.clientWidth || 340;
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  return width;
}

function drawPlane(own, now) {
  const { state, plane, model, svg } = own;
  drawnFor(svg.plane, state.likelihood);
  plane.limits = isGaussian(state) ? own.limits.x1 : [-0.35, 1.35];
  fitPlane(plane);
  const steps = along(400, [-6, 6]);
  if (isGaussian(state)) gaussianPlane(own, now, steps);
  else coinPlane(own, now, steps);
  const { x } = now;
  const at = `x = (${x.map((one) => shown(one, isGaussian(state) ? 2 : 0)).join(", ")})`;
  part(svg.plane.parts["handle z"], "name", "text", { x: plane.x(own.mean[0]) + 12, y: plane.y(own.mean[1]) + 16 }, "z");
  const more = { label: "x, the image", valuetext: at, valuenow: x[0], valuemin: plane.limits[0], valuemax: plane.limits[1] };
  part(drawHandle(plane, "x", x, { ...more, shape: "diamond" }), "name", "text", { x: plane.x(x[0]) + 12, y: plane.y(x[1]) - 8 }, "x");
}

const limitsOf = (own, name) => ({ valuenow: own.state[name], valuemin: own.limits[name][0], valuemax: own.limits[name][1] });

function gaussianPlane(own, now, steps) {
  const { state, plane, model } = own;
  if (own.heated !== model) {
    const values = densityOnGrid(model.decoder, plane.limits, HEAT);
    own.top = values.reduce((most, one) => Math.max(most, one));
    drawHeat(plane, values, HEAT, TRUTH, own.top);
    own.heated = model;
  }
  const { mean, sigma } = model.decoder;
  drawCurve(plane, "curve", steps.map(mean));
  drawBlob(plane, "blob", mean(state.z), sigma(state.z));
  drawCurve(plane, "piece", along(40, [now.q.m - now.q.s, now.q.m + now.q.s]).map(mean));
  own.mean = mean(state.z);
  const width = sigma(state.z) / Math.SQRT2;
  drawHandle(plane, "sigma", own.mean.map((one) => one + width), { label: "σ, the noise", valuetext: `σ = ${shown(state.sigma)}`, ...limitsOf(own, "sigma") });
  drawHandle(plane, "z", own.mean, { label: "z, on the curve", valuetext: zSaid(own, now), ...limitsOf(own, "z") });
}

function zSaid({ state }, now) {
  return `z = ${shown(state.z, 2)}, ln p(x|z,w) = ${shown(now.log_likelihood)}`;
}

// Four corners, as large as they are probable: filled P(x|w), ringed P(x|z,w).
function coinPlane(own, now, steps) {
  const { state, plane, model } = own;
  plane.canvas.getContext("2d").clearRect(0, 0, plane.canvas.width, plane.canvas.height);
  own.heated = null;
  const { probabilities, logLikelihood } = model.decoder;
  const area = (p) => Math.sqrt(p) * 0.22 * plane.unit;
  CORNERS.forEach((corner, i) => {
    const [a, b] = [...corner].map(Number);
    const [cx, cy] = [plane.x(a), plane.y(b)];
    part(plane.inside, `mass ${i}`, "circle", { class: "mass", "data-corner": corner, cx, cy, r: area(model.corners.masses[i]) });
    part(plane.inside, `given ${i}`, "circle", { class: "ring", cx, cy, r: area(Math.exp(logLikelihood([a, b], state.z))) });
    const name = { x: cx, y: cy + (b ? -1 : 1) * 0.27 * plane.unit + 4, "text-anchor": "middle" };
    part(plane.inside, `name ${i}`, "text", name, `P(${a},${b}) = ${shown(model.corners.masses[i])}`);
  });
  drawCurve(plane, "curve", steps.map(probabilities));
  drawCurve(plane, "piece", along(40, [now.q.m - now.q.s, now.q.m + now.q.s]).map(probabilities));
  own.mean = probabilities(state.z);
  drawHandle(plane, "z", own.mean, { label: "z, on the curve", valuetext: zSaid(own, now), ...limitsOf(own, "z") });
}

// The z axis: prior, posterior and q, with a handle each for z, m and s.
function drawLatent(own, now) {
  const svg = own.svg.latent;
  const height = 190;
  const width = fit(svg, height);
  const [left, right, top, bottom] = [34, width - 10, 14, 118];
  const x = scale(Z, [left, right]);
  const columns = Math.min(400, Math.round(right - left));
  const posteriors = heights(now.exact, Z, columns);
  const highest = posteriors.reduce((most, one) => Math.max(most, one));
  const ofQ = (z) => Math.exp(logQ(now.q, z));
  const most = nice(1.05 * Math.max(highest, Math.min(ofQ(now.q.m), 3 * highest)), [0.6, 1, 2, 4, 8, 16, 32, 64, 128, 256]);
  const y = scale([0, most], [bottom, top]);
  part(part(svg, "cut", "clipPath", { id: "cut-latent" }), "box", "rect", { x: left, y: top, width: right - left, height: bottom - top });
  part(svg, "ground", "rect", { class: "ground", x: left, y: top, width: right - left, height: height - top, fill: "transparent" });
  part(svg, "frame", "rect", { class: "frame", x: left, y: top, width: right - left, height: bottom - top, "pointer-events": "none" });
  const inside = part(svg, "inside", "g", { "clip-path": "url(#cut-latent)", "pointer-events": "none" });
  const middles = along(columns, Z).slice(1).map((one) => one - (Z[1] - Z[0]) / columns / 2);
  const exact = path(middles.map((z, i) => [x(z), y(posteriors[i])]));
  part(inside, "posterior area", "path", { class: "posterior area", d: `M${left} ${bottom}L${exact.slice(1)}L${right} ${bottom}Z` });
  part(inside, "prior", "path", { class: "curve prior", d: path(along(160).map((z) => [x(z), y(Math.exp(logPriorAt(z)))])) });
  part(inside, "posterior", "path", { class: "curve posterior", d: exact });
  part(inside, "q", "path", { class: "curve q", d: path(places(Z, now.q.m, now.q.s).map((z) => [x(z), y(ofQ(z))])) });
  axis(svg, "x", x, along(8), bottom, (tick) => shown(tick, 0));
  axis(svg, "y", y, [0, most], left);
  part(svg, "guide z", "path", { class: "guide z", d: `M${x(own.state.z)} ${top}V${bottom}`, "pointer-events": "none" });
  const [m, edge] = [x(now.q.m), x(now.q.m + now.q.s)];
  part(svg, "guide q", "path", { class: "guide q", d: `M${m} ${bottom}V${bottom + 60}H${edge}V${bottom}`, "pointer-events": "none" });
  const panel = Object.assign((own.latent ??= {}), { svg, x, y: scale([0, 1], [0, 1]) });
  const handle = (name, at, row, label, valuetext) => {
    const group = drawHandle(panel, name, [at, row], { label, valuetext, ...limitsOf(own, name) });
    part(group, "name", "text", { x: x(at) + 12, y: row + 5 }, name);
  };
  handle("z", own.state.z, top, "z, on its axis", zSaid(own, now));
  handle("m", now.q.m, bottom + 32, "m of q", `m = ${shown(now.q.m)}`);
  handle("s", now.q.m + now.q.s, bottom + 60, "s of q", `s = ${shown(now.q.s)}`);
}

// The bar: from 0 to the ELBO, and from there the gap to ln p(x|w); below it, how the ELBO is made.
function drawBar(own, now) {
  const svg = own.svg.bar;
  const height = 104;
  const width = fit(svg, height);
  const ends = [now.elbo, now.log_evidence, now.reconstruction];
  const steps = [1, 2, 5].flatMap((digit) => Array.from({ length: 7 }, (_, i) => digit * 10 ** i)).sort((a, b) => a - b);
  const reach = (value, least) => (value <= 0 ? least : nice(value * 1.02, steps));
  const span = [-reach(-Math.min(...ends), 0), reach(Math.max(...ends), 0)];
  if (span[0] === 0) span[0] = -0.1 * span[1];
  const x = scale(span, [10, width - 10]);
  const rect = (name, kind, from, to, y) => {
    const [low, high] = [Math.min(from, to), Math.max(from, to)];
    part(svg, name, "rect", { class: `length ${kind}`, x: x(low), width: Math.max(0, x(high) - x(low)), y, height: 24, "data-from": from, "data-to": to });
  };
  rect("of elbo", "elbo", 0, now.elbo, 6);
  rect("of gap", "gap", now.elbo, now.log_evidence, 6);
  rect("of reconstruction", "reconstruction", 0, now.reconstruction, 48);
  rect("of kl", "kl", now.elbo, now.reconstruction, 48);
  part(svg, "zero", "path", { class: "zero", d: `M${x(0)} 0V80` });
  part(svg, "at elbo", "path", { class: "guide q", d: `M${x(now.elbo)} 2V80` });
  part(svg, "at evidence", "path", { class: "guide truth", d: `M${x(now.log_evidence)} 0V40` });
  axis(svg, "x", x, roundTicks(...span), 80, (tick) => shown(tick, Math.abs(tick) < 1 && tick ? 1 : 0));
  const words = `ELBO ${shown(now.elbo)} and gap ${shown(now.gap)} make ln p(x|w) ${shown(now.log_evidence)} nats`;
  svg.setAttribute("aria-label", words);
}
