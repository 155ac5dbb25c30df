// One image under several decoders: pick a pixel on any picture, and see its own p(x_d|z,w) under each, at once.
// data.arrays holds, in base64, float32 rows of one number a pixel: first x, then what each decoder names by row.

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
    html(panel, "title", "h3", undefined, decoder.title);
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

// For a screen reader, once a pixel is chosen and not at every step on the way.
function hear(view) {
  const [row, column] = place(view);
  const each = view.data.decoders.map(({ title, log_prob }) => `${title}: ${number(view.rows(log_prob)[chosen(view)])} nats`);
  view.root.querySelector(".heard").textContent = `Row ${row}, column ${column}. ${each.join(". ")}.`;
}
