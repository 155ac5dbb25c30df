// The eigenvalues of the images' covariance as bars, and sigma^2 as a line to drag that cuts them: what a linear VAE
// keeps, and what it is worth. The server hears of sigma^2 when the pointer or key is let go.

const VARIANCES = [0.001, 30];
const TICKS = [0.001, 0.01, 0.1, 1, 10];
const FRAME = { left: 52, right: 388, top: 20, bottom: 250 };
const BEYOND = 4; // components shown after those that have a latent
const LN_2PI = Math.log(2 * Math.PI);
const instances = new WeakMap();

// The best linear VAE at this sigma^2, nats per training image. Tipping & Bishop 1999; Lucas et al. 2019, section 4.
function linearVae(eigenvalues, latents, variance) {
  const each = Array.from({ length: latents }, (_, i) => 0.5 * Math.log(Math.max(eigenvalues[i] ?? 0, variance) / variance));
  const active = eigenvalues.slice(0, latents).filter((value) => value > variance).length;
  const kl = each.reduce((sum, nats) => sum + nats, 0);
  let twice = eigenvalues.length * LN_2PI;
  eigenvalues.forEach((value, i) => (twice += i < active ? Math.log(value) + 1 : Math.log(variance) + value / variance));
  return { each, active, kl, evidence: -twice / 2, reconstruction: kl - twice / 2 };
}

export default function ({ data, parentElement, setTriggerValue }) {
  const one = instances.get(parentElement) ?? { sent: new Set() };
  instances.set(parentElement, one);
  const find = (name) => parentElement.querySelector(`.${name}`);
  hear(one, data);
  const x = scale(VARIANCES.map(Math.log), [FRAME.left, FRAME.right]);
  const curve = evidenceCurve(data, x); // once: a drag moves along it

  const set = (variance) => {
    if (data.learned || !Number.isFinite(variance)) return;
    one.variance = Number(clamp(variance, ...VARIANCES).toPrecision(3));
    show();
  };
  const tell = () => {
    if (one.variance === one.told) return;
    one.sent.add((one.told = one.variance));
    find("heard").textContent = find("bars").getAttribute("aria-valuetext"); // once let go, for who listens
    setTriggerValue("released", one.variance);
  };
  const show = () => {
    const now = linearVae(data.eigenvalues, data.latents, one.variance);
    find("whole").classList.toggle("unsaid", !data.revealed);
    showNumbers(find, data, one.variance, now);
    showBars(find("bars"), data, one.variance, now, x);
    showEvidence(find("evidence"), data, one.variance, now, x, curve);
  };

  draggable(find("bars"), {
    move: (at) => set(Math.exp(x.invert(at))),
    step: (right, up) => set(one.variance * 1.02 ** (right + up)),
    end: tell,
    cancel: () => set(one.told),
  });
  typed(find("variance"), () => one.variance, set, (variance, way) => variance * 1.1 ** way, tell);
  find("to-best").onclick = () => (set(data.best), tell());
  find("to-one").onclick = () => (set(1), tell());
  for (const name of ["variance", "to-best", "to-one"]) find(name).disabled = data.learned;
  show();
  lighting(find("whole"));
}

// The server's sigma^2 counts where it is news, and not the echo of what was sent before the last drag.
function hear(one, { variance, learned }) {
  if (variance === one.heard && learned === one.learned) return;
  if (learned !== one.learned || !one.sent.has(variance)) one.variance = one.told = variance;
  Object.assign(one, { heard: variance, learned });
  if (variance === one.told) one.sent.clear();
}

const digits = (value, places) => value.toLocaleString("en", { minimumFractionDigits: places, maximumFractionDigits: places });
const minus = (text) => text.replace("-", "−");
const short = (variance) => String(Number(variance.toPrecision(3)));

// A number as text; its full precision is kept beside it.
function number(element, value, text) {
  element.dataset.value = value;
  if (element.textContent !== text) element.textContent = text;
}

function showNumbers(find, data, variance, now) {
  const box = find("variance");
  box.dataset.value = variance;
  if (box.getRootNode().activeElement !== box) box.value = Number(variance.toPrecision(3)); // else it is being typed
  const said = (text) => (data.revealed ? text : "?");
  number(find("active"), now.active, said(`${now.active} of ${data.latents}`));
  for (const [name, value] of [["kl", now.kl], ["reconstruction", now.reconstruction], ["evidence-number", now.evidence]])
    number(find(name), value, said(minus(digits(value, 2))));
  number(find("best"), data.best, said(short(data.best)));
}

function showBars(svg, data, variance, now, x) {
  const { left, right, top, bottom } = FRAME;
  const count = Math.min(data.eigenvalues.length, data.latents + BEYOND);
  drawnFor(svg, count);
  part(svg, "frame", "rect", { class: "frame", x: left, y: top, width: right - left, height: bottom - top });
  axis(svg, "x", (tick) => x(Math.log(tick)), TICKS, bottom);
  part(svg, "name", "text", { x: right, y: bottom + 31, "text-anchor": "end" }, "variance (grey levels squared, white = 1), log scale");
  const y = scale([0, count], [top + 3, bottom - 3]);
  const marked = count <= 24 ? 1 : 2; // every other number where there are many
  data.eigenvalues.slice(0, count).forEach((value, i) => {
    const to = clamp(x(Math.log(Math.max(value, VARIANCES[0]))), left, right);
    const kind = i >= data.latents ? "rest" : i < now.active ? "kept" : "collapsed";
    const [from, until] = [y(i + 0.15), y(i + 0.85)];
    part(svg, `bar ${i}`, "rect", { class: `bar ${kind}`, x: left, width: Math.max(0, to - left), y: from, height: until - from });
    if (i % marked === 0)
      part(svg, `of ${i}`, "text", { x: left - 5, y: (from + until) / 2 + 4, "text-anchor": "end" }, i < data.latents ? `z${sub(i + 1)}` : "");
  });
  const [at, best] = [x(Math.log(variance)), x(Math.log(data.best))];
  part(svg, "best line", "line", { class: "mark", x1: best, x2: best, y1: top, y2: bottom, visibility: data.revealed ? "visible" : "hidden" });
  const apart = data.revealed && Math.abs(best - at) > 70;
  part(svg, "best text", "text", { x: best, y: top - 6, "text-anchor": "middle" }, apart ? "best σ²" : "");
  part(svg, "now", "line", { class: "now", x1: at, x2: at, y1: top, y2: bottom });
  part(svg, "handle", "circle", { class: "handle", cx: at, cy: bottom, r: 8 });
  const end = at > right - 90;
  part(svg, "now text", "text", { x: end ? at - 6 : at + 6, y: top - 6, "text-anchor": end ? "end" : "start" }, `σ² = ${short(variance)}`);
  svg.setAttribute("aria-disabled", data.learned);
  svg.setAttribute("aria-valuenow", variance);
  const what = `${now.active} of ${data.latents} latents in use, ln p(x|w) ${minus(digits(now.evidence, 2))} nats`;
  svg.setAttribute("aria-valuetext", `σ² ${short(variance)}${data.revealed ? `, ${what}` : ""}`);
}

// ln p(x|w) of the best linear VAE over sigma^2, as it is drawn, and its axis.
function evidenceCurve({ eigenvalues, latents, best }, x) {
  const { left, right, top, bottom } = FRAME;
  const at = (variance) => linearVae(eigenvalues, latents, variance).evidence;
  const most = at(best);
  const span = 1.2 * (most - at(1));
  const range = [most - span, most + 0.1 * span];
  const y = scale(range, [bottom, top]);
  const points = Array.from({ length: 161 }, (_, i) => left + ((right - left) * i) / 160)
    .map((place) => [place, y(at(Math.exp(x.invert(place))))])
    .filter(([, place]) => place <= bottom);
  return { y, ticks: roundTicks(...range), line: path(points) };
}

function showEvidence(svg, data, variance, now, x, { y, ticks, line }) {
  const { left, right, top, bottom } = FRAME;
  const height = (value) => clamp(y(value), top, bottom);
  part(svg, "frame", "rect", { class: "frame", x: left, y: top, width: right - left, height: bottom - top });
  axis(svg, "x", (tick) => x(Math.log(tick)), TICKS, bottom);
  axis(svg, "y", y, ticks, left, (tick) => minus(digits(tick, 0)));
  part(svg, "name", "text", { x: right, y: bottom + 31, "text-anchor": "end" }, "σ², log scale");
  part(svg, "line", "path", { class: "line", d: line });
  const best = x(Math.log(data.best));
  part(svg, "best line", "line", { class: "mark", x1: best, x2: best, y1: top, y2: bottom });
  part(svg, "best text", "text", { x: best, y: top - 6, "text-anchor": "middle" }, `best σ² = ${short(data.best)}`);
  const here = x(Math.log(variance));
  part(svg, "now", "line", { class: "now", x1: here, x2: here, y1: top, y2: bottom });
  part(svg, "handle", "circle", { class: "handle", cx: here, cy: height(now.evidence), r: 6 });
  const below = y(now.evidence) > bottom ? `↓ ${minus(digits(now.evidence, 0))}` : "";
  const end = here > right - 70;
  part(svg, "below", "text", { x: end ? here - 10 : here + 10, y: bottom - 8, "text-anchor": end ? "end" : "start" }, below);
}

const sub = (number) => [...String(number)].map((digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]).join("");
