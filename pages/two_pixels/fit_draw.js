// How a fit is drawn and told: the tube and the gaps in the plane, the two means over the steps, and sentences.

const ACROSS = 64; // cells of the heat map
const HALO = 8; // the radius of a gap of one nat, in units of the plane's SVG: areas are to each other as the gaps
const ROOM = { left: 40, right: 10, top: 12, bottom: 34, height: 230 }; // of the curves
const SPAN = 3; // nats from the curves' top to their bottom
const COLLAPSED = 0.01; // nats of mean KL, below which z is as good as unused
const EARLY = 100; // steps before which nothing is said of where training leads

const shown = (value, places = 3) => (Number(value.toFixed(places)) + 0).toFixed(places).replace("-", "−");
const mean = (values) => values.reduce((sum, one) => sum + one, 0) / values.length;

function drawTube({ plane, trainer }) {
  const [middle, sigma] = [curveOf(trainer), sigmaOf(trainer)];
  const values = densityOnGrid({ mean: middle, sigma: () => sigma }, plane.limits, ACROSS);
  drawHeat(plane, values, ACROSS, "#0072B2", values.reduce((most, one) => Math.max(most, one), 1e-12));
  const zs = Array.from({ length: 161 }, (_, i) => -3 + (6 * i) / 160);
  drawCurve(plane, "mean", zs.map(middle));
}

function drawGaps({ plane, points, seen }) {
  const group = part(plane.inside, "points", "g");
  drawnFor(group, points);
  points.forEach(([a, b], n) => {
    const at = { cx: plane.x(a).toFixed(1), cy: plane.y(b).toFixed(1) };
    const gap = seen ? Math.max(0, seen[n].gap) : 0;
    part(group, `halo ${n}`, "circle", { class: "halo", ...at, r: Math.min(150, HALO * Math.sqrt(gap)).toFixed(2) });
  });
  points.forEach(([a, b], n) => {
    const at = { cx: plane.x(a).toFixed(1), cy: plane.y(b).toFixed(1), r: 2.8 };
    part(group, `dot ${n}`, "circle", { class: seen?.[n].two ? "dot two" : "dot", ...at });
  });
}

function drawCursor({ plane, cursor }) {
  const [x, y] = [plane.x(cursor[0]), plane.y(cursor[1])];
  part(plane.svg, "cursor", "path", { class: "cursor", d: `M${x - 9} ${y}h18M${x} ${y - 9}v18`, "pointer-events": "none" });
}

// The means over the steps. The top follows the best so far by half nats, and so hardly moves after the first steps.
function drawMeans(own) {
  const { svg, past, limit, known } = own;
  const wide = svg.clientWidth || 360;
  const { left, right, top, bottom, height } = ROOM;
  svg.setAttribute("viewBox", `0 0 ${wide} ${height}`);
  const best = past.reduce((most, one) => Math.max(most, one.evidence), -Infinity);
  const ceiling = Math.ceil(2 * (past.length ? best + 0.2 : (known[1] ?? 0))) / 2;
  const x = scale([0, limit], [left, wide - right]);
  const y = scale([ceiling - SPAN, ceiling], [height - bottom, top]);
  const box = { x: left, y: top, width: wide - left - right, height: height - top - bottom };
  const id = (own.cut ??= `cut-${Math.random().toString(36).slice(2)}`);
  part(part(svg, "cut", "clipPath", { id }), "box", "rect", box);
  part(svg, "frame", "rect", { ...box, class: "frame" });
  const inside = part(svg, "inside", "g", { "clip-path": `url(#${id})` });
  const line = (name) => past.map((one) => [x(one.step), y(Math.max(one[name], ceiling - 100))]);
  const [up, down] = [line("evidence"), line("elbo")];
  part(inside, "between", "path", { class: "between", d: past.length ? `${path([...up, ...down.toReversed()])}Z` : "" });
  ["one round blob, exactly", "the best straight line, exactly"].forEach((words, latents) => {
    const at = known.length ? y(known[latents]) : -99;
    part(inside, words, "line", { class: "known", x1: left, x2: wide - right, y1: at, y2: at });
    const place = { x: wide - right - 6, y: at + (latents ? -5 : 15), "text-anchor": "end" };
    part(inside, `${words} name`, "text", place, words);
  });
  part(inside, "truth", "path", { class: "line truth", d: path(up) });
  part(inside, "elbo", "path", { class: "line elbo", d: path(down) });
  axis(svg, "x", x, [0, limit / 3, (2 * limit) / 3, limit], height - bottom);
  axis(svg, "y", y, [0, 1, 2, 3].map((step) => ceiling - step), left, (tick) => String(tick).replace("-", "−"));
  part(svg, "x name", "text", { x: wide - right, y: height - 4, "text-anchor": "end" }, "steps of training");
}

// What can be read off now: { counted, numbers, found }.
function told({ trainer, points, seen, known, kind }) {
  if (!trainer) {
    const found = "No points yet: press or tap in the plane, or go there with Tab, move with the arrow keys and press Enter.";
    return { counted: "", numbers: "", found };
  }
  const sigma = sigmaOf(trainer);
  const [bound, evidence] = ["elbo", "log"].map((name) => mean(seen.map((one) => one[name])));
  const kl = mean([...trainer.kl]);
  const most = seen.reduce((best, one, n) => (one.gap > seen[best].gap ? n : best), 0);
  const numbers = [
    `<b>step ${trainer.steps}</b>`, `<b>ELBO ${shown(bound)}</b>`, `<b>ln p(x|w) ${shown(evidence)}</b>`,
    `<b>gap ${shown(evidence - bound)}</b>, the largest ${shown(seen[most].gap, 2)} at (${points[most].map((one) => shown(one, 2)).join(", ")})`,
    `<b>KL ${shown(kl)}</b>`, `<b>σ ${shown(sigma)}</b>${onFloor(trainer) ? ", its floor" : ""}`,
  ].join(" · ");
  const counted = `${points.length} point${points.length === 1 ? "" : "s"}${kind === "drawn" ? `, at most ${MOST_POINTS}` : ""}`;
  return { counted, numbers, found: trainer.steps ? findings(trainer, seen, known, { bound, kl }) : "Press Fit." };
}

// Each sentence only where its numbers say so.
function findings(trainer, seen, known, { bound, kl }) {
  const words = [];
  const early = trainer.steps < EARLY;
  if (!early && kl < COLLAPSED)
    words.push(`Collapse: the mean KL is ${shown(kl, 4)} nats, so q(z|x) is as good as the prior for every x. z tells the decoder nothing, and the tube is one round blob.`);
  if (!early && !trainer.fit.width)
    words.push(`A straight line: probabilistic PCA knows the most it can reach, ${shown(known[1], 4)}, before training. The ELBO is ${shown(known[1] - bound, 4)} below it.`);
  if (onFloor(trainer)) words.push(`σ is held by its floor of ${trainer.how.floor}: training pushes it lower.`);
  const two = seen.filter((one) => one.two).map((one) => one.gap);
  const one = seen.filter((one) => !one.two).map((one) => one.gap);
  if (two.length && one.length)
    words.push(`${two.length} of ${seen.length} points have a posterior of two humps (hollow): their gap is ${shown(mean(two), 2)} on average, that of the others ${shown(mean(one), 2)}.`);
  return words.join(" ") || "Each gap is KL(q(z|x) ‖ p(z|x,w)): how far this encoder's Gaussian is from the true posterior.";
}
