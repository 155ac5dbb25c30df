// A VAE on points of the plane that is trained here, without the DOM: one latent, a decoder 1 -> H tanh -> 2 and an
// encoder 2 -> tanh -> m, ln s, or both linear where H is 0; one sigma. Gradients are written out by hand. The numbers
// are vae_core/lessons/two_pixels_fit.py's, which a browser test holds against it. `how` is what the page hands over of
// that file: { encoder, floor, first, rate, slowing, sigmaRate, seed, eps, places, fine }; a fit is { width, sigma },
// sigma null where it is learned. uniforms() is svg.js's.

const BETA1 = 0.9;
const BETA2 = 0.999;
const ADAM_EPS = 1e-8;
const LN_2PI = Math.log(2 * Math.PI);
const LEAST_HUMP = Math.log(0.01);

// Where in the row of all weights each matrix and its biases begin. Hidden layers are null where both maps are linear.
function shapeOf({ width }, encoder) {
  const wide = width ? encoder : 0;
  let at = 0;
  const layer = (n_in, n_out) => {
    const one = { n_in, n_out, matrix: at, biases: at + n_in * n_out };
    at += n_out * (n_in + 1);
    return one;
  };
  const network = (n_in, hidden) => ({ hidden: hidden ? layer(n_in, hidden) : null, last: layer(hidden || n_in, 2) });
  const [decoder, forEncoder] = [network(1, width), network(2, wide)];
  return { decoder, encoder: forEncoder, logVar: at, count: at + 1 };
}

// Uniform on ±1/√inputs, in the order of the row; last ln sigma².
function firstWeights(fit, how) {
  const shape = shapeOf(fit, how.encoder);
  const draw = uniforms(how.seed);
  const row = new Float64Array(shape.count);
  for (const { hidden, last } of [shape.decoder, shape.encoder]) {
    for (const { matrix, biases, n_in, n_out } of hidden ? [hidden, last] : [last]) {
      for (let i = matrix; i < biases + n_out; i++) row[i] = (2 * draw() - 1) / Math.sqrt(n_in);
    }
  }
  row[shape.logVar] = 2 * Math.log(fit.sigma ?? how.first);
  return row;
}

// One network at `inputs`: out[0], out[1], and its hidden units into `units`.
function forward({ hidden, last }, row, inputs, units, out) {
  if (hidden) {
    const { n_in, n_out, matrix, biases } = hidden;
    for (let j = 0; j < n_out; j++) {
      let sum = row[biases + j];
      for (let i = 0; i < n_in; i++) sum += row[matrix + j * n_in + i] * inputs[i];
      units[j] = 1 - 2 / (Math.exp(2 * sum) + 1); // tanh
    }
  }
  const values = hidden ? units : inputs;
  const { n_in, matrix, biases } = last;
  let [a, b] = [row[biases], row[biases + 1]];
  for (let j = 0; j < n_in; j++) {
    a += row[matrix + j] * values[j];
    b += row[matrix + n_in + j] * values[j];
  }
  out[0] = a;
  out[1] = b;
}

// Add to `slopes` what d(objective)/d(out) = (g0, g1) means for its weights, and return the same for its first input.
function backward({ hidden, last }, row, slopes, inputs, units, g0, g1) {
  const values = hidden ? units : inputs;
  const { n_in, matrix, biases } = last;
  slopes[biases] += g0;
  slopes[biases + 1] += g1;
  for (let j = 0; j < n_in; j++) {
    slopes[matrix + j] += g0 * values[j];
    slopes[matrix + n_in + j] += g1 * values[j];
  }
  if (!hidden) return g0 * row[matrix] + g1 * row[matrix + n_in];
  const [wide, above, shift] = [hidden.n_in, hidden.matrix, hidden.biases];
  let ofInput = 0;
  for (let j = 0; j < n_in; j++) {
    const unit = units[j];
    const before = (g0 * row[matrix + j] + g1 * row[matrix + n_in + j]) * (1 - unit * unit);
    slopes[shift + j] += before;
    for (let i = 0; i < wide; i++) slopes[above + j * wide + i] += before * inputs[i];
    ofInput += before * row[above + j * wide];
  }
  return ofInput;
}

// The places of eps and their weights under N(0, 1).
function placesOf(far, places) {
  const eps = Float64Array.from({ length: places }, (_, k) => -far + (2 * far * k) / (places - 1));
  const weights = eps.map((one) => Math.exp(-0.5 * one * one));
  const sum = weights.reduce((a, b) => a + b);
  return { eps, weights: weights.map((one) => one / sum) };
}

// A fit of `points` [[x1, x2], ...] before its first step.
function makeTrainer(points, fit, how) {
  const shape = shapeOf(fit, how.encoder);
  const row = firstWeights(fit, how);
  const blank = () => new Float64Array(shape.count);
  const trainer = {
    points, fit, how, shape, row, steps: 0, slopes: blank(), first: blank(), second: blank(), ...placesOf(how.eps, how.places),
    fine: placesOf(how.eps, how.fine),
    units: { decoder: new Float64Array(Math.max(1, fit.width)), encoder: new Float64Array(how.encoder) },
    reconstruction: new Float64Array(points.length), kl: new Float64Array(points.length),
    m: new Float64Array(points.length), s: new Float64Array(points.length),
  };
  look(trainer);
  trainer.good = kept(trainer);
  return trainer;
}

// The two terms of every point at the row as it stands, and with it the slopes of their mean ELBO. -> the mean ELBO
function look(trainer) {
  const { points, fit, shape, row, slopes, eps, weights, units, reconstruction, kl } = trainer;
  const { decoder, encoder, logVar } = shape;
  const precision = Math.exp(-row[logVar]);
  const [mr, mu, z] = [new Float64Array(2), new Float64Array(2), new Float64Array(1)];
  const share = 1 / points.length;
  let mean = 0;
  slopes.fill(0);
  for (let n = 0; n < points.length; n++) {
    const x = points[n];
    forward(encoder, row, x, units.encoder, mr);
    const [m, logS] = mr;
    const s = Math.exp(logS);
    let [error, ofM, ofS] = [0, 0, 0];
    for (let k = 0; k < eps.length; k++) {
      z[0] = m + s * eps[k];
      forward(decoder, row, z, units.decoder, mu);
      const [d0, d1] = [x[0] - mu[0], x[1] - mu[1]];
      error += weights[k] * (d0 * d0 + d1 * d1);
      const pull = share * weights[k] * precision;
      const ofZ = backward(decoder, row, slopes, z, units.decoder, pull * d0, pull * d1);
      ofM += ofZ;
      ofS += ofZ * eps[k];
    }
    reconstruction[n] = -0.5 * error * precision - row[logVar] - LN_2PI;
    kl[n] = 0.5 * (m * m + s * s - 1) - logS;
    trainer.m[n] = m;
    trainer.s[n] = s;
    if (fit.sigma === null) slopes[logVar] += share * (0.5 * error * precision - 1);
    backward(encoder, row, slopes, x, units.encoder, ofM - share * m, s * ofS - share * (s * s - 1));
    mean += share * (reconstruction[n] - kl[n]);
  }
  return (trainer.mean = mean);
}

// One step of Adam up the mean ELBO of all points, and a look at where it led. -> whether all is finite; where it is
// not, the trainer is back at its last good state.
function trainStep(trainer) {
  const { row, slopes, first, second, shape, how, fit } = trainer;
  const at = ++trainer.steps;
  const [lift1, lift2] = [1 - BETA1 ** at, 1 - BETA2 ** at];
  for (let i = 0; i < row.length; i++) {
    first[i] = BETA1 * first[i] + (1 - BETA1) * slopes[i];
    second[i] = BETA2 * second[i] + (1 - BETA2) * slopes[i] * slopes[i];
    const rate = how.rate * (i === shape.logVar ? how.sigmaRate : 1 / (1 + (at - 1) / how.slowing));
    row[i] += ((rate / lift1) * first[i]) / (Math.sqrt(second[i]) / Math.sqrt(lift2) + ADAM_EPS);
  }
  if (fit.sigma === null) row[shape.logVar] = Math.max(row[shape.logVar], lowest(how)); // NaN stays NaN
  if (Number.isFinite(look(trainer))) return true;
  restore(trainer);
  return false;
}

const lowest = ({ floor }) => 2 * Math.log(floor); // ln sigma²
const onFloor = ({ fit, row, shape, how }) => fit.sigma === null && row[shape.logVar] === lowest(how);
const sigmaOf = ({ row, shape }) => Math.exp(0.5 * row[shape.logVar]);

// What a step that goes wrong goes back to: whoever trains keeps it while all is well.
const kept = ({ row, first, second, steps }) => ({ row: row.slice(), first: first.slice(), second: second.slice(), steps });

function restore(trainer) {
  for (const name of ["row", "first", "second"]) trainer[name].set(trainer.good[name]);
  trainer.steps = trainer.good.steps;
  look(trainer);
}

// z -> mu(z) of the row as it stands.
function curveOf({ shape, row, units }) {
  const z = new Float64Array(1);
  return (at) => {
    const mu = [0, 0];
    z[0] = at;
    forward(shape.decoder, row, z, units.decoder, mu);
    return mu;
  };
}

// Nodes of z close enough for p(x|z,w) as it stands: less than half of sigma apart along the curve, where it runs fastest.
function nodesFor(trainer) {
  const [middle, sigma] = [curveOf(trainer), sigmaOf(trainer)];
  let [fastest, before] = [0, middle(-6)];
  for (let z = -6 + 0.05; z < 6; z += 0.05) {
    const here = middle(z);
    fastest = Math.max(fastest, Math.hypot(here[0] - before[0], here[1] - before[1]) / 0.05);
    before = here;
  }
  const { low, high, count } = TRAPEZOID;
  const wanted = Math.ceil(((high - low) * fastest) / (0.4 * sigma)) + 1;
  return onNodes(gaussianDecoder(middle, () => sigma), { low, high, count: Math.min(count, Math.max(401, wanted)) });
}

// E_q[ln p(x|z,w)] of point n over more places than training takes.
function reconstructionOf({ points, row, shape, m, s, fine, units }, n) {
  const [[a, b], mu, z] = [points[n], [0, 0], [0]];
  let error = 0;
  for (let k = 0; k < fine.eps.length; k++) {
    z[0] = m[n] + s[n] * fine.eps[k];
    forward(shape.decoder, row, z, units.decoder, mu);
    error += fine.weights[k] * ((a - mu[0]) ** 2 + (b - mu[1]) ** 2);
  }
  return -0.5 * error * Math.exp(-row[shape.logVar]) - row[shape.logVar] - LN_2PI;
}

// Of every point: ln p(x|w), its ELBO, the gap between the two, and whether its posterior has two humps or more, the
// lower at least a hundredth as high as the higher. `hurried`: the ELBO as training sums it.
function evidenceOf(trainer, hurried = false) {
  const nodes = nodesFor(trainer);
  return trainer.points.map((x, n) => {
    const joint = logJoint(nodes, x);
    const log = logSumExp(joint) + Math.log(nodes.step);
    let [most, peaks] = [-Infinity, 0];
    for (let i = 0; i < joint.length; i++) if (joint[i] > most) most = joint[i];
    for (let i = 1; i < joint.length - 1; i++) {
      if (joint[i] > most + LEAST_HUMP && joint[i] > joint[i - 1] && joint[i] >= joint[i + 1]) peaks++;
    }
    const elbo = (hurried ? trainer.reconstruction[n] : reconstructionOf(trainer, n)) - trainer.kl[n];
    return { log, elbo, gap: log - elbo, two: peaks > 1 };
  });
}

// The variances of points along their two principal axes, falling.
function spreads(points) {
  const mean = [0, 1].map((axis) => points.reduce((sum, x) => sum + x[axis], 0) / points.length);
  const moment = (a, b) => points.reduce((sum, x) => sum + (x[a] - mean[a]) * (x[b] - mean[b]), 0) / points.length;
  const [xx, yy, xy] = [moment(0, 0), moment(1, 1), moment(0, 1)];
  const [middle, half] = [(xx + yy) / 2, Math.hypot((xx - yy) / 2, xy)];
  return [middle + half, Math.max(0, middle - half)];
}

// The highest mean ln p(x|w) of a straight line (latents = 1) or of one round blob (0), exactly: probabilistic PCA
// (Tipping & Bishop 1999, eq. 7), which the ELBO of a linear VAE reaches.
function exactBest(points, { sigma }, latents, { floor }) {
  const values = spreads(points);
  const left = values.slice(latents);
  const variance = sigma ? sigma * sigma : Math.max(left.reduce((a, b) => a + b) / left.length, floor * floor);
  const used = values.slice(0, latents).filter((one) => one > variance);
  const cost = (value) => (used.includes(value) ? Math.log(value) + 1 : Math.log(variance) + value / variance);
  return -0.5 * values.reduce((sum, value) => sum + LN_2PI + cost(value), 0);
}
