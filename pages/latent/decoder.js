// A VAE's decoder in the browser: the network, and what its outputs mean under each p(x|z,w) (the same as
// vae_core/likelihoods.py; a test compares them).

const sigmoid = (f) => 1 / (1 + Math.exp(-f));
const fill = (length, value) => new Float32Array(length).fill(value);
const logCosts = (sigma, each) => sigma.reduce((sum, value) => sum + Math.log(value) + each, 0);

// Each family: the mean and standard deviation of every pixel from the raw outputs; a draw, given what makes uniform
// and normal numbers; and the entropy of p(x|z,w) in nats. To add a decoder, add its four functions.
const FAMILIES = {
  bernoulli: {
    mean: (f) => f.map(sigmoid),
    sigma: (f) => f.map((a) => Math.sqrt(sigmoid(a) * (1 - sigmoid(a)))),
    sample: (mean, _, draw) => mean.map((lambda) => (draw.uniform() < lambda ? 1 : 0)),
    // ln(1 + e^a) - a·λ: -λ ln λ - (1-λ) ln(1-λ) without the log of a rounded 0
    entropy: (f) => f.reduce((sum, a) => sum + Math.max(a, 0) + Math.log1p(Math.exp(-Math.abs(a))) - a * sigmoid(a), 0),
  },
  gaussian_identity: {
    mean: (f) => f,
    sigma: (f, n, { sigma }) => fill(n, sigma),
    sample: (mean, sigma, draw) => mean.map((mu, d) => mu + sigma[d] * draw.normal()),
    entropy: (f, sigma) => logCosts(sigma, 0.5 * Math.log(2 * Math.PI * Math.E)),
  },
  gaussian_learned: {
    mean: (f, n) => f.subarray(0, n),
    sigma: (f, n, settings) => {
      const floor = Math.log(settings.variance_floor);
      return f.subarray(n).map((logVar) => Math.exp(0.5 * Math.max(logVar, floor)));
    },
    sample: (mean, sigma, draw) => mean.map((mu, d) => mu + sigma[d] * draw.normal()),
    entropy: (f, sigma) => logCosts(sigma, 0.5 * Math.log(2 * Math.PI * Math.E)),
  },
  laplace: {
    mean: (f) => f,
    sigma: (f, n, { scale }) => fill(n, Math.SQRT2 * scale),
    sample: (mean, sigma, draw) =>
      mean.map((mu, d) => mu + (sigma[d] / Math.SQRT2) * Math.log(draw.uniform() / draw.uniform())),
    entropy: (f, sigma) => logCosts(sigma, 1 + 0.5 * Math.log(2)), // 1 + ln 2b, where sigma = b√2
  },
};

// The layers of a ReLU network from `weights`, a Float32Array with, layer after layer, a matrix (n_in, n_out) and a bias;
// `shapes` are [[n_in, n_out], ...]. The function returned gives the outputs, in memory that the next call writes over.
function makeNetwork(shapes, weights) {
  let at = 0;
  const take = (count) => weights.subarray(at, (at += count));
  const layers = shapes.map(([nIn, nOut]) => ({ matrix: take(nIn * nOut), bias: take(nOut), out: fill(nOut, 0) }));
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

// `run` says { likelihood, settings, layers, pixels }. The decoder takes z and gives { mean, sigma, entropy(),
// sample(draw) } of p(x|z,w), to be used before it is called again. null for a likelihood that is not above.
function makeDecoder({ likelihood, settings, layers, pixels }, weights) {
  const family = FAMILIES[likelihood];
  if (!family) return null;
  const network = makeNetwork(layers, weights);
  return (z) => {
    const f = network(z);
    const [mean, sigma] = [family.mean(f, pixels), family.sigma(f, pixels, settings)];
    return { mean, sigma, sample: (draw) => family.sample(mean, sigma, draw), entropy: () => family.entropy(f, sigma) };
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

// Where chance comes from: the browser's own, or another source of uniform numbers in (0,1).
function chance(uniform = () => 1 - Math.random()) {
  return { uniform, normal: () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()) };
}
