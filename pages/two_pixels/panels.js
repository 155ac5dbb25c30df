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
  plane.limits = isGaussian(state) ? own.limits.x1 : [-0.4, 1.4];
  fitPlane(plane);
  const steps = along(240, [-5, 5]);
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
  if (!own.busy) own.apart = Math.max(0, 26 / plane.unit - sigma(state.z)); // of a small blob, so that both can be held
  const edge = own.mean.map((one) => one + (sigma(state.z) + own.apart) / Math.SQRT2);
  const handle = drawHandle(plane, "sigma", edge, { label: "σ, the noise", valuetext: `σ = ${shown(state.sigma)}`, ...limitsOf(own, "sigma") });
  part(handle, "name", "text", { x: plane.x(edge[0]) + 12, y: plane.y(edge[1]) }, "σ");
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
    const name = { x: cx, y: cy + (b ? -1 : 1) * 0.25 * plane.unit + 4, "text-anchor": "middle" };
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
  const most = nice(1.05 * Math.max(highest, Math.min(ofQ(now.q.m), 3 * highest)), [0.6, 1, 1.5, 2, 3, 4, 6, 8, 12, 20, 40, 80, 150]);
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

// The bar in five lanes: ln p(x|w) ends where ELBO and gap end, and the ELBO where its own two terms do.
function drawBar(own, now) {
  const svg = own.svg.bar;
  const [lane, height] = [15, 98];
  const width = fit(svg, height);
  const { log_evidence, reconstruction, elbo: bound } = now;
  const steps = [1, 2, 5].flatMap((digit) => Array.from({ length: 7 }, (_, i) => digit * 10 ** i)).sort((a, b) => a - b);
  const reach = (value) => (value <= 0 ? 0 : nice(value, steps));
  const span = [-reach(-Math.min(bound, log_evidence, reconstruction)), reach(Math.max(bound, log_evidence, reconstruction))];
  const x = scale(span, [72, width - 12]);
  const bottom = 5 * lane;
  const lanes = [
    ["evidence", "ln p(x|w)", 0, log_evidence],
    ["gap", "gap", bound, log_evidence],
    ["elbo", "ELBO", 0, bound],
    ["kl", "KL to p(z)", bound, reconstruction],
    ["reconstruction", "E ln p(x|z)", 0, reconstruction],
  ];
  lanes.forEach(([kind, name, from, to], i) => {
    const [low, high] = [Math.min(from, to), Math.max(from, to)];
    const box = { x: x(low), width: Math.max(1, x(high) - x(low)), y: lane * i + 1, height: lane - 2 };
    part(svg, kind, "rect", { class: `length ${kind}`, ...box });
    part(svg, `${kind} name`, "text", { x: 66, y: lane * i + 12, "text-anchor": "end" }, name);
  });
  const upright = (name, at, from, to) => part(svg, name, "path", { class: "upright", d: `M${x(at)} ${lane * from}V${lane * to}` });
  upright("zero", 0, 0, 5);
  upright("at evidence", log_evidence, 0, 2);
  upright("at elbo", bound, 1, 4);
  upright("at reconstruction", reconstruction, 3, 5);
  axis(svg, "x", x, roundTicks(...span), bottom, (tick) => String(tick).replace("-", "−"));
  const words = `ELBO ${shown(bound)} and gap ${shown(now.gap)} make ln p(x|w) ${shown(log_evidence)} nats`;
  svg.setAttribute("aria-label", words);
}
