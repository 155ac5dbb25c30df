// A VAE's decoder in the browser: the network. What its outputs mean, likelihoods.js says.

// The layers of a ReLU network from `weights`, a Float32Array with, layer after layer, a matrix (n_in, n_out) and a bias;
// `shapes` are [[n_in, n_out], ...]. The function returned gives the outputs, in memory that the next call writes over.
function makeNetwork(shapes, weights) {
  let at = 0;
  const take = (count) => weights.subarray(at, (at += count));
  const layers = shapes.map(([nIn, nOut]) => ({ matrix: take(nIn * nOut), bias: take(nOut), out: new Float32Array(nOut) }));
  if (at !== weights.length) throw new Error(`the network wants ${at} weights, ${weights.length} came`);
  return (input) => {
    let activation = input;
    layers.forEach((layer, index) => {
      multiply(activation, layer);
      if (index < layers.length - 1) for (let o = 0; o < layer.out.length; o++) if (layer.out[o] < 0) layer.out[o] = 0;
      activation = layer.out;
    });
    return activation;
  };
}

// `run` says { likelihood, settings, layers, pixels, shared }; `shared` are outputs after those of the network, that are
// weights of their own. The decoder takes z and gives { mean, sigma, entropy(),
// sample(draw) } of p(x|z,w), to be used before it is called again. null for a likelihood that the browser lacks.
function makeDecoder({ likelihood, settings, layers, pixels, shared = [] }, weights) {
  const family = LIKELIHOODS[likelihood];
  if (!family) return null;
  const network = makeNetwork(layers, weights);
  const nOutputs = layers.at(-1)[1] + shared.length;
  const f = new Float64Array(Math.ceil(nOutputs / pixels)); // of one pixel
  return (z) => {
    const outputs = shared.length ? [...network(z), ...shared] : network(z);
    const image = (pixel) => {
      const made = new Float32Array(pixels);
      for (let d = 0; d < pixels; d++) {
        // All first outputs come before all second ones, and so on; of the last there may be one for all pixels.
        for (let k = 0; k < f.length; k++) f[k] = outputs[Math.min(k * pixels + d, nOutputs - 1)];
        made[d] = pixel(f);
      }
      return made;
    };
    return {
      get mean() { return image((f) => family.mean(f, settings)); },
      get sigma() { return image((f) => family.stddev(f, settings)); },
      sample: (draw) => image((f) => family.sample(f, settings, draw)),
      entropy: () => image((f) => family.entropy(f, settings)).reduce((sum, nats) => sum + nats, 0),
    };
  };
}

// out = bias + input · matrix. Four inputs that are not 0 at a time: out is then read and written a quarter as often,
// and everything is walked through in the order in which it lies in memory.
function multiply(input, { matrix, bias, out }) {
  const n = out.length;
  out.set(bias);
  const rows = [];
  for (let i = 0; i < input.length; i++) if (input[i] !== 0) rows.push(i);
  let r = 0;
  for (; r + 4 <= rows.length; r += 4) {
    const [i, j, k, l] = [rows[r], rows[r + 1], rows[r + 2], rows[r + 3]];
    const [a, b, c, d] = [input[i], input[j], input[k], input[l]];
    const [p, q, s, t] = [i * n, j * n, k * n, l * n];
    for (let o = 0; o < n; o++) {
      out[o] += a * matrix[p + o] + b * matrix[q + o] + c * matrix[s + o] + d * matrix[t + o];
    }
  }
  for (; r < rows.length; r++) {
    const [a, p] = [input[rows[r]], rows[r] * n];
    for (let o = 0; o < n; o++) out[o] += a * matrix[p + o];
  }
}
