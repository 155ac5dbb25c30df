// Average of logs against log of the average: draws from q with their weights, and the bound as K grows.

function drawDraws(own, now) {
  own.draws = weighed(own.state, own.model, now, own.eps);
  drawSticks(own, now);
  drawBounds(own, now);
}

// Each draw at its z, as tall as its share of all weights.
function drawSticks({ svg, draws }, now) {
  const panel = svg.sticks;
  const height = 210;
  const width = fit(panel, height);
  const [left, right, top, bottom] = [40, width - 10, 10, 170];
  const x = scale(Z, [left, right]);
  const total = logSumExp(draws.logs);
  const shares = Array.from(draws.logs, (one) => Math.exp(one - total));
  const most = nice(Math.max(...shares), [0.05, 0.1, 0.2, 0.5, 1]);
  const y = scale([0, most], [bottom, top]);
  const box = { x: left, y: top, width: right - left, height: bottom - top };
  part(part(panel, "cut", "clipPath", { id: "cut-sticks" }), "box", "rect", box);
  part(panel, "frame", "rect", { ...box, class: "frame" });
  const inside = part(panel, "inside", "g", { "clip-path": "url(#cut-sticks)" });
  const columns = 200;
  const tops = heights(now.exact, Z, columns);
  const highest = tops.reduce((a, b) => Math.max(a, b));
  const shape = (f) => path(along(columns).slice(1).map((z, i) => [x(z) - (right - left) / columns / 2, bottom - ((0.9 * (bottom - top)) * f(z, i)) / highest]));
  part(inside, "posterior", "path", { class: "curve posterior faint", d: shape((_, i) => tops[i]) });
  part(inside, "q", "path", { class: "curve q faint", d: shape((z) => Math.exp(logQ(now.q, z))) });
  part(inside, "sticks", "path", { class: "sticks", d: draws.z.map((z, i) => `M${x(z).toFixed(1)} ${bottom}V${y(shares[i]).toFixed(1)}`).join("") });
  part(inside, "dots", "path", { class: "dots", d: draws.z.map((z, i) => `M${x(z).toFixed(1)} ${y(shares[i]).toFixed(1)}h0.01`).join("") });
  axis(panel, "x", x, along(8), bottom, (tick) => shown(tick, 0));
  axis(panel, "y", y, [0, most / 2, most], left);
  part(panel, "x name", "text", { x: right, y: height - 8, "text-anchor": "end" }, "z");
  part(panel, "y name", "text", { x: left + 6, y: top + 14 }, "share of all weights");
  panel.setAttribute("aria-label", `${draws.z.length} draws from q and their weights; as many as ${shown(draws.effective, 1)} equal ones`);
}

function drawBounds({ svg, draws, state }, now) {
  const panel = svg.bounds;
  const height = 210;
  const width = fit(panel, height);
  const [left, right, top, bottom] = [52, width - 10, 10, 170];
  const lows = draws.bounds.map(({ mean, spread }) => mean - spread);
  const highs = draws.bounds.map(({ mean, spread }) => mean + spread);
  const ticks = roundTicks(Math.min(...lows, now.elbo) - 0.05, Math.max(...highs, now.log_evidence) + 0.05);
  const step = ticks.length > 1 ? ticks[1] - ticks[0] : 0.05;
  const y = scale([Math.min(ticks[0], Math.min(...lows, now.elbo)) - 0.3 * step, Math.max(...highs, now.log_evidence) + 0.5 * step], [bottom, top]);
  const x = scale([-0.4, KS.length - 0.6], [left, right]);
  part(panel, "frame", "rect", { class: "frame", x: left, y: top, width: right - left, height: bottom - top });
  const edge = (of) => of.map((value, i) => [x(i), y(value)]);
  part(panel, "band", "path", { class: "band", d: `${path([...edge(highs), ...edge(lows).reverse()])}Z` });
  part(panel, "exact", "path", { class: "curve posterior", d: `M${left} ${y(now.log_evidence)}H${right}` });
  part(panel, "elbo", "path", { class: "curve elbo", d: `M${left} ${y(now.elbo)}H${right}` });
  part(panel, "means", "path", { class: "curve q", d: path(draws.bounds.map(({ mean }, i) => [x(i), y(mean)])) });
  draws.bounds.forEach(({ k, mean }, i) => part(panel, `mean ${i}`, "circle", { class: k === state.k ? "mean here" : "mean", cx: x(i), cy: y(mean), r: k === state.k ? 5 : 3 }));
  axis(panel, "x", x, KS.map((_, i) => i), bottom, (i) => String(KS[i]));
  axis(panel, "y", y, ticks, left, (tick) => String(tick).replace("-", "−"));
  part(panel, "x name", "text", { x: right, y: height - 8, "text-anchor": "end" }, "K, draws in each average");
  part(panel, "exact name", "text", { x: left + 6, y: y(now.log_evidence) - 5 }, "ln p(x|w)");
  part(panel, "elbo name", "text", { x: right - 6, y: y(now.elbo) + 14, "text-anchor": "end" }, "ELBO");
  const here = draws.bounds[KS.indexOf(state.k)];
  panel.setAttribute("aria-label", `The bound with K = ${state.k}: on average ${shown(here.mean)}, and ln p(x|w) is ${shown(now.log_evidence)} nats`);
}
