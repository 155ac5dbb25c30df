// A sigma to drag: -ln N(x; mu, sigma^2 I) as its function, the residuals under N(0, sigma^2), and a draw from
// N(mu, sigma^2 I). The server hears of sigma and of a new draw when the pointer or key is let go.

const NORMAL = LIKELIHOODS.gaussian_identity;
const SIGMAS = [0.01, 3];
const FRAME = { left: 52, right: 392, top: 22, bottom: 240 };
const DENSITY_TOP = 5;
const instances = new WeakMap();

export default function ({ data, parentElement, setTriggerValue }) {
  const one = instances.get(parentElement) ?? { sent: new Set() };
  instances.set(parentElement, one);
  const find = (name) => parentElement.querySelector(`.${name}`);
  hear(one, data.sigma);
  if (data.draw !== one.draw) one.noise = noise(data.draw, data.n_pixels);
  one.draw = data.draw;

  // Of all pixels at once: each adds as much as one whose error is √MSE, which is the best sigma.
  const nll = (sigma) => -data.n_pixels * NORMAL.log_prob([0], data.best_sigma, { sigma });
  const x = scale(SIGMAS.map(Math.log), [FRAME.left, FRAME.right]);
  const least = nll(data.best_sigma);
  const span = nll(SIGMAS[1]) - least;
  const y = scale([least - 0.12 * span, nll(SIGMAS[1]) + 0.12 * span], [FRAME.bottom, FRAME.top]);

  const set = (sigma) => {
    one.sigma = Number(clamp(sigma, ...SIGMAS).toPrecision(3));
    show();
  };
  const tell = () => {
    if (one.sigma === one.told) return;
    one.sent.add((one.told = one.sigma));
    find("heard").textContent = find("curve").getAttribute("aria-valuetext"); // once let go, for who listens
    setTriggerValue("released", { sigma: one.sigma, draw: one.draw });
  };
  const show = () => {
    showNumbers(find, data, one.sigma, nll, least);
    showCurve(find("curve"), data, one.sigma, nll, x, y);
    showBars(find("bars"), data, one.sigma);
    showSample(find, data, one);
  };

  draggable(find("curve"), {
    move: (at) => set(Math.exp(x.invert(at))),
    step: (right, up) => set(one.sigma * 1.01 ** (right + up)),
    end: tell,
    cancel: () => set(one.told),
  });
  typed(find("sigma"), () => one.sigma, set, (sigma, way) => sigma + 0.05 * way, tell);
  find("to-best").onclick = () => (set(data.best_sigma), tell());
  find("to-one").onclick = () => (set(1), tell());
  find("again").onclick = () => {
    one.draw = (one.draw + 1) % data.n_draws;
    one.noise = noise(one.draw, data.n_pixels);
    show();
    find("heard").textContent = `Another draw: ${find("sample-outside").textContent} of its pixels lie outside 0 to 1.`;
    setTriggerValue("released", { sigma: one.sigma, draw: one.draw });
  };
  picture(find("x"), data.x, `The input x, held-out image ${data.image}`);
  picture(find("mean"), data.mean, "The decoder's mean of that image");
  show();
  lighting(find("whole"));
}

// The server's sigma counts where it is news, and not the echo of what was sent before the last drag.
function hear(one, sigma) {
  if (sigma === one.heard) return;
  one.heard = sigma;
  if (!one.sent.has(sigma)) one.sigma = one.told = sigma;
  if (sigma === one.told) one.sent.clear();
}

// A number as text; its full precision is kept beside it.
function number(element, value, text) {
  element.dataset.value = value;
  const shown = text.replace("-", "−");
  if (element.textContent !== shown) element.textContent = shown;
}

const digits = (value, places) => value.toLocaleString("en", { minimumFractionDigits: places, maximumFractionDigits: places });
const percent = (share) => `${digits(100 * share, 1)} %`;

function showSigma(box, sigma) {
  box.dataset.value = sigma;
  if (box.getRootNode().activeElement !== box) box.value = sigma; // else it is being typed
}

function showNumbers(find, data, sigma, nll, least) {
  showSigma(find("sigma"), sigma);
  number(find("nll"), nll(sigma), digits(nll(sigma), 1));
  number(find("excess"), nll(sigma) - least, digits(Math.max(0, nll(sigma) - least), 1));
  number(find("best"), data.best_sigma, data.best_sigma.toPrecision(3));
}

function showCurve(svg, data, sigma, nll, x, y) {
  const { left, right, top, bottom } = FRAME;
  const height = (value) => clamp(y(value), top, bottom);
  part(svg, "frame", "rect", { class: "frame", x: left, y: top, width: right - left, height: bottom - top });
  axis(svg, "x", (tick) => x(Math.log(tick)), [0.01, 0.03, 0.1, 0.3, 1, 3], bottom);
  axis(svg, "y", y, roundTicks(y.invert(bottom), y.invert(top)), left, (tick) => digits(tick, 0).replace("-", "−"));
  part(svg, "name", "text", { x: right, y: bottom + 28, "text-anchor": "end" }, "σ, log scale");
  const points = Array.from({ length: 241 }, (_, i) => Math.exp(x.invert(left + ((right - left) * i) / 240)))
    .map((at) => [x(Math.log(at)), y(nll(at))])
    .filter(([, height]) => height >= top);
  part(svg, "curve", "path", { class: "nll-line", d: path(points) });
  marked(svg, "one", x(0), "σ = 1, identity", nll(1), height, "start");
  marked(svg, "best", x(Math.log(data.best_sigma)), "σ* = √MSE", nll(data.best_sigma), height, "end");
  const at = x(Math.log(sigma));
  part(svg, "now", "line", { class: "now", x1: at, x2: at, y1: top, y2: bottom });
  part(svg, "handle", "circle", { class: "handle", cx: at, cy: height(nll(sigma)), r: 8 });
  const off = y(nll(sigma)) < top ? `↑ ${digits(nll(sigma), 0)}` : "";
  part(svg, "off", "text", { x: at + 12, y: top + 14 }, off);
  svg.setAttribute("aria-valuenow", sigma);
  svg.setAttribute("aria-valuetext", `σ ${sigma}, ${digits(nll(sigma), 1)} nats; the least is at ${data.best_sigma.toPrecision(3)}`);
}

function marked(svg, name, at, text, value, height, anchor) {
  part(svg, `${name} line`, "line", { class: "mark", x1: at, x2: at, y1: FRAME.top, y2: FRAME.bottom });
  part(svg, `${name} dot`, "circle", { cx: at, cy: height(value), r: 4, fill: "#0072b2" });
  const x = anchor === "start" ? at - 12 : at + 12;
  part(svg, `${name} text`, "text", { x, y: FRAME.top - 6, "text-anchor": anchor }, text);
}

function showBars(svg, data, sigma) {
  const { left, right, top, bottom } = FRAME;
  const x = scale([data.edges[0], data.edges.at(-1)], [left, right]);
  const y = scale([0, DENSITY_TOP], [bottom, top]);
  const height = (value) => clamp(y(value), top, bottom);
  part(svg, "frame", "rect", { class: "frame", x: left, y: top, width: right - left, height: bottom - top });
  axis(svg, "x", x, [-2, -1, 0, 1, 2], bottom, (tick) => String(tick).replace("-", "−"));
  axis(svg, "y", y, [0, 1, 2, 3, 4, 5], left);
  part(svg, "name", "text", { x: right, y: bottom + 28, "text-anchor": "end" }, "x − μ, grey levels (black 0, white 1)");
  data.density.forEach((density, bin) => {
    const [from, to] = [x(data.edges[bin]), x(data.edges[bin + 1])];
    const never = height(data.density_never[bin]);
    const all = height(density);
    part(svg, `never ${bin}`, "rect", { class: "bar never", x: from, width: to - from, y: never, height: bottom - never });
    part(svg, `bar ${bin}`, "rect", { class: "bar other", x: from, width: to - from, y: all, height: never - all });
  });
  const tallest = Math.max(...data.density);
  const text = tallest > DENSITY_TOP ? `↑ the bar at 0 goes up to ${digits(tallest, 1)}` : "";
  part(svg, "beyond", "text", { x: x(0) + 8, y: top + 14 }, text);
  const normal = (at) => Math.exp(NORMAL.log_prob([0], at, { sigma }));
  const points = places([data.edges[0], data.edges.at(-1)], 0, 0, 400);
  part(svg, "normal", "path", { class: "normal", d: path(points.map((at) => [x(at), height(normal(at))])) });
}

function showSample(find, data, one) {
  const settings = { sigma: one.sigma };
  const sample = data.mean.map((mean, pixel) => NORMAL.sample([mean], settings, { normal: () => one.noise[pixel] }));
  picture(find("sample"), sample, `A draw from N(μ, σ²I) at σ ${one.sigma}, clipped to [0,1] for display`);
  const share = (test, pixels) => pixels.filter(test).length / pixels.length;
  const beyond = (value) => value < 0 || value > 1;
  const tails = data.mean.map((mean) => outside(NORMAL, [mean], settings));
  for (const [name, value] of [
    ["sample-outside", share(beyond, sample)],
    ["expected-outside", tails.reduce((sum, tail) => sum + tail, 0) / data.n_pixels],
    ["mean-outside", share(beyond, data.mean)],
  ])
    number(find(name), value, percent(value));
}

const noise = (seed, length) => Array.from({ length }, chance(uniforms(seed)).normal);

function picture(canvas, pixels, label) {
  paint(canvas, Math.sqrt(pixels.length), pixels);
  canvas.setAttribute("aria-label", label);
}
