// The plane of all images of two pixels, drawn: a heat map on a canvas, and on it an SVG with curves, points and handles.
// It draws and computes nothing else; scale, part, axis, roundTicks, path and draggable are svg.js's.
//
//   <div class="plane"><canvas></canvas><svg></svg></div>
//   plane = makePlane(root.querySelector(".plane"), [low, high])   // once
//   fitPlane(plane)                                    // before drawing: as wide as it stands now; its frame and axes
//   drawHeat(plane, values, across, "#0072B2", top)    // across x across cells, the top row first
//   drawCurve(plane, "curve", [[x1, x2], ...])         // class "curve"
//   drawPoints(plane, "data", [[x1, x2], ...], r)      // class "data"
//   drawBlob(plane, "blob", [x1, x2], sigma)           // rings at sigma and 2 sigma, class "blob"
//   drawHandle(plane, "x", [x1, x2], { label, valuetext, valuenow, valuemin, valuemax, shape })  // class "handle x"
//   dragHandle(plane, "x", { move([x1, x2]), step(dx, dy), end, cancel })  // once, after it is drawn

const MARGIN = { left: 34, right: 8, top: 8, bottom: 34 };

function makePlane(place, limits) {
  return { place, limits, canvas: place.querySelector("canvas"), svg: place.querySelector("svg"), size: 0 };
}

function fitPlane(plane, names = ["pixel 1, x₁", "pixel 2, x₂"]) {
  const { place, svg, canvas, limits } = plane;
  plane.size = place.clientWidth || 360;
  const { left, right, top, bottom } = MARGIN;
  const side = plane.size - left - right;
  const height = side + top + bottom;
  svg.setAttribute("viewBox", `0 0 ${plane.size} ${height}`);
  Object.assign(canvas.style, { left: `${left}px`, top: `${top}px`, width: `${side}px`, height: `${side}px` });
  plane.x = scale(limits, [left, left + side]);
  plane.y = scale(limits, [top + side, top]);
  plane.unit = side / (limits[1] - limits[0]);
  const box = { x: left, y: top, width: side, height: side };
  part(svg, "ground", "rect", { ...box, class: "ground", fill: "transparent" });
  const id = plane.id ??= `cut-${Math.random().toString(36).slice(2)}`;
  part(part(svg, "cut", "clipPath", { id }), "box", "rect", box);
  plane.inside = part(svg, "inside", "g", { "clip-path": `url(#${id})`, "pointer-events": "none" });
  part(svg, "frame", "rect", { ...box, class: "frame", "pointer-events": "none" });
  const ticks = limits[1] - limits[0] <= 2 ? [0, 1] : roundTicks(...limits);
  const shown = (tick) => String(tick).replace("-", "−");
  axis(svg, "x", plane.x, ticks, top + side, shown);
  axis(svg, "y", plane.y, ticks, left, shown);
  part(svg, "x name", "text", { x: left + side, y: height - 5, "text-anchor": "end" }, names[0]);
  part(svg, "y name", "text", { x: left + 6, y: top + 14, "pointer-events": "none" }, names[1]);
  return plane;
}

// Each cell in this colour, the more of it the higher its value: all of it at `top`. On any ground, light or dark.
function drawHeat({ canvas }, values, across, colour, top) {
  if (canvas.width !== across) canvas.width = canvas.height = across;
  const context = canvas.getContext("2d");
  const image = context.createImageData(across, across);
  const [red, green, blue] = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
  const { data } = image;
  for (let i = 0, at = 0; i < values.length; i++) {
    data[at++] = red;
    data[at++] = green;
    data[at++] = blue;
    data[at++] = 230 * Math.sqrt(Math.min(1, values[i] / top)); // the root: the tube's edge is seen too
  }
  context.putImageData(image, 0, 0);
}

const drawCurve = ({ inside, x, y }, name, points, more = {}) =>
  part(inside, name, "path", { class: `curve ${name}`, d: path(points.map(([a, b]) => [x(a), y(b)])), ...more });

const drawPoints = ({ inside, x, y }, name, points, r = 3) =>
  part(inside, name, "path", {
    class: name, "stroke-width": 2 * r, "stroke-linecap": "round", fill: "none",
    d: points.map(([a, b]) => `M${x(a).toFixed(1)} ${y(b).toFixed(1)}h0.01`).join(""),
  });

function drawBlob({ inside, x, y, unit }, name, [a, b], sigma) {
  for (const far of [2, 1]) part(inside, `${name} ${far}`, "circle", { class: `blob ${name}`, cx: x(a), cy: y(b), r: far * sigma * unit });
}

// A round handle, or a diamond; around it room for a finger.
function drawHandle({ svg, x, y }, name, [a, b], { label, valuetext, valuenow, valuemin, valuemax, shape = "round" }) {
  const [cx, cy] = [x(a), y(b)];
  const said = { "aria-label": label, "aria-valuetext": valuetext, "aria-valuenow": valuenow, "aria-valuemin": valuemin, "aria-valuemax": valuemax };
  const group = part(svg, `handle ${name}`, "g", { class: `handle ${name}`, tabindex: 0, role: "slider", ...said });
  part(group, "room", "circle", { class: "room", cx, cy, r: 18, fill: "transparent" });
  if (shape === "diamond") part(group, "mark", "path", { class: "mark", d: `M${cx} ${cy - 9}l8 9l-8 9l-8 -9z` });
  else part(group, "mark", "circle", { class: "mark", cx, cy, r: 8 });
  return group;
}

function dragHandle(plane, name, { move, ...more }) {
  const place = (px, py) => move([plane.x.invert(px), plane.y.invert(py)]);
  draggable(plane.svg.parts[`handle ${name}`], { move: place, ...more });
}
