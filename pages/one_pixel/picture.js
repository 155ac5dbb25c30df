// One decoder output, one pixel: from z to a, from a to a distribution, from the distribution to the loss. Nothing is
// sent to the server before the pointer or key is let go.

// What each draw is made of, held while the distribution moves.
function makeNoise(seed) {
  const { uniform, normal } = chance(uniforms(seed));
  return Array.from({ length: N_DRAWS }, () => {
    const [u, n, across, down] = [uniform(), normal(), uniform(), (164 + 38 * uniform()).toFixed(1)];
    return { uniform: () => u, normal: () => n, across, down };
  });
}

function mount(parent) {
  const root = parent.querySelector(".one-pixel");
  const own = { root, svg: {}, texts: {}, sent: 0, times: 1, drawn: 0, noise: makeNoise(1), busy: false };
  for (const svg of root.querySelectorAll("[data-panel]")) own.svg[svg.dataset.panel] = svg;
  for (const element of root.querySelectorAll("[data-text]")) own.texts[element.dataset.text] = element;
  own.svg.network.classList.add("network");
  const across = (svg, xs) => scale(xs, [LEFT, RIGHT]).invert(svg);
  const round = (value) => Math.round(value * 100) / 100;
  const set = (name, value) => change(own, name, round(clamp(value, ...own.state.limits[name])));
  const levels = () => valuesOf(likelihoodOf(own.state), own.state.settings)?.length ?? 0;
  const onLevel = (x) => (likelihoodOf(own.state).support === "levels" ? nearest({ ...own.state, x }) : x);
  const snap = (x) => onLevel(Math.abs(x) < 0.05 ? 0 : Math.abs(x - 1) < 0.05 ? 1 : x); // 0 and 1 are easy to hit
  const surface = (panel, name, at, size = 0.05) => {
    const step = (dx, dy) => set(name, own.state[name] + size * (dx + dy));
    connect(own, own.svg[panel], { move: (px) => set(name, at(px)), step });
  };
  surface("network", "z", (px) => across(px, Z));
  surface("link", "a", (px) => across(px, own.frame.a));
  connect(own, own.svg.pixel, {
    move: (px) => set("x", snap(across(px, own.frame.x))),
    step: (dx, dy) => set("x", onLevel(own.state.x + Math.max(0.05, levels() > 2 ? 1 / (levels() - 1) : 0) * (dx + dy))),
  });
  surface("loss", "a", (px) => across(px, own.frame.a));
  connect(own, own.svg.second, {
    move: (px) => set(own.state.second, across(px, own.state.limits[own.state.second])),
    step: (dx, dy) => set(own.state.second, own.state[own.state.second] + 0.1 * (dx + dy)),
  });
  root.querySelector(".again").onclick = () => {
    own.noise = makeNoise(++own.times);
    draw(own);
  };
  lighting(root);
  return own;
}

// A change by hand. Moving z moves a along the network's curve; setting a moves the curve, by its last bias.
function change(own, name, value) {
  const { state } = own;
  if (name === "z") {
    const a = own.bias + network(state.network, state.activation, value);
    if (a < state.limits.a[0] || a > state.limits.a[1]) return; // the curve leaves the range: z stays where it was
    state.a = Number(a.toFixed(6));
  }
  state[name] = value;
  if (state.given.includes(name)) ofKind(state);
  if (name === "a") own.bias = value - network(state.network, state.activation, state.z);
  fillBoxes(own); // now, and not only in the next frame
  own.waiting ??= requestAnimationFrame(() => {
    own.waiting = undefined;
    draw(own);
  });
}

function connect(own, svg, { move, step }) {
  const begin = (act) => (...at) => {
    hold(own);
    act(...at);
  };
  const cancel = () => {
    own.state = own.before;
    settle(own);
  };
  draggable(svg, { move: begin(move), step: begin(step), end: () => release(own), cancel });
  svg.onblur = () => {
    if (!svg.dragging) release(own); // the key may be let go elsewhere
  };
}

function hold(own) {
  if (!own.busy) own.before = { ...own.state };
  own.busy = true;
}

function release(own) {
  if (!own.busy) return;
  settle(own);
  own.texts.said.textContent = whatChanged(own);
  send(own);
}

// Another decoder or activation, or all that one of a question's buttons sets.
function open(own, values) {
  release(own);
  own.before = { ...own.state };
  Object.assign(own.state, values);
  ofKind(own.state);
  settle(own);
  own.texts.said.textContent = whatChanged(own);
  send(own);
}

function send(own) {
  own.sent = Math.round(performance.timeOrigin + performance.now());
  own.tell({ ...Object.fromEntries(own.state.sent.map((name) => [name, own.state[name]])), at: own.sent });
}

// Of the decoder that is chosen: what it takes, and how it is drawn.
function ofKind(state) {
  const { given, fixed, ...rest } = state.kinds[state.decoder];
  Object.assign(state, rest, { given, settings: { ...fixed, ...Object.fromEntries(given.map((name) => [name, state[name]])) } });
}

// Nothing is held: the axes may fit what they show.
function settle(own) {
  own.busy = false;
  own.frame = frames(own.state);
  own.bias = own.state.a - network(own.state.network, own.state.activation, own.state.z);
  draw(own);
}

const pictures = new WeakMap();

export default function ({ data, parentElement, setStateValue }) {
  if (!pictures.has(parentElement)) pictures.set(parentElement, mount(parentElement));
  const own = pictures.get(parentElement);
  const { values, bar, at, ...rest } = data;
  own.names = bar;
  own.tell = (state) => setStateValue("moved", state);
  showBar(own, bar, {
    hold: () => hold(own),
    set: (name, value) => change(own, name, value),
    release: () => release(own),
    open: (values) => open(own, values),
  });
  if (own.state && (own.busy || at < own.sent)) return; // an answer to an earlier move: a newer one is on its way
  own.state = { ...values, ...rest, sent: Object.keys(values) };
  own.before = own.state;
  ofKind(own.state);
  settle(own);
}
