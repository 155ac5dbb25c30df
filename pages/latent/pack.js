// What pack.py sends, read back.

// A class each, with its digit as the marker: on a light ground and on a dark one, 4.5:1 or more.
const TINTS = {
  light: ["#0072B2", "#B34700", "#007A58", "#B0428A", "#8A6100", "#4B3FBF", "#6B3A1E", "#AA0044", "#00707A", "#5F5F5F"],
  dark: ["#5AB4F0", "#FF8A4C", "#35C99A", "#EE9CCB", "#F2B93B", "#A79BFF", "#C9A27E", "#FF7F9F", "#6FD3D6", "#B5B5B5"],
};

const LOST = 1000; // ms until networks that could not be fetched are asked for again
const held = new WeakMap(); // by root: what was made of the networks that are shown, or shall be

// Call `use` with what `make` makes of the networks at data.address: at once if they are here, else once they have come.
// A process that no longer has them is told that they are lost, and offers them again.
function withNetworks({ data, parentElement: root, setTriggerValue }, make, use) {
  const before = held.get(root);
  const mine = before?.id === data.id ? before : { id: data.id };
  const still = () => held.get(root) === mine && root.isConnected;
  const rest = () => cancelAnimationFrame(mine.view?.frame);
  held.set(root, mine);
  mine.use = use;
  if (mine !== before && before?.view) {
    cancelAnimationFrame(before.view.frame);
    before.view.watch?.disconnect();
  }
  if (mine.view) use(mine.view);
  else if (!mine.coming) {
    mine.coming = true;
    const ask = () => fetch(data.address).then((reply) => (reply.ok ? reply.arrayBuffer() : null), () => null).then(come);
    const come = (bytes) => {
      if (!still()) mine.coming = false;
      else if (bytes) {
        mine.view = make(root, { ...unpack(new Uint8Array(bytes)), start: data.start });
        mine.use(mine.view);
      } else {
        setTriggerValue("lost", Date.now());
        setTimeout(ask, LOST);
      }
    };
    ask();
  }
  return rest;
}

// `as_bytes` of pack.py read back: plain values, and a Uint8Array for each part.
function unpack(bytes) {
  const head = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const { parts, ...values } = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + head)));
  for (const name in parts) values[name] = bytes.subarray(4 + head + parts[name][0], 4 + head + parts[name][0] + parts[name][1]);
  return values;
}

const floats = (bytes) => new Float32Array(bytes.slice().buffer); // a copy: the bytes need not lie at a multiple of 4

// q(z|x) of the held-out images: m and s are (count, latents).
function readCodes(data) {
  const s = floats(data.s);
  return { m: floats(data.m), s, logS: s.map(Math.log), labels: data.labels.slice(), count: data.labels.length };
}

// Each run with decode(z), and encode(x) where an encoder was sent.
function readRuns(data) {
  const weights = floats(data.weights);
  return data.runs.map((run) => ({
    ...run,
    decode: makeDecoder({ ...run, pixels: data.side ** 2 }, weights.subarray(...run.decoder)),
    encode: run.encoder && makeNetwork(run.encoder_layers, weights.subarray(...run.encoder)),
  }));
}

// The controls that the pad and From an image share: which latents lie across and up. chosen() comes after a choice.
function planeControls(view, named, chosen) {
  for (const [name, least] of [["many", 3], ["two", 2]])
    view.root.querySelectorAll(`.${name}`).forEach((one) => one.classList.toggle("hidden", view.latents < least));
  ["across", "up"].forEach((name, index) => {
    view.control(name).replaceChildren(...view.order.map((latent) => new Option(named(latent), latent)));
    view.control(name).onchange = (event) => {
      const latent = Number(event.target.value);
      if (view.axes[1 - index] === latent) view.axes[1 - index] = view.axes[index]; // the two swap
      view.axes[index] = latent;
      chosen();
    };
  });
}

// The number of a held-out image as typed; null where there is none, which is told, and what is shown stays.
function imageNumber(view, typed, count) {
  const image = Number(typed);
  if (typed !== "" && Number.isInteger(image) && image >= 0 && image < count) return image;
  view.find(".told").textContent = `Held-out images are numbered 0 to ${count - 1}.`;
  return null;
}

// A canvas with its caption; the figure is its parent.
function captioned(caption, label) {
  const figure = document.createElement("figure");
  figure.innerHTML = '<canvas role="img"></canvas><figcaption></figcaption>';
  figure.lastChild.textContent = caption;
  figure.firstChild.setAttribute("aria-label", label);
  return figure.firstChild;
}

const latentName = (latent) => `z${[...String(latent + 1)].map((digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]).join("")}`;
