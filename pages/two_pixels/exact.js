// What is exact in the plane, without the DOM: an image is x = [x1, x2], z is one number with prior N(0,1). Nats.
//
// A decoder is { logLikelihood(x, z), sampled(zs), bend }. sampled(zs) works out once what does not depend on x, and
// returns x -> Float64Array of ln p(x|z_i,w); bend is a step of z within which nothing in it turns. gaussianDecoder and
// bernoulliDecoder make one; all that follows takes either.
// The numbers are vae_core/lessons/two_pixels.py's, which a browser test holds against it.
//
//   nodes = onNodes(decoder)                        // z from -8 to 8; again when the decoder changes
//   logEvidence(nodes, x)                           // ln p(x|w)
//   posterior(onNodes(decoder, MIDPOINTS), x)       // { z, step, logDensity, logNormaliser }, on other nodes
//   elbo(decoder, x, { m, s })                      // { reconstruction, kl, elbo }
//   gap(decoder, x, { m, s }, logNormaliser)        // KL(q || posterior), from its own integral
//   bestGaussian(decoder, x, posterior)             // the { m, s } of the highest ELBO
//   densityOnGrid(decoder, [low, high], across)     // p(x|w) in across x across cells, the top row first

const HALF_LN_2PI = 0.5 * Math.log(2 * Math.PI);
// The trapezoid rule on [-8, 8]: a smooth integrand that is ~0 at both ends converges geometrically once the step is
// below its width. The sharpest posterior that the page allows is 0.0033 wide; beyond 8 the prior has 1e-15.
const TRAPEZOID = { low: -8, high: 8, count: 6401 };
// The same between those nodes: where the step were too wide, the two would err to opposite sides, and not add up.
const MIDPOINTS = { low: -8 + 0.00125, high: 8 - 0.00125, count: 6400 };

const logPriorAt = (z) => -0.5 * z * z - HALF_LN_2PI;
const softplus = (a) => Math.max(a, 0) + Math.log1p(Math.exp(-Math.abs(a)));

// coefficients of 1, z, z^2, ... for each of the two pixels -> z -> [value, value].
function polynomial(coefficients) {
  const value = (of, z) => {
    let sum = 0;
    for (let power = of.length - 1; power >= 0; power--) sum = sum * z + of[power];
    return sum;
  };
  return (z) => [value(coefficients[0], z), value(coefficients[1], z)];
}

// p(x|z,w) = N(x; mean(z), sigma(z)^2 I): a round blob. mean: z -> [mu1, mu2]; sigma: z -> above 0.
function gaussianDecoder(mean, sigma, bend = 0.1) {
  const at = (x, mu, width) => {
    const far1 = (x[0] - mu[0]) / width;
    const far2 = (x[1] - mu[1]) / width;
    return -0.5 * (far1 * far1 + far2 * far2) - 2 * Math.log(width) - 2 * HALF_LN_2PI;
  };
  return {
    mean, sigma, bend,
    logLikelihood: (x, z) => at(x, mean(z), sigma(z)),
    sampled(zs) {
      const [mu1, mu2, precision, log] = [0, 1, 2, 3].map(() => new Float64Array(zs.length));
      for (let i = 0; i < zs.length; i++) {
        const width = sigma(zs[i]);
        const at = mean(zs[i]);
        mu1[i] = at[0];
        mu2[i] = at[1];
        precision[i] = 0.5 / (width * width);
        log[i] = -2 * Math.log(width) - 2 * HALF_LN_2PI;
      }
      return ([x1, x2]) => mu1.map((mu, i) => log[i] - precision[i] * ((x1 - mu) ** 2 + (x2 - mu2[i]) ** 2));
    },
  };
}

// p(x|z,w) = two coins, x in {0,1}^2; logits: z -> [a1, a2].
function bernoulliDecoder(logits, bend = 0.02) {
  const coin = (x, a) => x * a - softplus(a);
  const decoder = {
    bend,
    probabilities: (z) => logits(z).map((a) => 1 / (1 + Math.exp(-a))),
    logLikelihood(x, z) {
      const a = logits(z);
      return coin(x[0], a[0]) + coin(x[1], a[1]);
    },
    sampled: (zs) => (x) => zs.map((z) => decoder.logLikelihood(x, z)),
  };
  return decoder;
}

// z at evenly spaced nodes, what the prior says there, and the decoder sampled there.
const onNodes = (decoder, rule = TRAPEZOID) => ({ ...nodesOf(rule), logLikelihoods: decoder.sampled(nodesOf(rule).z) });

const NODES = new WeakMap(); // by rule: they stay while the decoder changes

function nodesOf(rule) {
  if (!NODES.has(rule)) {
    const step = (rule.high - rule.low) / (rule.count - 1);
    const z = Float64Array.from({ length: rule.count }, (_, i) => rule.low + i * step);
    NODES.set(rule, { z, step, logPrior: z.map(logPriorAt) });
  }
  return NODES.get(rule);
}

function logSumExp(logs) {
  let [most, sum] = [-Infinity, 0];
  for (const one of logs) if (one > most) most = one;
  for (const one of logs) sum += Math.exp(one - most);
  return most + Math.log(sum);
}

// ln p(x|z_i,w) + ln p(z_i) at the nodes.
const logJoint = ({ logPrior, logLikelihoods }, x) => logLikelihoods(x).map((one, i) => one + logPrior[i]);

// ln p(x|w) = ln of the integral of p(x|z,w) p(z).
const logEvidence = (nodes, x) => logSumExp(logJoint(nodes, x)) + Math.log(nodes.step);

// p(z|x,w): its log density at the nodes, and the log of what it was divided by.
function posterior(nodes, x) {
  const joint = logJoint(nodes, x);
  const logNormaliser = logSumExp(joint) + Math.log(nodes.step);
  return { z: nodes.z, step: nodes.step, logDensity: joint.map((one) => one - logNormaliser), logNormaliser };
}

// Where the posterior has its humps: z of each local maximum that holds at least `least` of it, from valley to valley.
function humps({ z, step, logDensity }, least = 0.01) {
  const tops = Array.from(z.keys()).filter((i) => logDensity[i] > logDensity[i - 1] && logDensity[i] >= logDensity[i + 1]);
  const found = [];
  let from = 0;
  tops.forEach((top, number) => {
    let valley = number + 1 < tops.length ? top : z.length;
    for (let i = top; i < tops[number + 1]; i++) if (logDensity[i] < logDensity[valley]) valley = i;
    let mass = 0;
    for (let i = from; i < valley; i++) mass += Math.exp(logDensity[i]) * step;
    if (mass >= least) found.push(z[top]);
    from = valley;
  });
  return found;
}

// Whether the log density is a parabola all along: then its second differences are one number.
function isGaussianShaped({ logDensity }) {
  const [stride, middle] = [800, logDensity.length / 2];
  const bends = [-2, -1, 0, 1, 2].map((way) => {
    const i = middle + way * stride;
    return 2 * logDensity[i] - logDensity[i - stride] - logDensity[i + stride];
  });
  return bends.every((bend) => Math.abs(bend - bends[2]) < 1e-8 * Math.abs(bends[2]));
}

// Averages over q = N(m, s^2) of f(z) and of f times t and t^2 - 1, t = (z - m)/s: the trapezoid rule on m +- 9 s.
function averages(f, { m, s }, bend) {
  const step = Math.min(1 / 8, bend / s); // of t
  const count = Math.ceil(9 / step);
  const sums = [0, 0, 0];
  for (let i = -count; i <= count; i++) {
    const t = i * step;
    const weighed = f(m + s * t) * Math.exp(-0.5 * t * t);
    sums[0] += weighed;
    sums[1] += weighed * t;
    sums[2] += weighed * (t * t - 1);
  }
  return sums.map((sum) => (sum * step) / Math.sqrt(2 * Math.PI));
}

const klToPrior = ({ m, s }) => 0.5 * (m * m + s * s - 1) - Math.log(s);
const logQ = ({ m, s }, z) => -0.5 * ((z - m) / s) ** 2 - Math.log(s) - HALF_LN_2PI;

// E_q[ln p(x|z,w)] - KL(q || p(z)), and its two terms.
function elbo(decoder, x, q) {
  const [[reconstruction], kl] = [averages((z) => decoder.logLikelihood(x, z), q, decoder.bend), klToPrior(q)];
  return { reconstruction, kl, elbo: reconstruction - kl };
}

// KL(q || p(z|x,w)) = E_q[ln q - ln posterior], the posterior normalised by the integral that `posterior` found.
function gap(decoder, x, q, logNormaliser) {
  return averages((z) => logQ(q, z) - (decoder.logLikelihood(x, z) + logPriorAt(z) - logNormaliser), q, decoder.bend)[0];
}

// The Gaussian of the highest ELBO. From each hump, and from the posterior's own mean and width: steps along the natural
// gradient, halved while they lead down. With l = ln p(x,z): E_q[l'] = E_q[l t]/s and E_q[l''] = E_q[l (t^2 - 1)]/s^2
// (Stein), and at the best q the first is 0 and the second -1/s^2.
function bestGaussian(decoder, x, exact, limits = { m: [-4, 4], s: [0.003, 3] }) {
  const l = (z) => decoder.logLikelihood(x, z) + logPriorAt(z);
  const within = (value, [low, high]) => Math.min(high, Math.max(low, value));
  const made = (m, s) => ({ m: within(m, limits.m), s: within(s, limits.s) });
  const height = (q) => averages(l, q, decoder.bend)[0] + Math.log(q.s);
  const climb = (start) => {
    let [q, at] = [start, height(start)];
    for (let turn = 0; turn < 200; turn++) {
      const [, first, second] = averages(l, q, decoder.bend);
      const dm = within(q.s * first, [-q.s, q.s]);
      const dlog = within(second < 0 ? -0.5 * Math.log(-second) : 0.7, [-0.7, 0.7]);
      if (Math.abs(first) < 1e-9 && Math.abs(dlog) < 1e-9) break;
      let [share, next, there] = [1, q, at];
      for (; share > 1e-3; share /= 2) {
        next = made(q.m + share * dm, q.s * Math.exp(share * dlog));
        there = height(next);
        if (there > at) break;
      }
      if (!(there > at)) break;
      [q, at] = [next, there];
    }
    return { ...q, at };
  };
  const { z, step, logDensity } = exact;
  let [mean, square] = [0, 0];
  for (let i = 0; i < z.length; i++) {
    const mass = Math.exp(logDensity[i]) * step;
    mean += mass * z[i];
    square += mass * z[i] * z[i];
  }
  const width = (at) => { // a hump's, from how sharply it bends at its top
    const i = Math.round((at - z[0]) / step);
    return 1 / Math.sqrt(Math.max((2 * logDensity[i] - logDensity[i - 1] - logDensity[i + 1]) / (step * step), 0.1));
  };
  const starts = [made(mean, Math.sqrt(Math.max(square - mean * mean, 0))), ...humps(exact).map((at) => made(at, width(at)))];
  const { m, s } = starts.map(climb).reduce((best, one) => (one.at > best.at + 1e-12 ? one : best));
  return { m, s };
}

// ln w_k = ln p(x|z_k,w) + ln p(z_k) - ln q(z_k) at z_k = m + s eps_k.
function logWeights(decoder, x, q, eps) {
  return eps.map((one) => {
    const z = q.m + q.s * one;
    return decoder.logLikelihood(x, z) + logPriorAt(z) - logQ(q, z);
  });
}

// ln (1/K) sum of w_k.
const importanceWeightedBound = (logs) => logSumExp(logs) - Math.log(logs.length);

// How many of the draws count: (sum w)^2 / sum w^2, from 1 to K.
const effectiveDraws = (logs) => Math.exp(2 * logSumExp(logs) - logSumExp(logs.map((one) => 2 * one)));

// Beyond m +- SELDOM s not one draw of q in a million falls.
const SELDOM = 4.9;

// Of draws within m +- SELDOM s, which is all that many draws show: the share of them that counts, E_q[w]^2 / E_q[w^2], low
// where the weights have a heavy tail; and the posterior's mass outside.
function reachOf(decoder, x, q, logEvidence) {
  const count = Math.ceil((SELDOM * q.s) / Math.min((TRAPEZOID.high - TRAPEZOID.low) / (TRAPEZOID.count - 1), q.s / 16));
  const step = (SELDOM * q.s) / count;
  const [joint, squares] = [new Float64Array(2 * count + 1), new Float64Array(2 * count + 1)];
  for (let i = 0; i <= 2 * count; i++) {
    const z = q.m + (i - count) * step;
    joint[i] = decoder.logLikelihood(x, z) + logPriorAt(z) - (i % (2 * count) ? 0 : Math.LN2); // the trapezoid's ends
    squares[i] = 2 * joint[i] - logQ(q, z);
  }
  const seen = logSumExp(joint) + Math.log(step);
  return { share: Math.exp(2 * seen - Math.log(step) - logSumExp(squares)), missed: 1 - Math.exp(seen - logEvidence) };
}

// p(x|w) of a Gaussian decoder at the middles of a grid of cells of [low, high]^2, the top row first. For the eye: the
// nodes of the trapezoid rule stand at most half a sigma apart along the curve, and each reaches 5 sigma far.
function densityOnGrid({ mean, sigma }, [low, high], across) {
  const [values, cell] = [new Float64Array(across * across), (high - low) / across];
  const [left, right] = [new Float64Array(across), new Float64Array(across)];
  const bell = (into, mu, width) => { // from and to which cell it reaches, and its heights there
    const cells = [mu - 5 * width, mu + 5 * width].map((edge) => Math.floor((edge - low) / cell));
    const [from, to] = [Math.max(0, cells[0]), Math.min(across - 1, cells[1])];
    for (let i = from; i <= to; i++) into[i] = Math.exp(-0.5 * ((low + (i + 0.5) * cell - mu) / width) ** 2);
    return [from, to];
  };
  let [z, before] = [-6, 0];
  while (z < 6) {
    const [at, ahead, width] = [mean(z), mean(z + 1e-3), sigma(z)];
    const speed = Math.hypot(ahead[0] - at[0], ahead[1] - at[1]) / 1e-3;
    const step = Math.min(0.05, (0.5 * width) / speed);
    const mass = (0.5 * (before + step) * Math.exp(logPriorAt(z))) / (2 * Math.PI * width * width);
    const [columns, rows] = [bell(left, at[0], width), bell(right, at[1], width)];
    for (let row = rows[0]; row <= rows[1]; row++) {
      const [from, weight] = [(across - 1 - row) * across, mass * right[row]];
      for (let column = columns[0]; column <= columns[1]; column++) values[from + column] += weight * left[column];
    }
    z += step;
    before = step;
  }
  return values;
}
