// The curves of a stage: each decoder's reconstruction on its own axis, and what all share on one, with the playhead.

const ROOM = 46; // for the numbers left of an axis

// One panel of lines over steps. `lines`: { points: [[step, value], ...], colour, dash, width, opacity }.
function plot(svg, name, { top, bottom, right, steps, lines, domain, ticks = 2 }) {
  const panel = part(svg, name, "g");
  const x = scale([0, steps], [ROOM, right]);
  const [low, high] = domain;
  const y = scale([low, high], [bottom, top]);
  const shown = roundTicks(low, high).filter((_, index, all) => index % Math.ceil(all.length / ticks) === 0);
  const digits = decimals(shown[1] - shown[0]);
  axis(panel, "y", y, shown, ROOM, (value) => short(value, digits));
  part(panel, "base", "line", { x1: ROOM, x2: right, y1: bottom, y2: bottom, class: "base" });
  lines.forEach(({ points, colour, dash = "", width = 2, opacity = 1 }, index) => {
    const inside = points.map(([step, value]) => [x(step), clamp(y(value), top - 1, bottom + 1)]);
    const look = { fill: "none", stroke: colour, "stroke-width": width, "stroke-dasharray": dash, "stroke-opacity": opacity };
    part(panel, `line ${index}`, "path", { d: path(inside), "stroke-linejoin": "round", ...look });
  });
  for (const key in panel.parts) if (key.startsWith("line ") && Number(key.slice(5)) >= lines.length) panel.parts[key].setAttribute("d", "");
  return x;
}

// From the smallest to the largest value; the first snapshot, before any step, would flatten all that follow.
function domainOf(lines, least = 1e-9) {
  const values = lines.flatMap(({ points }) => (points.length > 3 ? points.slice(1) : points).map(([, value]) => value));
  const finite = values.filter(Number.isFinite);
  if (!finite.length) return [0, 1];
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  const margin = Math.max(0.06 * (high - low), least);
  return [low - margin, high + margin];
}

// A number on an axis: with the decimals that tell it from the next, and a true minus sign.
function short(value, digits) {
  const size = Math.abs(value);
  const text = size >= 10000 ? `${Number((size / 1000).toPrecision(3))}k` : size.toFixed(digits);
  return (value < 0 ? "−" : "") + text;
}

const decimals = (step) => (Number.isFinite(step) ? clamp(Math.ceil(-Math.log10(step) - 1e-9), 0, 4) : 1);

function playhead(svg, at, top, bottom) {
  part(svg, "playhead", "line", { x1: at, x2: at, y1: top, y2: bottom, class: "playhead" });
}

const curveOf = (run, of) => (run?.snapshots ?? []).map((one) => [one.step, of(one)]).filter(([, value]) => value !== null && value !== undefined);
