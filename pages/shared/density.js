// p(x_d|z,w) of one pixel drawn small, and told in numbers: bars for a mass, a curve for a density.

const AXIS = [-1, 2]; // the x of every density's axis, the same for all
const TALLEST = 15; // of a density's axis: without a low floor, a peak may be a thousand times as high

function height(f, x, { likelihood, settings }) {
  if (!supports(likelihood, x, settings)) return "x_d is neither 0 nor 1, so it has no probability here; the formula alone gives";
  const p = number(Math.exp(likelihood.log_prob(f, x, settings)));
  if (!valuesOf(likelihood, settings)) return `its density at x_d is ${p} per unit of grey`;
  return `p(x_d = ${number(x)}|z,w) = ${likelihood.height(x, settings)} = ${p}`;
}

// Four significant digits, a true minus sign, and powers of ten where a number is very small or large.
function number(value) {
  const size = Math.abs(value);
  let text = size.toPrecision(4);
  if (value === 0) text = "0";
  else if (size === 1) text = "1";
  else if (size < 1e-3 || size >= 1e5) {
    const [digits, power] = size.toExponential(2).split("e");
    text = `${digits} × 10${[...String(Number(power))].map((sign) => "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"["0123456789-".indexOf(sign)]).join("")}`;
  }
  return (value < 0 ? "−" : "") + text;
}

function bars(panel, f, x, { likelihood, settings, colour }) {
  const values = valuesOf(likelihood, settings);
  const [coin, tallest] = [likelihood.support === "boolean", peak(likelihood, f, settings)];
  const top = coin ? 1 : [0.02, 0.05, 0.1, 0.2, 0.5].find((tick) => tick >= tallest) ?? 1; // of this pixel: others may be sure
  const across = scale(coin ? [-0.5, 1.5] : [-0.08, 1.08], [40, 290]);
  const up = scale([0, top], [115, 14]);
  const width = coin ? 80 : (0.8 * (across(1) - across(0))) / (values.length - 1);
  axis(panel, "x", across, [0, 1], 115, (value) => (value === x ? `${value}, as observed` : String(value)));
  axis(panel, "y", up, [0, top / 2, top], 40);
  part(panel, "name", "text", { x: 165, y: 152, "text-anchor": "middle" }, "this pixel's value, and its probability");
  for (const value of values) {
    const p = Math.exp(likelihood.log_prob(f, value, settings));
    const here = means(likelihood, x, value, settings);
    part(panel, `bar ${value}`, "rect", {
      x: across(value) - width / 2, width, y: up(p), height: up(0) - up(p),
      fill: colour, "fill-opacity": here ? 0.9 : values.length > 32 ? 0.6 : 0.2, stroke: values.length > 32 ? "none" : colour,
    });
    const place = { x: across(value), y: Math.max(up(p) - 4, 11), "text-anchor": "middle" };
    if (values.length < 4) part(panel, `mass ${value}`, "text", place, number(p));
  }
  part(panel, "base", "line", { x1: 40, x2: 290, y1: 115, y2: 115, stroke: "var(--st-border-color)" });
  const outline = values.flatMap((value) => [0, Math.exp(likelihood.log_prob(f, value, settings)), 0].map((p) => [across(value), up(p)]));
  if (!coin) return mark(panel, across(x), up(0), up(Math.exp(likelihood.log_prob(f, x, settings))), 4, outline);
  const grey = !supports(likelihood, x); // between the bars, where there is no probability
  mark(panel, across(x), up(0), up(grey ? 1 : 0), grey ? 4 : 0, outline);
}

function curve(panel, f, x, { likelihood, settings, colour, peak: ofAny }) {
  const tallest = likelihood.support === "unit_interval" ? peak(likelihood, f, settings) : ofAny; // there some soar without end
  const top = [0.1, 0.2, 0.5, 1, 2, 5, 10].find((tick) => tick >= tallest) ?? TALLEST;
  const across = scale(AXIS, [40, 290]);
  const up = scale([0, top], [115, 14]);
  const high = (value) => up(Math.min(Math.exp(likelihood.log_prob(f, value, settings)), top));
  part(panel, "grey levels", "rect", { class: "grey-levels", x: across(0), width: across(1) - across(0), y: 14, height: 101 });
  axis(panel, "x", across, [-1, 0, 1, 2], 115, (tick) => String(tick).replace("-", "−"));
  axis(panel, "y", up, [0, top / 2, top], 40);
  part(panel, "name", "text", { x: 165, y: 152, "text-anchor": "middle" }, "this pixel's value, and its density. Shaded: the greys");
  const inside = likelihood.support === "unit_interval" ? [0, 1] : AXIS; // beyond, there is no density
  const points = places(inside, likelihood.mean(f, settings), likelihood.stddev(f, settings)).map((one) => [across(one), high(one)]);
  part(panel, "line", "path", { d: path(points), fill: "none", stroke: colour, "stroke-width": 2.5 });
  mark(panel, across(x), up(0), high(x), 5, points);
}

// Where the observed x stands, and how high its density is there; the word beside it where no line strikes it.
function mark(panel, x, base, y, radius, points) {
  const line = { x1: x, x2: x, y1: base, y2: y, stroke: "var(--st-text-color)", "stroke-width": 2, "stroke-dasharray": "4 3" };
  part(panel, "observed line", "line", line);
  part(panel, "observed dot", "circle", { cx: x, cy: y, r: radius, fill: "var(--st-text-color)" });
  const [left, top] = free(points, x, y);
  part(panel, "observed", "text", { x: left, y: top + 12, "font-weight": 600 }, radius ? "observed" : "");
}

// The place nearest to (x, y), inside the frame, for a word of 56 by 16 that no point of the line falls into.
function free(points, x, y, [width, height] = [56, 16]) {
  const dense = points.flatMap(([px, py], i) => {
    const [qx, qy] = points[i + 1] ?? [px, py];
    const steps = Math.ceil(Math.hypot(qx - px, qy - py) / 2) || 1;
    return Array.from({ length: steps }, (_, k) => [px + ((qx - px) * k) / steps, py + ((qy - py) * k) / steps]);
  });
  const clear = ([left, top]) => !dense.some(([px, py]) => px > left - 2 && px < left + width + 2 && py > top - 2 && py < top + height + 2);
  const lefts = [9, 24, 40, 60].flatMap((far) => [x + far, x - far - width]).filter((left) => left > 42 && left + width < 290);
  const tops = Array.from({ length: 13 }, (_, i) => 4 + 8 * i).filter((top) => top + height < 112); // above the axis
  const places = lefts.flatMap((left) => tops.map((top) => [left, top]));
  const far = ([left, top]) => Math.hypot(left + width / 2 - x, top + height / 2 - y);
  return places.sort((a, b) => far(a) - far(b)).find(clear) ?? places[0];
}
