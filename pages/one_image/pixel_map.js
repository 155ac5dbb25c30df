// One image under several decoders: pick a pixel on any picture, and see its own p(x_d|z,w) under each, at once.
// data.arrays holds, in base64, float32 rows of one number a pixel: first x, then what each decoder names by row.

const AXIS = [-1, 2]; // the x of every density's axis, the same for all
const TALLEST = 15; // of a density's axis: without a low floor, a peak may be a thousand times as high
const LIGHTS = { x: "x", mean: "mean", stddev: "sigma", log_prob: "log_prob" }; // a picture, and the symbol it goes with
const states = new WeakMap();

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".pixel-map");
  let state = states.get(parentElement);
  if (!state) states.set(parentElement, (state = {}));
  if (state.side !== data.side) Object.assign(state, { side: data.side, pixel: data.pixel }); // then the reader leads
  const floats = new Float32Array(Uint8Array.from(atob(data.arrays), (letter) => letter.charCodeAt(0)).buffer);
  const count = data.side ** 2;
  const rows = (row) => floats.subarray(row * count, (row + 1) * count);
  const view = { data, state, x: rows(0), rows, root };

  const send = () => {
    if (state.pixel !== state.sent) setStateValue("pixel", (state.sent = state.pixel));
    hear(view);
  };
  const pick = (pixel) => {
    state.pixel = pixel;
    show(view);
  };
  view.pick = (pixel) => (pick(pixel), send());
  view.surface = {
    move: (x, y) => pick(clamp(Math.floor(y), 0, data.side - 1) * data.side + clamp(Math.floor(x), 0, data.side - 1)),
    step: (dx, dy) => {
      const [row, column] = place(view);
      pick(clamp(row - dy, 0, data.side - 1) * data.side + clamp(column + dx, 0, data.side - 1));
    },
    end: send,
  };
  build(view);
  show(view);
  lighting(root);
}

// The pixel that is shown: the reader's, or the costliest until one is chosen.
function chosen({ data, state }) {
  return state.pixel >= 0 && state.pixel < data.side ** 2 ? state.pixel : data.start;
}

function place(view) {
  const pixel = chosen(view);
  return [Math.floor(pixel / view.data.side), pixel % view.data.side];
}

// Building and painting ------------------------------------------------------------------------------------------------

function html(parent, name, tag, className, text) {
  const parts = (parent.parts ??= {});
  const element = (parts[name] ??= parent.appendChild(document.createElement(tag)));
  if (className !== undefined) element.className = className;
  if (text !== undefined && element.said !== text) {
    const [first, ...rest] = (element.said = text).split("_d"); // x_d and its like, with the d where it belongs
    element.replaceChildren(first, ...rest.flatMap((after) => [subscript(), after]));
  }
  return element;
}

function subscript() {
  const element = document.createElement("sub");
  element.textContent = "d";
  return element;
}

function build(view) {
  const { data, root } = view;
  view.overlays = [picture(view, root.querySelector(".source"), "x", data.input, true)];
  const panels = root.querySelector(".panels");
  drawnFor(panels, JSON.stringify(data.decoders.map(({ key, title, images, settings }) => [key, title, images.length, settings.levels])));
  data.decoders.forEach((decoder, index) => {
    const panel = html(panels, `panel ${index}`, "section", "panel");
    panel.setAttribute("aria-label", decoder.title);
    html(panel, "title", "h4", undefined, decoder.title);
    html(panel, "badge", "span", `badge ${decoder.kind}`, decoder.badge);
    const formula = html(panel, "formula", "div", "formula");
    if (formula.of !== decoder.key) formula.innerHTML = FORMULAS[(formula.of = decoder.key)];
    html(panel, "total", "div", "total", decoder.total).dataset.lights = LIGHTS.log_prob;
    const pictures = html(panel, "pictures", "div", "pictures");
    for (const image of decoder.images) view.overlays.push(picture(view, pictures, image.name, image, image.name === "log_prob"));
    decoder.chart = html(panel, "chart", "div", "chart");
    decoder.chart.dataset.lights = LIGHTS.stddev; // as wide as σ says
    decoder.numbers = html(panel, "numbers", "div", "numbers");
    const button = html(panel, "costliest", "button", "", "Show its costliest pixel");
    button.type = "button";
    button.onclick = () => view.pick(decoder.costliest);
    decoder.likelihood = LIKELIHOODS[decoder.key];
    decoder.raw = (pixel) => decoder.outputs.map((row) => view.rows(row)[pixel]);
    const heights = Array.from(view.x, (_, pixel) => peak(decoder.likelihood, decoder.raw(pixel), decoder.settings));
    decoder.peak = Math.max(...heights); // of any pixel: the axis stays while the pixel changes
  });
}

function picture(view, parent, name, image, tabbed) {
  const { data } = view;
  const figure = html(parent, name, "figure");
  figure.dataset.lights = LIGHTS[name];
  const frame = html(figure, "frame", "div", "frame");
  const on = (value) => (image.log ? Math.log(value) : value);
  const [low, high] = [on(image.low), on(image.high)];
  const stops = data.palettes[image.palette].map((colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)));
  const canvas = html(frame, "canvas", "canvas");
  canvas.setAttribute("aria-hidden", "true");
  paint(canvas, data.side, view.rows(image.row), (value) => (255 * (on(value) - low)) / (high - low || 1), table(stops));
  const overlay = part(frame, "overlay", "svg", {
    viewBox: `0 0 ${data.side} ${data.side}`,
    role: "application",
    "aria-label": `${image.alt} Arrow keys choose a pixel.`,
    tabindex: tabbed ? 0 : -1,
  });
  draggable(overlay, view.surface);
  html(figure, "scale", "div", "scale").style.background = `linear-gradient(to right, ${data.palettes[image.palette].join(",")})`;
  const ends = html(figure, "ends", "div", "ends");
  html(ends, "low", "span", undefined, image.ends[0]);
  html(ends, "high", "span", undefined, image.ends[1]);
  html(figure, "caption", "figcaption", undefined, image.caption);
  return overlay;
}

// What a pixel has to say ----------------------------------------------------------------------------------------------

function show(view) {
  const { data, x, root } = view;
  const pixel = chosen(view);
  const [row, column] = place(view);
  for (const overlay of view.overlays) {
    for (const name of ["under", "over"]) part(overlay, name, "rect", { class: name, x: column, y: row, width: 1, height: 1 });
  }
  html(root.querySelector(".where"), "text", "div", undefined,
    `Pixel d = ${pixel}: row ${row}, column ${column}, counted from 0. x_d = ${number(x[pixel])}`);
  for (const decoder of data.decoders) {
    const { likelihood, settings, chart, numbers } = decoder;
    const f = decoder.raw(pixel);
    const says = likelihood.say(f, settings, number);
    const svg = part(chart, "svg", "svg", { viewBox: "0 0 300 158", role: "img" });
    (valuesOf(likelihood, settings) ? bars : curve)(svg, f, x[pixel], decoder);
    svg.setAttribute("aria-label", `p(x_d|z,w) at this pixel under ${decoder.title}: ${says}`);
    html(numbers, "distribution", "div", undefined, `p(x_d|z,w) is ${says}`);
    html(numbers, "height", "div", undefined, height(f, x[pixel], decoder));
    html(numbers, "log", "b", undefined, `${decoder.term} = ${number(view.rows(decoder.log_prob)[pixel])} nats`);
  }
}

function height(f, x, { likelihood, settings }) {
  if (!supports(likelihood, x, settings)) return "x_d is neither 0 nor 1, so it has no probability here; the formula alone gives";
  const p = number(Math.exp(likelihood.log_prob(f, x, settings)));
  if (!valuesOf(likelihood, settings)) return `its density at x_d = ${p} per unit of grey`;
  return `p(x_d = ${number(x)}|z,w) = ${likelihood.height(x, settings)} = ${p}`;
}

// For a screen reader, once a pixel is chosen and not at every step on the way.
function hear(view) {
  const [row, column] = place(view);
  const each = view.data.decoders.map(({ title, log_prob }) => `${title}: ${number(view.rows(log_prob)[chosen(view)])} nats`);
  view.root.querySelector(".heard").textContent = `Row ${row}, column ${column}. ${each.join(". ")}.`;
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
