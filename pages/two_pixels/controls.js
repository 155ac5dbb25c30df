// What is set beside the pictures of two pixels: choices in a row, and a box for each number, which follows every drag.

const child = (parent, tag, more = {}) => parent.appendChild(Object.assign(document.createElement(tag), more));

// Built once; `act` says what to do: { set, open, release, tell }.
function makeControls(own, { groups, boxes, best }, act) {
  const { root } = own;
  for (const { name, label, options } of groups) {
    const group = child(root.querySelector(".choices"), "fieldset", { className: "group" });
    child(group, "legend", { textContent: label });
    for (const [value, textContent] of Object.entries(options)) {
      const chip = child(group, "label", { className: "chip" });
      const radio = child(chip, "input", { type: "radio", name, value });
      radio.onchange = () => act.open({ [name]: value });
      child(chip, "span", { textContent });
    }
  }
  for (const one of boxes) (one.options ? chosen : typed)(root.querySelector(".boxes"), one, own, act);
  root.querySelector(".best").onclick = act.best;
  root.querySelector(".follows input").onchange = (event) => act.open({ follows: event.target.checked ? "yes" : "no" });
  const count = root.querySelector(".count");
  for (const k of KS) child(count, "option", { value: k, textContent: k });
  count.onchange = () => act.open({ k: Number(count.value) });
  root.querySelector(".again").onclick = () => act.open({ draw: (own.state.draw % 1000) + 1 });
}

function boxOf(place, { name, symbol, label, help }, tag) {
  const whole = child(place, "label", { className: "box", title: help });
  whole.dataset.name = name;
  child(whole, "i", { textContent: symbol });
  const element = child(whole, tag);
  element.setAttribute("aria-label", label);
  return element;
}

function chosen(place, one, own, act) {
  const select = boxOf(place, one, "select");
  for (const [value, textContent] of Object.entries(one.options)) child(select, "option", { value, textContent });
  select.onchange = () => act.open({ [one.name]: select.value });
}

// A number that is allowed moves the picture as it is typed; one that is not is told, and the picture stays.
function typed(place, one, own, act) {
  const input = boxOf(place, one, "input");
  Object.assign(input, { type: "number", min: one.low, max: one.high, step: "any", required: true });
  const refuse = () => {
    const what = input.validity.badInput || input.value === "" ? "no number" : input.value;
    act.tell(`${one.symbol} is ${what}; allowed: ${one.low} to ${one.high}. It stays ${own.state[one.name]}.`.replaceAll("-", "−"));
  };
  input.oninput = () => {
    if (input.checkValidity()) act.set({ [one.name]: Number(input.value) });
  };
  input.onchange = () => (input.checkValidity() ? act.release() : refuse());
  input.onblur = () => {
    act.release();
    fillControls(own); // what was typed and refused goes
  };
  input.onkeydown = (event) => {
    const way = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (event.key === "Enter") input.onchange();
    if (!way) return; // every other key is the browser's
    event.preventDefault();
    const next = clamp(own.state[one.name] + way * one.step * (event.shiftKey ? 10 : 1), one.low, one.high);
    act.set({ [one.name]: Number(next.toFixed(6)) });
    input.value = written(own.state, one.name);
  };
  input.onkeyup = (event) => {
    if (event.key.startsWith("Arrow")) act.release();
  };
}

const written = (state, name) => String(Number(state[name].toFixed(4)));
const SHOWN_FOR = { x1: isGaussian, x2: isGaussian, sigma: isGaussian, corner: (state) => !isGaussian(state), b: (state) => isGaussian(state) && state.noise === "changes" };

function fillControls({ root, state }) {
  const held = root.getRootNode().activeElement;
  for (const one of root.querySelectorAll(".box")) {
    const { name } = one.dataset;
    one.hidden = !(SHOWN_FOR[name]?.(state) ?? true);
    const element = one.lastElementChild;
    const value = element.type === "number" ? written(state, name) : state[name];
    if (element.value !== value && !(element === held && element.type === "number")) element.value = value;
  }
  for (const radio of root.querySelectorAll(".choices input")) radio.checked = state[radio.name] === radio.value;
  root.querySelector(".choices [name=noise]").closest("fieldset").hidden = !isGaussian(state);
  root.querySelector(".follows input").checked = state.follows === "yes";
  root.querySelector(".count").value = state.k;
}
