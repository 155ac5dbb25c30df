// "Fit it": a VAE with one latent is trained here on points of the plane, some steps a frame. The server hears of a
// choice, and of nothing while it trains.

const ROUND = 3000; // steps until it stops by itself
const MOST_STEPS = 10; // a frame
const BUDGET = { least: 2, most: 9, late: 20 }; // milliseconds a frame for training; a frame later than this asks for less
const MOST_POINTS = 200;
const FEWEST_POINTS = 3;
const CALM = 500; // milliseconds between drawings where reduced motion is asked for
const KEPT = 300; // pairs of means at most
const fits = new WeakMap();

function mount(parent, data) {
  const root = parent.querySelector(".fit");
  const find = (name) => root.querySelector(name);
  const own = {
    root, find, ...data, plane: makePlane(find(".plane"), data.plane), svg: find("[data-panel=curves]"), state: null,
    drawn: [], cursor: [0, 0], running: false, visible: true, budget: 6, frames: 0, sent: new Set(),
    calm: matchMedia("(prefers-reduced-motion: reduce)"),
  };
  makeChoices(own);
  makeGround(own);
  find(".go").onclick = () => (own.running ? pause(own) : go(own));
  find(".reset").onclick = () => {
    own.running = false;
    begin(own);
    speak(own);
  };
  find(".clear").onclick = () => redraw(own, [], "All points are gone.");
  find(".scale").innerHTML =
    `Areas: <i class="halo" style="--across:${2 * HALO}px"></i> a gap of 1 nat, <i class="halo" style="--across:${HALO}px"></i> of ¼. ` +
    `<i class="two"></i> a posterior p(z|x,w) of two humps. The strongest blue is where p(x|w) is highest now.`;
  own.sized = new ResizeObserver(() => own.state && show(own, true));
  own.sized.observe(root);
  own.watch = new IntersectionObserver(([{ isIntersecting }]) => {
    own.visible = isIntersecting;
    later(own);
  });
  own.watch.observe(root);
  return own;
}

// What is chosen -------------------------------------------------------------------------------------------------------

function makeChoices(own) {
  const place = own.find(".choices");
  const make = (parent, tag, more) => parent.appendChild(Object.assign(document.createElement(tag), more));
  own.radios = [];
  for (const { name, label, options } of own.groups) {
    const group = make(place, "fieldset", { className: "group" });
    make(group, "legend", { textContent: label });
    for (const [value, textContent] of options) {
      const chip = make(group, "label", { className: "chip" });
      const radio = make(chip, "input", { type: "radio", name, value });
      make(chip, "span", { textContent });
      radio.onchange = () => choose(own, { [name]: value });
      own.radios.push(radio);
    }
    if (name !== "noise") continue;
    const box = make(group, "input", { type: "text", className: "value", inputMode: "decimal", autocomplete: "off" });
    box.setAttribute("aria-label", `σ, fixed: ${own.sigmas[0]} to ${own.sigmas[1]}`);
    box.onchange = () => typed(own, box);
    own.box = box;
  }
}

// A σ that is none is told, and the last good one stays.
function typed(own, box) {
  const value = Number(box.value.replace(",", ".").replace("−", "-") || "none");
  const [low, high] = own.sigmas;
  if (value >= low && value <= high) return choose(own, { noise: "fixed", at: value });
  tell(own, `σ cannot be “${box.value.slice(0, 20)}”: it is a number from ${low} to ${high}. It stays ${own.state.at}.`);
  box.value = own.state.at;
}

// A choice begins the fit anew; one that trained goes on training.
function choose(own, values) {
  own.state = { ...own.state, ...values };
  own.sent.add((own.told = JSON.stringify(own.state)));
  own.send(own.state);
  begin(own);
  if (own.running && !enough(own)) pause(own);
  else speak(own);
}

// The weights as they are before the first step, for what is chosen.
function begin(own) {
  const { state, how } = own;
  own.kind = state.points;
  own.points = own.kind === "drawn" ? own.drawn : own.presets[own.kind];
  const fit = { width: Number(state.width), sigma: state.noise === "fixed" ? state.at : null };
  own.trainer = own.points.length ? makeTrainer(own.points, fit, how) : null;
  own.known = own.trainer ? [0, 1].map((latents) => exactBest(own.points, fit, latents, how)) : [];
  own.past = [];
  own.limit = ROUND;
  tell(own, "");
  for (const radio of own.radios) radio.checked = String(state[radio.name]) === radio.value;
  own.box.value = state.at;
  ground(own);
  show(own);
  later(own);
}

// Points that are drawn by hand ----------------------------------------------------------------------------------------

function makeGround(own) {
  const { svg } = own.plane;
  svg.onclick = (event) => {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    add(own, [own.plane.x.invert(at.x), own.plane.y.invert(at.y)]);
  };
  svg.onkeydown = (event) => {
    if (own.kind !== "drawn") return;
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const size = event.shiftKey ? 0.5 : 0.05;
    if (ways[event.key]) {
      own.cursor = own.cursor.map((one, axis) => Number(clamp(one + size * ways[event.key][axis], ...own.plane.limits).toFixed(2)));
      drawCursor(own);
    } else if (event.key === "Enter" || event.key === " ") add(own, own.cursor);
    else if (event.key === "Delete" || event.key === "Backspace") redraw(own, own.drawn.slice(0, -1), "The last point is gone.");
    else return; // Tab and all else are the browser's
    event.preventDefault();
  };
  svg.onkeyup = (event) => {
    if (own.kind === "drawn" && event.key.startsWith("Arrow")) own.find(".heard").textContent = `At ${where(own.cursor)}`;
  };
}

const where = (at) => `(${at.map((one) => shown(one, 2)).join(", ")})`;

function ground(own) {
  const [{ svg }, drawing] = [own.plane, own.kind === "drawn"];
  svg.classList.toggle("drawing", drawing);
  svg.setAttribute("role", drawing ? "application" : "img");
  if (drawing) svg.tabIndex = 0;
  else svg.removeAttribute("tabindex");
  own.find(".clear").hidden = !drawing;
}

function add(own, at) {
  const [low, high] = own.plane.limits;
  if (own.kind !== "drawn") return tell(own, "To add points, choose “drawn by hand” first.");
  if (!at.every((one) => one >= low && one <= high)) return tell(own, `A point lies within ${low} to ${high} on both axes; nothing was added.`.replaceAll("-", "−"));
  if (own.drawn.length >= MOST_POINTS) return tell(own, `There are ${MOST_POINTS} points, the most there can be; nothing was added.`);
  const point = at.map((one) => Number(one.toFixed(3)));
  redraw(own, [...own.drawn, point], `Point ${own.drawn.length + 1} at ${where(point)}.`);
}

// Other points: the fit begins anew, and waits.
function redraw(own, points, words) {
  own.drawn = points;
  own.running = false;
  begin(own);
  own.find(".heard").textContent = words;
}

// Training -------------------------------------------------------------------------------------------------------------

function enough(own) {
  if (own.points.length >= FEWEST_POINTS) return true;
  const count = own.points.length || "no";
  tell(own, `There ${own.points.length === 1 ? "is" : "are"} ${count} point${own.points.length === 1 ? "" : "s"}; a fit needs at least ${FEWEST_POINTS}. Nothing was started.`);
  return false;
}

function go(own) {
  if (!enough(own)) return;
  tell(own, "");
  if (own.trainer.steps >= own.limit) own.limit += ROUND;
  own.running = true;
  own.before = undefined;
  label(own);
  own.find(".heard").textContent = "Training.";
  later(own);
}

function pause(own) {
  own.running = false;
  show(own);
  speak(own);
}

// While nobody sees it nothing is computed: a hidden tab has no frames, and out of view none is asked for.
function later(own) {
  if (own.running && own.visible && !own.frame) own.frame = requestAnimationFrame((now) => advance(own, now));
}

// Some steps, as many as leave room to draw within a frame.
function advance(own, now) {
  own.frame = 0;
  if (!own.running || !own.visible || !own.root.isConnected) return;
  const late = own.before !== undefined && now - own.before > BUDGET.late;
  own.budget = clamp(late ? 0.85 * own.budget : own.budget + 0.25, BUDGET.least, BUDGET.most);
  own.before = now;
  const { trainer } = own;
  const start = performance.now();
  for (let count = 0; count < MOST_STEPS && trainer.steps < own.limit; count++) {
    if (count && performance.now() - start > own.budget) break;
    if (!trainStep(trainer)) {
      tell(own, `A step led to numbers that are not finite, so training has stopped; the fit of step ${trainer.steps} stays. Press Reset, or choose a larger σ.`);
      return pause(own);
    }
  }
  trainer.good = kept(trainer);
  if (trainer.steps >= own.limit) return pause(own);
  if (!own.calm.matches || now - (own.shownAt ?? 0) > CALM) {
    own.shownAt = now;
    show(own);
  }
  later(own);
}

// What is seen ---------------------------------------------------------------------------------------------------------

function tell(own, words) {
  own.find(".refused").textContent = words;
}

function label(own) {
  own.find(".go").textContent = own.running ? "Pause" : own.trainer?.steps ? "Continue" : "Fit";
}

function speak(own) {
  own.find(".heard").textContent = `${own.find(".numbers").textContent}. ${own.find(".found").textContent}`;
}

function show(own, resized = false) {
  const { trainer, plane, past } = own;
  if (resized || !plane.unit) fitPlane(plane);
  own.seen = trainer && evidenceOf(trainer, own.running);
  if (trainer) {
    const now = { step: trainer.steps, elbo: mean(own.seen.map((one) => one.elbo)), evidence: mean(own.seen.map((one) => one.log)) };
    if (past.at(-1)?.step !== now.step) past.push(now);
    if (past.length > KEPT) own.past = past.filter((_, n) => n % 2 === 0 || n === past.length - 1);
    drawTube(own);
  } else {
    drawHeat(plane, new Float64Array(1), 1, "#0072B2", 1);
    drawCurve(plane, "mean", []);
  }
  drawGaps(own);
  if (own.kind === "drawn") drawCursor(own);
  drawMeans(own);
  const words = told(own);
  for (const name of ["counted", "numbers", "found"]) {
    const place = own.find(`.${name}`);
    if (place.innerHTML !== words[name]) place.innerHTML = words[name]; // our own words and numbers
  }
  const plain = own.find(".numbers").textContent;
  own.svg.setAttribute("aria-label", `Mean ELBO and mean ln p(x|w) over the steps of training. ${plain}`);
  const how = own.kind === "drawn" ? " Press to add a point; with the keys: arrows move, Enter adds, Delete takes the last away." : "";
  plane.svg.setAttribute("aria-label", `The plane: ${own.points.length} points and the tube p(x|w).${how}`);
  label(own);
  own.root.dataset.numbers = JSON.stringify({
    ...own.state, count: own.points.length, steps: trainer?.steps ?? 0, running: own.running, frames: ++own.frames,
    ...(trainer && { elbo: own.past.at(-1).elbo, evidence: own.past.at(-1).evidence, sigma: sigmaOf(trainer), known: own.known }),
    ...(trainer && !own.running && { row: [...trainer.row], kl: [...trainer.kl], gaps: own.seen.map((one) => one.gap), two: own.seen.map((one) => one.two), points: own.points }),
    limit: own.limit,
  });
}

export default function ({ data, parentElement, setStateValue }) {
  if (!fits.has(parentElement)) fits.set(parentElement, mount(parentElement, data));
  const own = fits.get(parentElement);
  own.send = (state) => setStateValue("chosen", state);
  const news = JSON.stringify(data.values);
  if (news !== own.heard) {
    own.heard = news;
    if (!own.sent.has(news)) {
      own.state = data.values; // a link's, and not the echo of what was chosen here
      own.told = news;
      begin(own);
    }
    if (news === own.told) own.sent.clear();
  }
  later(own);
  return () => {
    cancelAnimationFrame(own.frame);
    own.frame = 0;
  };
}
