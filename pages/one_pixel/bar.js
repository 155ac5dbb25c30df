// The bar above the pictures of One pixel: the decoder, each number in a box that follows every drag, the states that a
// question opens, and what has just changed. It stays in view while the pictures pass below it.

// Built anew only where something else is to be chosen; `act` says what to do: { hold, set, release, open }.
function showBar(own, data, act) {
  const { root } = own;
  build(root.querySelector(".decoders"), Object.keys(data.decoders), (place) => {
    for (const [key, name] of Object.entries(data.decoders)) {
      const chip = child(place, "label", "chip");
      const radio = Object.assign(child(chip, "input"), { type: "radio", name: "decoder", value: key });
      radio.onchange = () => act.open({ decoder: key });
      child(chip, "span").textContent = name;
    }
  });
  build(root.querySelector(".presets"), data.presets, (place) => {
    for (const { label, values } of data.presets) {
      const button = Object.assign(child(place, "button"), { type: "button", textContent: label });
      button.onclick = () => act.open(values);
    }
  });
  build(root.querySelector(".boxes"), data.boxes, (place) => {
    for (const box of data.boxes) box.choices ? choices(place, box, act) : typed(own, place, box, act);
  });
}

function build(place, subject, fill) {
  const text = JSON.stringify(subject);
  if (place.subject === text) return;
  place.subject = text;
  place.replaceChildren();
  fill(place);
}

function child(parent, tag, className = "") {
  return parent.appendChild(Object.assign(document.createElement(tag), { className }));
}

// A box with its symbol; where it lights something, so does the symbol in the calculation.
function box(place, tag, { name, symbol, label, help }) {
  const whole = child(place, "label", "box");
  Object.assign(whole.dataset, { name, lights: lightsOf(name) });
  whole.title = help;
  child(whole, "i").textContent = symbol;
  const element = child(whole, tag);
  element.setAttribute("aria-label", label);
  return element;
}

const lightsOf = (name) => ({ log_var: "v sigma", log_scale: "v sigma", v: "v", sigma: "sigma", scale: "sigma" })[name] ?? name;

function choices(place, setting, act) {
  const select = box(place, "select", setting);
  for (const [value, textContent] of Object.entries(setting.choices)) Object.assign(child(select, "option"), { value, textContent });
  select.onchange = () => act.open({ [setting.name]: select.value });
}

// Typing moves the pictures as soon as it makes an allowed number; the browser says what is allowed where it does not.
function typed(own, place, setting, act) {
  const input = box(place, "input", setting);
  Object.assign(input, { type: "number", min: setting.low, max: setting.high, step: setting.whole ? 1 : "any", required: true });
  const take = () => {
    if (!input.checkValidity()) return;
    act.hold();
    act.set(setting.name, Number(input.value));
  };
  input.oninput = take;
  input.onchange = () => {
    if (input.checkValidity()) act.release();
  };
  input.onblur = () => {
    act.release();
    fillBoxes(own); // what was typed and refused goes
  };
  input.onkeydown = (event) => {
    const way = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (event.key === "Enter" && !input.reportValidity()) return;
    if (!way) return; // every other key is the browser's
    event.preventDefault();
    act.hold();
    const size = setting.step * (event.shiftKey && !setting.whole ? 10 : 1);
    act.set(setting.name, Number(clamp(own.state[setting.name] + way * size, setting.low, setting.high).toFixed(6)));
    input.value = written(own.state, setting.name);
  };
  input.onkeyup = (event) => {
    if (event.key.startsWith("Arrow")) act.release();
  };
}

const DIGITS = { z: 2, a: 3, x: 2, log_var: 2, log_scale: 2, v: 2 };
const written = (state, name) => (name in DIGITS ? state[name].toFixed(DIGITS[name]) : String(state[name]));
const ownNames = (state) => ["activation", "z", "a", state.second, ...state.given, "x"].filter(Boolean);

function fillBoxes({ root, state, kinds }) {
  const [names, held] = [ownNames(state), root.getRootNode().activeElement];
  for (const one of root.querySelectorAll(".box")) {
    one.hidden = !names.includes(one.dataset.name);
    const element = one.lastElementChild;
    const value = element.type === "number" ? written(state, one.dataset.name) : state[one.dataset.name];
    if (one.dataset.name === state.second) element.setAttribute("aria-label", `${symbolOf(state)}, ${state.shared ? "a weight" : "2nd output"}`);
    if (element.value !== value && !(element === held && element.type === "number")) element.value = value;
  }
  const levels = likelihoodOf(state).support === "levels";
  root.querySelector(".used").textContent = levels ? `→ ${levelUsed(state)}` : "";
  for (const radio of root.querySelectorAll(".decoders input")) radio.checked = radio.value === state.decoder;
}

// What is not as before, in words, and what it makes of ln p: for the eye, and for a screen reader, once it is let go.
function whatChanged({ before, state, now, names }) {
  const word = (one, name) => (name === "decoder" ? names.decoders[one.decoder] : name === "activation" ? names.activations[one.activation] : written(one, name).replace("-", "−"));
  const changed = ["decoder", ...ownNames(state)].filter((name) => before[name] !== state[name]);
  const parts = changed.map((name) => {
    const value = `${names.symbols[name] ? `${names.symbols[name]} = ` : ""}${word(state, name)}`;
    return `${value} (was ${word(before, name)})`;
  });
  const result = `${isLoss(state) ? `${nameOfLoss(state)[0]}: ${text(-now.log_prob)}` : `ln p = ${text(now.log_prob)}`} nats.`;
  return parts.length ? `Now ${parts.join(", ")}. ${result}` : `Nothing changes: this is what is shown already. ${result}`;
}
