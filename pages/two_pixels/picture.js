// Two pixels, one latent: x, z, sigma and q are dragged, and all integrals follow. Nothing is sent to the server before
// the pointer or key is let go.

function mount(parent, data) {
  const root = parent.querySelector(".two-pixels");
  const own = { root, svg: {}, texts: {}, sent: 0, drawn: 0, busy: false, given: data.given, limits: data.limits };
  for (const svg of root.querySelectorAll("[data-panel]")) own.svg[svg.dataset.panel] = svg;
  for (const element of root.querySelectorAll("[data-text]")) own.texts[element.dataset.text] = element;
  own.plane = makePlane(root.querySelector(".plane"), data.limits.x1);
  makeControls(own, data.controls, {
    set: (values) => change(own, values),
    open: (values) => open(own, values),
    best: () => open(own, { ...bestOf(own, own.now).q, follows: "no" }),
    release: () => release(own),
    tell: (words) => tell(own, words),
  });
  new ResizeObserver(() => own.state && later(own)).observe(root);
  const look = ([{ isIntersecting }]) => {
    own.near = isIntersecting;
    if (own.state) later(own);
  };
  new IntersectionObserver(look).observe(root.querySelector(".draws"));
  return own;
}

function tell(own, words) {
  own.root.querySelector(".told").textContent = words;
}

const round = (value, digits = 4) => Number(value.toFixed(digits));

// A change by hand, shown in the next frame. What is beyond its limits stays at them, and that is told.
function change(own, values) {
  hold(own);
  const kept = Object.entries(values).map(([name, value]) => {
    const limits = own.limits[name];
    return [name, limits ? clamp(value, ...limits) : value];
  });
  const beyond = kept.filter(([name, value]) => value !== values[name]).map(([name]) => name);
  const words = beyond.map((name) => `${own.symbols[name]} is kept within ${own.limits[name].join(" to ")}.`.replaceAll("-", "−"));
  tell(own, words.join(" "));
  Object.assign(own.state, Object.fromEntries(kept));
  if ("m" in values || "s" in values) own.state.follows = "no";
  fillControls(own);
  later(own);
}

function later(own) {
  own.waiting ??= requestAnimationFrame(() => {
    own.waiting = undefined;
    draw(own);
  });
}

function draw(own) {
  const { state } = own;
  const made = JSON.stringify([state.likelihood, state.curve, state.noise, state.sigma, state.b]);
  if (own.made !== made) own.model = makeModel(state, own.given);
  own.made = made;
  if (own.seed !== state.draw) own.eps = normals(state.draw);
  own.seed = state.draw;
  const now = (own.now = numbersOf(state, own.model));
  drawPlane(own, now);
  drawLatent(own, now);
  drawBar(own, now);
  if (own.near || !own.busy) drawDraws(own, now); // 25,600 weights: while something is dragged, only where they are seen
  connectAll(own);
  fillControls(own);
  for (const [name, words] of Object.entries(sentences(own, now))) if (own.texts[name].innerHTML !== words) own.texts[name].innerHTML = words; // our own words and numbers
  own.root.querySelector(".of-plane").textContent = isGaussian(state) ? "The plane of all images" : "The four images, and λ(z)";
  const badge = own.root.querySelector(".badge");
  badge.className = `badge ${isGaussian(state) ? "density" : "mass"}`;
  badge.textContent = isGaussian(state) ? "ln of a probability density, nats" : "ln of a probability mass, nats";
  const { exact, ...numbers } = now;
  const { bounds, effective, share, missed, bound } = own.draws;
  const best = { ...bestOf(own, now).q, gap: bestOf(own, now).gap };
  own.root.dataset.numbers = JSON.stringify({ ...state, ...numbers, best, ...own.model.corners, bounds, effective, share, missed, bound, drawn: ++own.drawn });
}

// What each handle does with the pointer and with the arrow keys.
function connectAll(own) {
  const { state, plane, limits } = own;
  const set = (values) => change(own, Object.fromEntries(Object.entries(values).map(([name, value]) => [name, round(value)])));
  const ends = { end: () => release(own), cancel: () => takeBack(own) };
  const connect = (surface, name, { move, step }) => {
    const group = surface.svg.parts[`handle ${name}`];
    if (!group || group.connected) return;
    group.connected = true;
    dragHandle(surface, name, { move, step, ...ends });
    group.onblur = () => {
      if (!group.dragging) release(own); // the key may be let go elsewhere
    };
  };
  const toX = ([a, b]) => (isGaussian(state) ? set({ x1: a, x2: b }) : open(own, { corner: `${Number(a > 0.5)}${Number(b > 0.5)}` }, true));
  connect(plane, "x", {
    move: toX,
    step: (dx, dy) => {
      const [a, b] = own.now.x;
      if (isGaussian(state)) return set({ x1: a + 0.05 * dx, x2: b + 0.05 * dy });
      return toX([clamp(a + dx, 0, 1), clamp(b + dy, 0, 1)]);
    },
  });
  const ground = plane.svg.parts.ground;
  draggable(ground, { move: (px, py) => toX([plane.x.invert(px), plane.y.invert(py)]), step: () => {}, ...ends });
  connect(plane, "z", { move: (at) => set({ z: nearest(own, at) }), step: (dx, dy) => set({ z: state.z + 0.05 * (dx + dy) }) });
  connect(plane, "sigma", {
    move: (at) => {
      const width = Math.hypot(at[0] - own.mean[0], at[1] - own.mean[1]) - own.apart;
      set({ sigma: (width * state.sigma) / own.model.decoder.sigma(state.z) });
    },
    step: (dx, dy) => set({ sigma: state.sigma + 0.01 * (dx + dy) }),
  });
  draggable(own.svg.latent.parts.ground, { move: (px) => set({ z: own.latent.x.invert(px) }), step: () => {}, ...ends });
  connect(own.latent, "z", { move: ([z]) => set({ z }), step: (dx, dy) => set({ z: state.z + 0.05 * (dx + dy) }) });
  connect(own.latent, "m", { move: ([z]) => set({ m: z }), step: (dx, dy) => set({ m: state.m + 0.02 * (dx + dy) }) });
  connect(own.latent, "s", { move: ([z]) => set({ s: z - state.m }), step: (dx, dy) => set({ s: state.s + 0.01 * (dx + dy) }) });
}

// The z whose place on the curve is nearest to the pointer, of those not far from where z is: so it passes a crossing.
function nearest({ state, model, limits }, [a, b]) {
  const place = model.decoder.mean ?? model.decoder.probabilities;
  const far = (z) => Math.hypot(place(z)[0] - a, place(z)[1] - b);
  const near = along(200, [Math.max(limits.z[0], state.z - 0.5), Math.min(limits.z[1], state.z + 0.5)]);
  return near.reduce((best, z) => (far(z) < far(best) ? z : best));
}

function hold(own) {
  if (!own.busy) own.before = { ...own.state };
  own.busy = true;
}

function takeBack(own) {
  if (!own.busy) return;
  Object.assign(own.state, own.before);
  own.busy = false;
  draw(own);
}

function release(own) {
  if (!own.busy) return;
  own.busy = false;
  draw(own);
  own.root.querySelector(".heard").textContent = `${own.texts.sum.textContent}. ${own.texts.verdict.textContent}`;
  send(own);
}

// A choice is let go as it is made; `held`: not before the pointer is.
function open(own, values, held = false) {
  hold(own);
  Object.assign(own.state, values);
  tell(own, "");
  if (held) later(own);
  else release(own);
}

function send(own) {
  own.sent = Math.round(performance.timeOrigin + performance.now());
  own.tell({ ...Object.fromEntries(own.names.map((name) => [name, own.state[name]])), at: own.sent });
}

const pictures = new WeakMap();

export default function ({ data, parentElement, setStateValue }) {
  if (!pictures.has(parentElement)) pictures.set(parentElement, mount(parentElement, data));
  const own = pictures.get(parentElement);
  own.tell = (state) => setStateValue("moved", state);
  if (own.state && (own.busy || data.at < own.sent)) return; // an answer to an earlier move: a newer one is on its way
  own.names = Object.keys(data.values);
  own.symbols = data.symbols;
  own.state = Object.assign(own.state ?? {}, data.values);
  draw(own);
}
