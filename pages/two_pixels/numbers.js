// What the picture of two pixels computes of its state: { likelihood, curve, noise, sigma, b, x1, x2, corner, z, m, s,
// follows, k, draw }. No DOM.

const REPEATS = 200;
const KS = [1, 2, 4, 8, 16, 32, 64, 128];
const MOST_DRAWS = KS.at(-1);
const CORNERS = ["00", "01", "10", "11"];

const isGaussian = ({ likelihood }) => likelihood === "gaussian";
const observed = (state) => (isGaussian(state) ? [state.x1, state.x2] : [...state.corner].map(Number));

function decoderOf(state, { curves, logit_scale }) {
  const curve = polynomial(curves[state.curve]);
  const logits = polynomial(curves[state.curve].map((one) => one.map((coefficient) => logit_scale * coefficient)));
  if (!isGaussian(state)) return bernoulliDecoder(logits);
  const change = state.noise === "same" ? 0 : state.b;
  const { sigma } = state;
  return gaussianDecoder(curve, change ? (z) => sigma * Math.exp(change * Math.tanh(z)) : () => sigma);
}

// What stays while x, z and q move.
function makeModel(state, given) {
  const decoder = decoderOf(state, given);
  const [nodes, between] = [onNodes(decoder), onNodes(decoder, MIDPOINTS)];
  return { decoder, nodes, between, corners: isGaussian(state) ? null : cornerMasses(nodes) };
}

// P(x1, x2|w) of two coins, and how far from independent they are once z is not known.
function cornerMasses(nodes) {
  const masses = CORNERS.map((one) => Math.exp(logEvidence(nodes, [...one].map(Number))));
  const [p00, p01, p10, p11] = masses;
  const [first, second] = [[p00 + p01, p10 + p11], [p00 + p10, p01 + p11]];
  const alone = CORNERS.map((one) => first[one[0]] * second[one[1]]);
  const information = masses.reduce((sum, p, i) => sum + p * Math.log(p / alone[i]), 0);
  return { masses, first: first[1], second: second[1], covariance: p11 - alone[3], information };
}

// Standard normal numbers for `REPEATS` times `MOST_DRAWS` draws from q, the same for everybody by the seed.
function normals(seed) {
  const { normal } = chance(uniforms(seed));
  return Float64Array.from({ length: REPEATS * MOST_DRAWS }, normal);
}

// ln (1/K) sum w over the first K draws of each repeat, for each K: its mean over the repeats and its spread.
function boundsOf(logs) {
  const found = KS.map(() => ({ sum: 0, square: 0 }));
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const own = logs.subarray(repeat * MOST_DRAWS, (repeat + 1) * MOST_DRAWS);
    const most = own.reduce((a, b) => Math.max(a, b));
    let [total, done] = [0, 0];
    KS.forEach((k, i) => {
      while (done < k) total += Math.exp(own[done++] - most);
      const far = total < 1e-300; // the first k weigh nothing beside the heaviest of all
      const bound = far ? importanceWeightedBound(own.subarray(0, k)) : most + Math.log(total) - Math.log(k);
      found[i].sum += bound;
      found[i].square += bound * bound;
    });
  }
  return found.map(({ sum, square }, i) => {
    const mean = sum / REPEATS;
    return { k: KS[i], mean, spread: Math.sqrt(Math.max(0, (square - REPEATS * mean * mean) / (REPEATS - 1))) };
  });
}

// Of one x: exact, of q, and of z. `best` is worked out where the words ask for it.
function numbersOf(state, { decoder, nodes, between }) {
  const x = observed(state);
  const exact = posterior(between, x);
  if (state.follows === "yes") Object.assign(state, bestGaussian(decoder, x, exact));
  const q = { m: state.m, s: state.s };
  return {
    x, exact, q, tops: humps(exact),
    log_evidence: logEvidence(nodes, x),
    ...elbo(decoder, x, q),
    gap: gap(decoder, x, q, exact.logNormaliser),
    log_likelihood: decoder.logLikelihood(x, state.z),
  };
}

// The draws from q: the weights of the first K, and the bound for each K over the repeats.
function weighed(state, { decoder }, { x, q, log_evidence }, eps) {
  const logs = logWeights(decoder, x, q, eps);
  const own = logs.subarray(0, state.k);
  return {
    z: Array.from(eps.subarray(0, state.k), (one) => q.m + q.s * one),
    logs: own,
    bound: importanceWeightedBound(own),
    effective: effectiveDraws(own),
    ...reachOf(decoder, x, q, log_evidence),
    bounds: boundsOf(logs),
  };
}

// The highest density of the posterior within each of so many columns from low to high.
function heights({ z, step, logDensity }, [low, high], columns) {
  const found = new Float64Array(columns).fill(-Infinity);
  for (let i = 0; i < z.length; i++) {
    const column = Math.floor(((z[i] - low) / (high - low)) * columns);
    if (column >= 0 && column < columns && logDensity[i] > found[column]) found[column] = logDensity[i];
  }
  return found.map(Math.exp);
}
