// What pack.py sends, read back.

const TINTS = [
  "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D1F", "#AA3377", "#4B9B9B", "#7D7D7D",
]; // a class each, and its digit as the marker
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

const latentName = (latent) => `z${[...String(latent + 1)].map((digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]).join("")}`;
