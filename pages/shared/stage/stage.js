// The stage: all decoders of a training at one step. Snapshots come over HTTP (feed.js) and are kept here, so that the
// playhead scrubs, plays and steps through them with no word to the server; only the start or end of a run is told to
// the page, whose buttons depend on it.

const PACE = 10; // snapshots a second at speed 1
const stages = new WeakMap();

export default function ({ data, parentElement, setTriggerValue, setStateValue }) {
  let stage = stages.get(parentElement);
  if (!stage || stage.subject !== data.subject || stage.feed.over) { // or it was closed, and is shown again
    stage?.close();
    stage = open(parentElement, data);
    stages.set(parentElement, stage);
  }
  stage.data = data;
  stage.tell = (statuses) => setTriggerValue("moved", statuses);
  stage.tellBits = (bits) => setStateValue("bits", bits);
  draw(stage);
  return () => stage.close();
}

function open(root, data) {
  const find = (selector) => root.querySelector(selector);
  const feed = { ids: data.lanes.map((lane) => lane.run), runs: {}, remarks: [], over: false, stopped: new AbortController() };
  const stage = { root, data, subject: data.subject, find, feed, step: 0, follow: true, playing: false, speed: 1, prior: "mean", bits: data.bits, fresh: true, marked: ["", -1, -1] };
  stage.close = () => {
    feed.over = true;
    feed.stopped.abort();
    cancelAnimationFrame(stage.frame);
    resized.disconnect();
  };
  const resized = new ResizeObserver(() => {
    stage.fresh = true;
    later(stage);
  });
  build(stage);
  resized.observe(find(".stage"));
  listen(feed, () => heard(stage), (sentence) => {
    set(find(".trouble"), sentence); // above words that can wait, and in their room: nothing moves
  });
  return stage;
}

function heard(stage) {
  const { feed, data } = stage;
  if (stage.follow && !stage.playing) stage.step = newestOfAll(stage);
  const statuses = data.lanes.map((lane) => feed.runs[lane.run]?.status ?? "");
  if (statuses.join() !== data.statuses.join() && statuses.join() !== stage.told) {
    stage.told = statuses.join();
    stage.tell(statuses);
  }
  stage.fresh = true;
  later(stage);
}

// The step that all have reached which have begun; who ended early does not hold the others back.
function newestOfAll({ feed, data }) {
  const begun = data.lanes.map((lane) => feed.runs[lane.run]).filter((run) => run?.snapshots.length);
  const moving = begun.filter((run) => run.status === "running" || run.status === "queued");
  const steps = (moving.length ? moving : begun).map(newestStep);
  return moving.length ? Math.min(...steps) : Math.max(0, ...steps);
}

const allSteps = ({ feed, data }) =>
  [...new Set(data.lanes.flatMap((lane) => (feed.runs[lane.run]?.snapshots ?? []).map((one) => one.step)))].sort((a, b) => a - b);

// Moving the playhead ---------------------------------------------------------------------------------------------------

function later(stage) {
  cancelAnimationFrame(stage.frame);
  stage.frame = requestAnimationFrame((now) => {
    if (stage.playing) play(stage, now);
    draw(stage);
    if (stage.playing) later(stage);
  });
}

function goTo(stage, step) {
  stage.follow = false;
  stage.step = clamp(step, 0, stage.data.total_steps);
  later(stage);
}

function move(stage, by) {
  const steps = allSteps(stage);
  const at = steps.findLastIndex((step) => step <= stage.step);
  if (steps.length) goTo(stage, steps[clamp(at + by, 0, steps.length - 1)]);
}

function setPlaying(stage, playing) {
  stage.playing = playing;
  if (playing && stage.step >= newestOfAll(stage)) stage.step = 0;
  if (playing) stage.follow = false;
  stage.since = undefined;
  later(stage);
  if (!playing) say(stage);
}

function play(stage, now) {
  const steps = allSteps(stage);
  stage.since ??= now;
  const passed = Math.floor(((now - stage.since) / 1000) * PACE * stage.speed);
  if (!passed) return;
  stage.since = now;
  const at = steps.findLastIndex((step) => step <= stage.step);
  stage.step = steps[Math.min(at + passed, steps.length - 1)] ?? 0;
  if (stage.step >= newestOfAll(stage)) Object.assign(stage, { playing: false, follow: true, step: newestOfAll(stage) });
}

// For a screen reader, once the playhead rests.
function say(stage) {
  const each = stage.data.lanes.map((lane) => `${lane.title}: ${termsOf(lane, snapshotAt(stage.feed.runs[lane.run], stage.step)).text}`);
  stage.find(".heard").textContent = `Step ${stage.step}. ${each.join(". ")}`;
}

function controls(stage) {
  const control = (name) => stage.find(`[name=${name}]`);
  control("start").onclick = () => (goTo(stage, 0), say(stage));
  control("play").onclick = () => setPlaying(stage, !stage.playing);
  control("next").onclick = () => (move(stage, 1), say(stage));
  control("live").onclick = () => {
    Object.assign(stage, { follow: true, playing: false, step: newestOfAll(stage) });
    later(stage);
    say(stage);
  };
  control("speed").onchange = (event) => (stage.speed = Number(event.target.value));
  const shared = stage.find(".shared");
  draggable(shared, {
    move: (x) => goTo(stage, Math.round(stage.x?.invert(x) ?? 0)),
    step: (dx, dy) => move(stage, dx || dy),
    end: () => say(stage),
  });
  const keys = shared.onkeydown;
  shared.onkeydown = (event) => {
    const found = { " ": () => setPlaying(stage, !stage.playing), Home: () => control("start").onclick(), End: () => control("live").onclick() }[event.key];
    if (found) {
      event.preventDefault();
      found();
    } else keys(event);
  };
  stage.find(".stage").onkeydown = (event) => {
    if (event.key === "Escape") closeInspector(stage);
  };
}

// Building --------------------------------------------------------------------------------------------------------------

function element(parent, tag, className, text = "") {
  const one = parent.appendChild(document.createElement(tag));
  one.className = className;
  one.textContent = text;
  return one;
}

function build(stage) {
  const { data, find } = stage;
  const lanes = find(".lanes");
  lanes.replaceChildren();
  find(".inspector").replaceChildren();
  find(".stage").style.setProperty("--columns", data.lanes.length + 1);
  stage.strips = [];
  buildLeft(stage, element(lanes, "section", "lane left"));
  stage.lanes = data.lanes.map((lane) => buildLane(stage, lane, element(lanes, "section", "lane")));
  find(".legend").replaceChildren();
  for (const { title, colour, dash } of data.lanes) {
    const one = element(find(".legend"), "span", "");
    one.innerHTML = `<svg viewBox="0 0 26 8" aria-hidden="true"><line x1="0" x2="26" y1="4" y2="4" stroke="${colour}" stroke-width="2.5" stroke-dasharray="${dash}"/></svg>`;
    one.append(title);
  }
  controls(stage);
  lighting(find(".stage"));
}

function buildLeft(stage, section) {
  const { data } = stage;
  section.setAttribute("aria-label", "What all decoders share");
  const words = element(section, "div", "words");
  element(words, "div", "trouble").setAttribute("role", "status");
  stage.ahead = element(words, "div", "ahead");
  element(words, "div", "", data.words);
  element(section, "p", "coming", "Each decoder shows here, once it trains, its mean, a sample, its σ, new images and its curve.");
  element(section, "div", "caption", "x: held-out images").dataset.lights = "x";
  stage.xStrip = addStrip(stage, section, { kind: "held", alt: "Six held-out images x", lights: "x" });
  Object.assign(stage.xStrip.frame, { tabIndex: 0, onkeydown: (event) => keysOfX(stage, event) });
  stage.xStrip.frame.setAttribute("role", "application");
  stage.xStrip.frame.setAttribute("aria-label", "Held-out images x. Arrow keys choose a pixel, Enter opens it under every decoder.");
  stage.remarks = element(section, "ul", "remarks");
  const toggles = element(section, "div", "toggles");
  element(toggles, "div", "caption", "In each lane: thick held out, thin training. In bits, one axis for all.");
  stage.toggles = [
    toggle(toggles, "New images:", { mean: "means", sample: "samples" }, () => stage.prior, (value) => (stage.prior = value), () => later(stage)),
    toggle(toggles, "Curves:", { nats: "nats", bits: "bits per pixel" }, () => (stage.bits ? "bits" : "nats"),
      (value) => Object.assign(stage, { bits: value === "bits", fresh: true }), () => (later(stage), stage.tellBits(stage.bits))),
  ];
}

function toggle(parent, label, options, get, set, then) {
  const group = element(parent, "div", "toggle");
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", label);
  element(group, "span", "", `${label} `);
  const buttons = Object.entries(options).map(([value, text]) => {
    const button = element(group, "button", "", text);
    button.type = "button";
    button.onclick = () => (set(value), then());
    return [value, button];
  });
  return () => buttons.forEach(([value, button]) => button.setAttribute("aria-pressed", value === get()));
}

function buildLane(stage, lane, section) {
  section.style.setProperty("--lane", lane.colour);
  section.setAttribute("aria-label", lane.title);
  section.dataset.key = lane.key;
  const one = { lane, section };
  element(section, "h2", "", lane.title).title = lane.title;
  element(section, "div", "formula").innerHTML = FORMULAS[lane.key];
  element(section, "span", `badge ${lane.kind}`, lane.badge);
  one.state = element(section, "div", "state");
  one.terms = element(section, "div", "terms");
  const clipped = lane.clipped ? ", clipped" : "";
  const add = (name, caption, alt, more = {}) => {
    one[`${name}Caption`] = element(section, "div", "caption", caption);
    one[`${name}Caption`].dataset.lights = more.lights;
    one[name] = addStrip(stage, section, { kind: "held", alt: `${alt} under ${lane.title}`, ...more });
  };
  add("mean", "mean of p(x|z,w) at z = m", "Means of p(x|z,w)", { lights: "mean" });
  add("sample", `one sample of it${clipped}`, "Samples of p(x|z,w)", { lights: "sample" });
  add("sigma", lane.sigma_words, "σ of each pixel", { lights: "sigma" });
  add("prior", "", "New images", { kind: "new", rows: 2, lights: "z" });
  one.chart = part(section, "chart", "svg", { role: "img" });
  one.chart.dataset.lights = "reconstruction";
  return one;
}

function addStrip(stage, parent, how) {
  const one = strip(parent, how);
  stage.strips.push(one);
  one.frame.onpointermove = (event) => setMark(stage, how.kind, under(one, event, stage.data.side));
  one.frame.onpointerleave = () => !stage.inspected && setMark(stage, "", { image: -1, pixel: -1 });
  one.frame.onclick = (event) => {
    const { image, pixel } = under(one, event, stage.data.side);
    if (how.kind === "held") (setMark(stage, "held", { image, pixel }), inspect(stage, image, pixel));
  };
  return one;
}

function setMark(stage, kind, { image, pixel }) {
  stage.marked = [kind, image, pixel];
  drawMarks(stage);
}

function drawMarks(stage) {
  const [kind, image, pixel] = stage.inspected ? ["held", stage.inspected.image, stage.inspected.pixel] : stage.marked;
  for (const one of stage.strips) markImage(one, one.kind === kind ? image : -1, kind === "held" ? pixel : -1, stage.data.side);
}

function keysOfX(stage, event) {
  const { side } = stage.data;
  const n_held = stage.xStrip.columns;
  const [kind, image, pixel] = stage.marked;
  const [at, d] = kind === "held" ? [image, pixel] : [0, Math.floor(side / 2) * (side + 1)];
  const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (way) {
    event.preventDefault();
    const across = clamp(at * side + (d % side) + way[0] * (event.shiftKey ? side : 1), 0, n_held * side - 1);
    const row = clamp(Math.floor(d / side) + way[1], 0, side - 1);
    setMark(stage, "held", { image: Math.floor(across / side), pixel: row * side + (across % side) });
    if (stage.inspected) inspect(stage, stage.marked[1], stage.marked[2]);
  } else if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    setMark(stage, "held", { image: at, pixel: d });
    inspect(stage, at, d);
  }
}
