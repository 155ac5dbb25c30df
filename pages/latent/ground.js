// What lies on the pad: the codes of held-out images, the prior's circles, and what may be drawn behind them.

// ln N(z; 0, I), nats.
const logPrior = (z) => z.reduce((sum, value) => sum - 0.5 * (value * value + LN_2PI), 0);

// ln of the mean over images of q(z|x) on these latents alone: their marginal, nats. z has a number for each of them.
function logMixture({ m, s, logS, count }, latents, among, z) {
  const logs = new Float64Array(count);
  let most = -Infinity;
  for (let n = 0; n < count; n++) {
    let sum = 0;
    for (let k = 0; k < among.length; k++) {
      const at = n * latents + among[k];
      const scaled = (z[k] - m[at]) / s[at];
      sum -= 0.5 * (scaled * scaled + LN_2PI) + logS[at];
    }
    logs[n] = sum;
    if (sum > most) most = sum;
  }
  return most + Math.log(logs.reduce((sum, value) => sum + Math.exp(value - most), 0) / count);
}

function drawGround(pad) {
  const canvas = pad.find(".ground");
  pad.width = pad.find(".plane").clientWidth || SIZE;
  const zoom = Math.min(2, window.devicePixelRatio || 1) * 1.2;
  canvas.width = canvas.height = Math.round(SIZE * zoom);
  const context = canvas.getContext("2d");
  context.scale(zoom, zoom);
  const style = getComputedStyle(pad.find(".pad"));
  context.fillStyle = style.getPropertyValue("--st-secondary-background-color");
  context.fillRect(0, 0, SIZE, SIZE);
  const key = behind(pad, context, pad.control("behind").value);
  if (pad.control("points").checked) drawPoints(pad, context);
  drawFrame(pad);
  tellKey(pad, key);
}

// The classes' colours on the ground as it is coloured now.
function tints(pad) {
  const dot = document.createElement("canvas").getContext("2d");
  dot.fillStyle = getComputedStyle(pad.find(".pad")).getPropertyValue("--st-background-color");
  dot.fillRect(0, 0, 1, 1);
  const [red, green, blue] = dot.getImageData(0, 0, 1, 1).data;
  return red + green + blue > 384 ? TINTS.light : TINTS.dark;
}

function drawPoints(pad, context) {
  const { m, labels, count } = pad.codes;
  const outline = getComputedStyle(pad.find(".pad")).getPropertyValue("--st-background-color");
  const sprites = tints(pad).map((tint, label) => sprite(String(label), tint, outline));
  const size = 10 * Math.max(1, (0.8 * SIZE) / pad.width); // at least 8 pixels of the screen
  for (let n = 0; n < count; n++) {
    const [a, b] = pad.axes;
    const top = b < 0 ? SIZE * (0.1 + 0.8 * ((n * 0.618034) % 1)) : pad.y(m[n * pad.latents + b]);
    context.drawImage(sprites[labels[n] % 10], pad.x(m[n * pad.latents + a]) - size / 2, top - size / 2, size, size);
  }
}

// A class's digit in its colour, drawn once and stamped for each point: 5,000 in a few milliseconds.
function sprite(text, tint, outline) {
  const stamp = document.createElement("canvas");
  stamp.width = stamp.height = 30;
  const context = stamp.getContext("2d");
  Object.assign(context, { fillStyle: tint, strokeStyle: outline, lineWidth: 4, lineJoin: "round" });
  Object.assign(context, { font: "bold 26px sans-serif", textAlign: "center", textBaseline: "middle" });
  context.strokeText(text, 15, 16);
  context.fillText(text, 15, 16);
  return stamp;
}

function drawFrame(pad) {
  const surface = pad.find(".surface");
  surface.style.setProperty("--label", `${(12 * SIZE) / pad.width}px`); // 12 pixels of the screen
  const centre = [pad.x(0), pad.y(0)];
  const style = { fill: "none", stroke: "var(--st-text-color)", "stroke-dasharray": "5 4", "pointer-events": "none" };
  const names = { "font-weight": "bold", "pointer-events": "none" };
  part(surface, "across", "text", { x: SIZE - 6, y: SIZE / 2 - 6, "text-anchor": "end", ...names }, `${latentName(pad.axes[0])} →`);
  part(surface, "up", "text", { x: SIZE / 2 + 6, y: 16, ...names }, pad.axes[1] < 0 ? "" : `${latentName(pad.axes[1])} ↑`);
  for (const sigma of [1, 2, 3]) {
    const r = pad.x(sigma) - centre[0];
    const label = { x: centre[0] + r * (pad.axes[1] < 0 ? 1 : 0.72) + 2, y: pad.axes[1] < 0 ? 14 : centre[1] - r * 0.72, "pointer-events": "none" };
    if (pad.axes[1] < 0) {
      for (const way of [-1, 1]) {
        const at = centre[0] + way * r;
        part(surface, `line ${way} ${sigma}`, "line", { x1: at, x2: at, y1: 0, y2: SIZE, ...style });
      }
    } else {
      const circle = { cx: centre[0], cy: centre[1], r, ...style };
      const halo = { stroke: "var(--st-background-color)", "stroke-width": 3, "stroke-opacity": 0.6, "stroke-dasharray": "none" };
      part(surface, `halo ${sigma}`, "circle", { ...circle, ...halo }); // seen on any ground
      part(surface, `circle ${sigma}`, "circle", circle);
    }
    part(surface, `sigma ${sigma}`, "text", label, `${sigma}σ`);
  }
}

// What is behind the points, and its key: ["text", "text"].
function behind(pad, context, kind) {
  if (kind === "grid") return manifold(pad, context);
  if (kind === "ratio") return ratio(pad, context);
  if (kind === "entropy") return entropy(pad, context);
  return [];
}

// z at a place of the plane, the other latents as they are.
function zAt(pad, x, y) {
  const z = pad.z.slice();
  z[pad.axes[0]] = pad.x.invert(x);
  if (pad.axes[1] >= 0) z[pad.axes[1]] = pad.y.invert(y);
  return z;
}

// Visit the middles of a grid of cells: use(x, y, left, top, width).
function cells(across, use) {
  const width = SIZE / across;
  for (let row = 0; row < across; row++)
    for (let column = 0; column < across; column++)
      use((column + 0.5) * width, (row + 0.5) * width, column * width, row * width, width);
}

function manifold(pad, context) {
  const run = pad.runs.find((one) => one.decode);
  const tile = document.createElement("canvas");
  context.imageSmoothingEnabled = false;
  cells(14, (x, y, left, top, width) => {
    paint(tile, pad.side, run.decode(zAt(pad, x, y)).mean);
    context.drawImage(tile, left, top, width, width);
  });
  return [`decoded grid: the mean of p(x|z,w) at each cell's middle, ${run.name}`];
}

// Colour each cell by its value, on a scale between two limits.
function shade(context, across, values, low, high, colour) {
  let cell = 0;
  cells(across, (x, y, left, top, width) => {
    const [red, green, blue] = colour((values[cell++] - low) / (high - low || 1)).map(Math.round);
    context.fillStyle = `rgb(${red},${green},${blue})`;
    context.fillRect(left, top, width + 0.5, width + 0.5);
  });
}

// Blue where codes are rarer than the prior says, orange where they are more frequent.
const diverging = (share) => blend([[0, 114, 178], [255, 255, 255], [213, 94, 0]], share);

function ratio(pad, context) {
  const among = pad.axes.filter((axis) => axis >= 0);
  const values = [];
  cells(40, (x, y) => {
    const z = [pad.x.invert(x), pad.y.invert(y)].slice(0, among.length);
    values.push(logMixture(pad.codes, pad.latents, among, z) - logPrior(z));
  });
  shade(context, 40, values, -3, 3, diverging);
  const shown = among.map(latentName).join(", ");
  return [`ln q(${shown}) − ln p(${shown}): blue −3 nats or less (codes rarer than the prior says), white 0, orange +3 or more`];
}

function entropy(pad, context) {
  const run = pad.runs.find((one) => one.decode);
  const values = [];
  cells(24, (x, y) => values.push(run.decode(zAt(pad, x, y)).entropy()));
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const shown = (value) => value.toFixed(1).replace("-", "−");
  shade(context, 24, values, low, high, (share) => blend(VIRIDIS, share));
  if (high - low < 1e-3) return [`entropy of p(x|z,w), ${run.name}: ${shown(low)} nats everywhere: no z changes its noise`];
  return [`entropy of p(x|z,w), ${run.name}: dark ${shown(low)} nats to yellow ${shown(high)} (where the decoder is least sure)`];
}

function tellKey(pad, key) {
  const colours = tints(pad);
  const entry = (text, tint) => {
    const made = document.createElement("span");
    if (tint !== undefined) Object.assign(made.style, { color: colours[tint], fontWeight: "bold" });
    made.textContent = text;
    return made;
  };
  const seen = [...new Set(pad.codes.labels)].sort((a, b) => a - b);
  const classes = seen.map((label) => entry(`${label}${pad.classes[label] ? ` ${pad.classes[label]}` : ""}`, label % 10));
  const points = `${pad.codes.count.toLocaleString("en")} held-out images at the mean m of q(z|x), by class:`;
  const height = pad.axes[1] < 0 ? " With one latent, height only keeps the points apart." : "";
  const circles = `Dashed: the prior at 1, 2, 3 standard deviations.${height}`;
  pad.find(".key").replaceChildren(entry(points), ...classes, entry(circles), ...key.map((text) => entry(text)));
}
