// What the drawn widgets share: SVG elements, linear scales, axes, and dragging by pointer, touch and arrow keys.

// Create a child once and find it again by its name, so that drawing again only changes attributes.
function part(parent, name, tag, attributes = {}, text) {
  const parts = (parent.parts ??= {});
  const element = (parts[name] ??= parent.appendChild(document.createElementNS("http://www.w3.org/2000/svg", tag)));
  for (const key in attributes) {
    const value = String(attributes[key]);
    if (element.getAttribute(key) !== value) element.setAttribute(key, value);
  }
  if (text !== undefined && element.textContent !== text) element.textContent = text;
  return element;
}

// What was drawn for another subject goes: part() finds children by name and never removes them.
function drawnFor(parent, subject) {
  if (parent.subject === subject) return;
  parent.replaceChildren();
  Object.assign(parent, { subject, parts: {} });
}

function scale([low, high], [from, to]) {
  const map = (value) => from + ((value - low) / (high - low)) * (to - from);
  map.invert = (pixel) => low + ((pixel - from) / (to - from)) * (high - low);
  return map;
}

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

// An axis along the bottom (side "x") or the left (side "y") of a panel, with ticks at these values.
function axis(panel, side, map, ticks, at, label = String) {
  const group = part(panel, `axis ${side}`, "g", { class: "axis" });
  ticks.forEach((tick, index) => {
    const p = map(tick);
    const place = side === "x" ? { x: p, y: at + 15, "text-anchor": "middle" } : { x: at - 5, y: p + 4, "text-anchor": "end" };
    part(group, `label ${index}`, "text", place, label(tick));
    const line = side === "x" ? { x1: p, x2: p, y1: at, y2: at + 4 } : { x1: at - 4, x2: at, y1: p, y2: p };
    part(group, `tick ${index}`, "line", line);
  });
  for (const name in group.parts) {
    const shown = Number(name.split(" ")[1]) < ticks.length; // the axis may have had more ticks before
    group.parts[name].style.display = shown ? "" : "none";
  }
}

// About six round numbers from low to high.
function roundTicks(low, high) {
  const rough = (high - low) / 6;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((digit) => digit * power).find((size) => size >= rough * 0.999);
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.floor(high / step + 1e-9) - first + 1;
  return Array.from({ length: count }, (_, index) => Number(((first + index) * step).toPrecision(6)));
}

// Where to work out a curve: in even steps, and closer together around what is narrow.
function places([low, high], middle, width, count = 160) {
  const even = Array.from({ length: count + 1 }, (_, i) => low + ((high - low) * i) / count);
  const near = width ? Array.from({ length: 101 }, (_, i) => middle + (i - 50) * 0.1 * width) : [];
  return [...even, ...near].filter((at) => at >= low && at <= high).sort((a, b) => a - b);
}

function path(points) {
  return points.map(([x, y], index) => `${index ? "L" : "M"}${x.toFixed(2)} ${y.toFixed(2)}`).join("");
}

// Let a surface be dragged. move(x, y) gets viewBox coordinates; step(dx, dy) arrow keys in units of one, ten with
// Shift; end() comes when the pointer or key is let go, and cancel(), where there is one, when a touch turned out to
// scroll the page.
function draggable(svg, { move, step, end, cancel = end }) {
  const point = (event) => {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    move(at.x, at.y);
  };
  svg.onpointerdown = (event) => {
    svg.setPointerCapture(event.pointerId);
    svg.focus({ preventScroll: true });
    svg.dragging = true;
    point(event);
  };
  // Handlers are blocks: one that returned false would forbid what the browser does itself, such as Tab.
  svg.onpointermove = (event) => {
    if (svg.dragging) point(event);
  };
  const over = (what) => () => {
    if (!svg.dragging) return;
    svg.dragging = false;
    what();
  };
  svg.onpointerup = over(end);
  svg.onpointercancel = over(cancel);
  svg.onkeydown = (event) => {
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const way = ways[event.key];
    if (!way) return;
    event.preventDefault();
    const size = event.shiftKey ? 10 : 1;
    step(way[0] * size, way[1] * size);
  };
  svg.onkeyup = (event) => {
    if (event.key.startsWith("Arrow")) end();
  };
}

// Independent uniform numbers in (0,1) from a seed: the same dots for everybody (mulberry32).
function uniforms(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 4294967296;
  };
}

// Where chance comes from: the browser's own, or another source of uniform numbers in (0,1).
function chance(uniform = () => Math.random() || 0.5) {
  return { uniform, normal: () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()) }; // Box and Muller
}
