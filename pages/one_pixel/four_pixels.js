// Why not a softmax: the raw outputs of four pixels, as four Bernoulli parameters and as one softmax. No server at all.

const START = [2, 2, -1, -1];

function shares(a) {
  const powers = a.map((value) => Math.exp(value - Math.max(...a)));
  const sum = powers.reduce((x, y) => x + y);
  return { sigmoid: a.map((value) => 1 / (1 + Math.exp(-value))), softmax: powers.map((power) => power / sum) };
}

const shown = (value, digits) => value.toFixed(digits).replace("-", "−");

function drawBars(svg, values) {
  const x = scale([0.4, 4.6], [40, 352]);
  const y = scale([0, 1], [136, 14]);
  part(svg, "frame", "rect", { x: 40, y: 14, width: 312, height: 122, class: "frame" });
  axis(svg, "x", x, [1, 2, 3, 4], 136, (d) => `pixel ${d}`);
  axis(svg, "y", y, [0, 0.5, 1], 40);
  values.forEach((value, d) => {
    const place = { x: x(d + 0.7), width: x(1.6) - x(1), y: y(value), height: 136 - y(value) };
    part(svg, `bar ${d}`, "rect", { class: d ? "bar" : "bar first", ...place });
    part(svg, `value ${d}`, "text", { x: x(d + 1), y: Math.max(y(value) - 5, 28), "text-anchor": "middle" }, shown(value, 3));
  });
}

export default function ({ parentElement }) {
  const root = parentElement.querySelector(".four-pixels");
  const inputs = [...root.querySelectorAll("input")];
  const draw = () => {
    const a = inputs.map((input) => Number(input.value));
    const now = shares(a);
    for (const name in now) {
      drawBars(root.querySelector(`[data-panel=${name}]`), now[name]);
      const sum = now[name].reduce((x, y) => x + y);
      const text = name === "sigmoid" ? `Sum ${shown(sum, 2)}: any of 0 to 4` : `Sum ${shown(sum, 2)}, whatever the a are`;
      root.querySelector(`[data-text=${name}]`).textContent = text;
    }
    inputs.forEach((input, d) => (input.nextElementSibling.textContent = shown(a[d], 1)));
    root.dataset.numbers = JSON.stringify({ a, ...now });
  };
  if (!root.drawn) inputs.forEach((input, d) => (input.value = START[d]));
  root.drawn = true;
  const hear = () => {
    const sums = ["sigmoid", "softmax"].map((name) => `${name}: ${root.querySelector(`[data-text=${name}]`).textContent}`);
    root.querySelector(".heard").textContent = `${sums.join("; ")}.`;
  };
  for (const input of inputs) Object.assign(input, { oninput: draw, onchange: hear }); // said once, when it is let go
  draw();
}
