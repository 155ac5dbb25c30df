/* p(x|z,w) of ONE pixel under each decoder, by the keys of vae_core/likelihoods; a test holds every number here
   against torch.
Long because each density stands once, and side by side they can be compared. In each entry
     f         the pixel's raw outputs: [a]; [μ, ln σ²] or [μ, ln s] where a spread is learned; a logit a level
     settings  what was chosen before training: { sigma }, { variance_floor }, { scale }; { levels } of a mass on levels
     support   where x may lie, as Support in vae_core/likelihoods: what follows from it, pages ask of the functions below
     link, parameters, width   how f[0] becomes a parameter, what f is called then, and what is said beside it; where all
               of f becomes one parameter together, `link.of` takes all of it
     slope     d ln p / d f, one a raw output; `on_floor` where there is a floor
     sample    by draw = { uniform(), normal() }: one of them once, so that held chance moves with f
     say, worked   words for a page, the numbers written by `number`; worked: the lines of a calculation, HTML
     loss, height  where x may lie outside the support, what −ln p is called then; what p of a value of a mass is called */

const LN_2PI = Math.log(2 * Math.PI);
const sigmoid = (a) => 1 / (1 + Math.exp(-a)); // as exact near 0 for −a as it is near 1 for a
const softplus = (a) => Math.max(a, 0) + Math.log1p(Math.exp(-Math.abs(a))); // ln(1 + e^a)

const logSumExp = (f) => {
  const most = f.reduce((a, b) => Math.max(a, b));
  return most + Math.log(f.reduce((sum, one) => sum + Math.exp(one - most), 0));
};
function softmax(f) {
  const total = logSumExp(f);
  return Array.from(f, (one) => Math.exp(one - total));
}

// The standard normal's share below t: 1/2 + phi(t) (t + t^3/3 + t^5/15 + ...), exact to rounding (Marsaglia 2004).
function normalCdf(t) {
  if (Math.abs(t) > 8) return t > 0 ? 1 : 0;
  let sum = t;
  for (let term = t, odd = 3; sum + term !== sum; odd += 2) sum += term *= (t * t) / odd;
  return Math.min(1, Math.max(0, 0.5 + sum * Math.exp(-0.5 * t * t - 0.5 * LN_2PI))); // rounding may go beyond
}

const LINKS = {
  sigmoid: { of: sigmoid, formula: "sigmoid(a)", says: "always between 0 and 1" },
  identity: { of: (a) => a, formula: "a", says: "used as it is" },
  softmax: { of: softmax, formula: "softmax(f)", says: "all above 0, and together 1", joint: true },
};
const [A, X, V, S] = [["a", "a"], ["x", "x"], ["v", "ln σ²"], ["v", "ln s"]].map(([kind, name]) => `<i class="${kind}">${name}</i>`);
const [MU, SIGMA, LAMBDA] = ["<i>μ</i>", "<i>σ</i>", "<i>λ</i>"];

// Three digits and a true minus sign, powers of ten where that would show nothing but zeros.
function text(value, digits = 3) {
  const tiny = value !== 0 && Math.abs(value) < 0.5 * 10 ** -digits;
  return (tiny ? value.toExponential(1) : (value + 0).toFixed(digits)).replaceAll("-", "−");
}
const given = (value) => String(Number(value.toFixed(6))).replace("-", "−"); // 0.5, not 0.500000
// What a line of a calculation puts in: with so many digits that they give the result shown.
const exact = (value) => text(value, 6);
const inBrackets = (value, write = exact) => (value < 0 ? `(${write(value)})` : write(value));
const minus = (value) => `${value < 0 ? "+" : "−"} ${exact(Math.abs(value))}`;

// N(μ, σ²), where v(f, settings) is ln σ²; `more` is what differs.
function gaussian(v, more) {
  const stddev = (f, settings) => Math.exp(0.5 * v(f, settings));
  return {
    support: "real", link: LINKS.identity, mean: (f) => f[0], stddev,
    width: (f, settings) => `σ = ${text(stddev(f, settings))}`,
    log_prob: (f, x, settings) => -0.5 * ((x - f[0]) ** 2 * Math.exp(-v(f, settings)) + v(f, settings) + LN_2PI),
    slope: (f, x, settings) => [(x - f[0]) * Math.exp(-v(f, settings))],
    cdf: (f, x, settings) => normalCdf((x - f[0]) / stddev(f, settings)),
    sample: (f, settings, draw) => f[0] + stddev(f, settings) * draw.normal(),
    entropy: (f, settings) => 0.5 * (1 + LN_2PI + v(f, settings)),
    say: (f, settings, number) => `N(μ_d = ${number(f[0])}, σ_d² = ${number(stddev(f, settings))}²)`,
    worked(f, x, settings) {
      const [variance, half] = [Math.exp(v(f, settings)), 0.5 * (v(f, settings) + LN_2PI)];
      const log_prob = this.log_prob(f, x, settings);
      const [slope, slopeOfV] = this.slope(f, x, settings);
      const lines = [
        `${MU} = ${A} = <b>${text(f[0])}</b>, ${this.worked_sigma(f, settings, text(stddev(f, settings)))}`,
        `ln p(x|z,w) = −½ (${X} − ${MU})²/${SIGMA}² − ½ ln 2π${SIGMA}²` +
          `<br>= −½ (${given(x)} − ${inBrackets(f[0], given)})²/${Number(variance.toPrecision(7))} − ${inBrackets(half)}` +
          `<br>= ${exact(log_prob + half)} ${minus(half)} = <b>${text(log_prob)}</b> nats`,
        `slope in a: (${MU} − ${X})/${SIGMA}² = <b>${text(-slope)}</b>`,
      ];
      if (slopeOfV === 0 && f[1] < v(f, settings)) lines.push("slope in ln σ²: <b>0</b>, as σ² stays on its floor");
      else if (slopeOfV !== undefined) lines.push(`slope in ln σ²: ½ − ½ (${X} − ${MU})²/${SIGMA}² = <b>${text(-slopeOfV)}</b>`);
      return lines;
    },
    ...more,
  };
}

const floored = (f, { variance_floor }) => Math.max(f[1], Math.log(variance_floor));

// A Gaussian with ln σ² among its outputs, no less than its floor.
const learned = (more) =>
  gaussian(floored, {
    parameters: ["μ", "ln σ²"],
    on_floor: (f, settings) => f[1] <= Math.log(settings.variance_floor),
    slope(f, x, settings) {
      const precision = Math.exp(-floored(f, settings));
      const below = f[1] < Math.log(settings.variance_floor); // then σ² does not move with f
      return [(x - f[0]) * precision, below ? 0 : 0.5 * (x - f[0]) ** 2 * precision - 0.5];
    },
    worked_sigma: (f, settings, sigma) =>
      `${V} = ${text(f[1])}<br>${SIGMA}² = max(e<sup>${text(f[1])}</sup>, ${settings.variance_floor}), so ${SIGMA} = <b>${sigma}</b>`,
    ...more,
  });

// ln(sinh y / y) = y²/6 − y⁴/180 + ..., its slope coth y − 1/y and the slope of that: by their series near 0, where the
// formulas would lose their digits. Loaiza-Ganem & Cunningham 2019: the continuous Bernoulli's normaliser, mean, variance.
const LOG_SINHC = [0, 1 / 6, -1 / 180, 1 / 2835, -1 / 37800, 1 / 467775];
const LANGEVIN = LOG_SINHC.map((c, k) => 2 * k * c).slice(1);
const LANGEVIN_SLOPE = LANGEVIN.map((c, k) => (2 * k + 1) * c);
const series = (y, coefficients) => coefficients.reduceRight((sum, c) => sum * y * y + c, 0);
const logSinhc = (y) =>
  Math.abs(y) < 0.25 ? series(y, LOG_SINHC) : Math.abs(y) + Math.log(-Math.expm1(-2 * Math.abs(y)) / (2 * Math.abs(y)));
const langevin = (y) => (Math.abs(y) < 0.25 ? y * series(y, LANGEVIN) : 1 / Math.tanh(y) - 1 / y);
const langevinSlope = (y) => {
  const e = Math.exp(-2 * Math.abs(y));
  return Math.abs(y) < 0.25 ? series(y, LANGEVIN_SLOPE) : 1 / (y * y) - (4 * e) / (1 - e) ** 2;
};
// The area under λ^x (1−λ)^(1−x) on [0,1], which is 1/C(λ).
const areaWithoutC = (a) => Math.exp(a / 2 + logSinhc(a / 2) - softplus(a));

// Grey levels k/(n−1). x is read as the nearest one; its bin reaches half a level to each side, the outermost to ∞.
function levelOf(x, levels) {
  const [at, k] = [x * (levels - 1), Math.round(x * (levels - 1))];
  return clamp(k - at === 0.5 && k % 2 ? k - 1 : k, 0, levels - 1); // in the middle the even one, as torch rounds
}
const LEAST_LOG_SCALE = -9; // as in vae_core/likelihoods/levels.py
const logisticScale = (f) => Math.exp(Math.max(f[1], LEAST_LOG_SCALE));
const xLogX = (p) => (p > 0 ? p * Math.log(p) : 0);
function edges(f, x, levels) {
  const [k, s] = [levelOf(x, levels), logisticScale(f)];
  const at = (edge) => (edge / (levels - 1) - f[0]) / s;
  return [k > 0 ? at(k - 0.5) : -Infinity, k < levels - 1 ? at(k + 0.5) : Infinity];
}
// P(K >= k) under a logistic, 1/(1 + odds), the odds growing by one factor a level: from the first k > 0 where it is not
// 1 to the last where it is not 0. [how many levels k > 0 come before, those shares].
function reached(f, levels) {
  const [s, step, shares] = [logisticScale(f), 1 / (levels - 1), []];
  const first = clamp(Math.ceil((f[0] - 37 * s) / step - 0.5), 0, levels - 1);
  const ratio = Math.exp(step / s);
  let odds = Math.exp(((first + 0.5) * step - f[0]) / s);
  for (let k = first; k < levels - 1 && odds < 1e17; k++, odds *= ratio) shares.push(1 / (1 + odds));
  return [first, shares];
}
// Its mean and entropy where levels are many and lie close: sums over levels by Euler and Maclaurin, r = step/s.
function smoothMean(mu, s, step) {
  const [r, below, above] = [step / s, sigmoid(mu / s), sigmoid((mu - 1) / s)];
  const term = (u) => (r / 24) * u * (1 - u) - ((7 * r ** 3) / 5760) * u * (1 - u) * (1 - 6 * u * (1 - u));
  return s * (softplus(mu / s) - softplus((mu - 1) / s)) + step * (term(above) - term(below));
}
function smoothEntropy(mu, s, step) {
  const [t0, t1, r] = [(0.5 * step - mu) / s, (1 - 0.5 * step - mu) / s, step / s]; // the inner edges of the outermost bins
  const inner = (t) => {
    const [u, rest] = [sigmoid(t), sigmoid(-t)];
    return xLogX(u) - xLogX(rest) - 2 * u + (r * r * (rest - u) ** 3) / 144 + u * Math.log(r);
  };
  return inner(t0) - inner(t1) - xLogX(sigmoid(t0)) - xLogX(sigmoid(-t1));
}

const LIKELIHOODS = {
  bernoulli: {
    support: "boolean", link: LINKS.sigmoid, parameters: ["λ"],
    loss: ["BCE", "the binary cross-entropy"], // what −ln p is called on an x that is neither 0 nor 1
    mean: (f) => sigmoid(f[0]),
    stddev: (f) => Math.sqrt(sigmoid(f[0]) * sigmoid(-f[0])),
    log_prob: (f, x) => x * f[0] - softplus(f[0]),
    slope: (f, x) => [x - sigmoid(f[0])],
    cdf: (f, x) => (x < 0 ? 0 : x < 1 ? sigmoid(-f[0]) : 1),
    sample: (f, settings, draw) => (draw.uniform() < sigmoid(f[0]) ? 1 : 0),
    entropy: ([a]) => softplus(a) - a * sigmoid(a), // -λ ln λ - (1-λ) ln(1-λ) without the log of a rounded 0
    height: (x) => (x ? "λ_d" : "1 − λ_d"),
    say: (f, settings, number) => `Bernoulli with λ_d = ${number(sigmoid(f[0]))}`,
    worked([a], x) {
      const [lambda, name] = [sigmoid(a), x === 0 || x === 1 ? "ln p(x|z,w)" : "−BCE"];
      return [
        `<i>λ</i> = sigmoid(${A}) = 1/(1 + e<sup>−a</sup>) = 1/(1 + e<sup>${text(-a)}</sup>) = <b>${text(lambda)}</b>`,
        `${name} = ${X} ln <i>λ</i> + (1 − ${X}) ln(1 − <i>λ</i>)` +
          `<br>= ${given(x)} · (${exact(-softplus(-a))}) + ${given(1 - x)} · (${exact(-softplus(a))})` +
          ` = <b>${text(this.log_prob([a], x))}</b> nats`,
        `slope: <i>λ</i> − ${X} = ${exact(lambda)} − ${given(x)} = <b>${text(lambda - x)}</b>`,
      ];
    },
  },
  gaussian_identity: gaussian((f, { sigma }) => 2 * Math.log(sigma), {
    parameters: ["μ"],
    worked_sigma: (f, settings, sigma) =>
      `${SIGMA} = <b>${sigma}</b>, fixed: ${settings.sigma === 1 ? "identity covariance" : "covariance σ²I, not the identity"}`,
  }),
  gaussian_learned: learned({}),
  laplace: {
    support: "real", link: LINKS.identity, parameters: ["μ"], width: (f, { scale }) => `b = ${text(scale)}`,
    mean: (f) => f[0],
    stddev: (f, { scale }) => Math.SQRT2 * scale,
    log_prob: (f, x, { scale }) => -Math.abs(x - f[0]) / scale - Math.log(2 * scale),
    slope: (f, x, { scale }) => [Math.sign(x - f[0]) / scale], // 0 at the kink, as torch has it
    cdf: (f, x, { scale }) => (x < f[0] ? 0.5 * Math.exp((x - f[0]) / scale) : 1 - 0.5 * Math.exp((f[0] - x) / scale)),
    sample(f, { scale }, draw) {
      const u = draw.uniform();
      return f[0] + scale * (u < 0.5 ? Math.log(2 * u) : -Math.log(2 - 2 * u)); // where the cdf is u
    },
    entropy: (f, { scale }) => 1 + Math.log(2 * scale),
    say: (f, { scale }, number) => `Laplace(μ_d = ${number(f[0])}, b = ${number(scale)})`,
    worked(f, x, settings) {
      const [b, cost, log_prob] = [settings.scale, Math.log(2 * settings.scale), this.log_prob(f, x, settings)];
      return [
        `${MU} = ${A} = <b>${text(f[0])}</b>, <i>b</i> = <b>${text(b)}</b>, fixed`,
        `ln p(x|z,w) = −|${X} − ${MU}|/<i>b</i> − ln 2<i>b</i>` +
          `<br>= −|${given(x)} − ${inBrackets(f[0], given)}|/${given(b)} − ${inBrackets(cost)}` +
          `<br>= ${exact(log_prob + cost)} ${minus(cost)} = <b>${text(log_prob)}</b> nats`,
        `slope in a: sign(${MU} − ${X})/<i>b</i> = <b>${text(-this.slope(f, x, settings)[0])}</b>` +
          (x === f[0] ? ", taken as 0 at the kink" : ""),
      ];
    },
  },
  gaussian_shared: learned({
    width: (f, settings) => `σ = ${text(Math.exp(0.5 * floored(f, settings)))}, one for all pixels`,
    say: (f, settings, number) => `N(μ_d = ${number(f[0])}, σ² = ${number(Math.exp(0.5 * floored(f, settings)))}²), one σ for all pixels`,
  }),
  continuous_bernoulli: {
    support: "unit_interval", link: LINKS.sigmoid, parameters: ["λ"],
    width(f) { return `mean ${text(this.mean(f))}, not λ`; },
    mean: ([a]) => 0.5 + 0.5 * langevin(a / 2),
    stddev: ([a]) => 0.5 * Math.sqrt(langevinSlope(a / 2)),
    log_prob: ([a], x) => (x - 0.5) * a - logSinhc(a / 2),
    slope: ([a], x) => [x - 0.5 - 0.5 * langevin(a / 2)],
    cdf([a], x) {
      if (x <= 0 || x >= 1) return x <= 0 ? 0 : 1;
      if (Math.abs(a) < 1e-5) return x - 0.5 * a * x * (1 - x);
      return a < 0 ? Math.expm1(a * x) / Math.expm1(a) : (Math.exp(-a * (1 - x)) - Math.exp(-a)) / -Math.expm1(-a);
    },
    sample([a], settings, draw) { // where the cdf is u, from the side on which the density falls
      const [u, steep] = [draw.uniform(), Math.abs(a)];
      const falling = steep < 1e-5 ? u - 0.5 * steep * u * (1 - u) : -Math.log1p(u * Math.expm1(-steep)) / steep;
      return a > 0 ? 1 - falling : falling;
    },
    entropy: ([a]) => logSinhc(a / 2) - 0.5 * a * langevin(a / 2),
    say(f, settings, number) { return `a continuous Bernoulli with λ_d = ${number(sigmoid(f[0]))}, mean ${number(this.mean(f))}`; },
    worked([a], x, settings) {
      const [lambda, formula, log_prob] = [sigmoid(a), x * a - softplus(a), this.log_prob([a], x)];
      return [
        `${LAMBDA} = sigmoid(${A}) = <b>${text(lambda)}</b>, and ln C(${LAMBDA}) = ln(${A}/(1 − e<sup>−a</sup>)) − ln ${LAMBDA} = <b>${text(log_prob - formula)}</b>`,
        `ln p(x|z,w) = ${X} ln ${LAMBDA} + (1 − ${X}) ln(1 − ${LAMBDA}) + ln C(${LAMBDA})` +
          `<br>= ${exact(formula)} ${minus(formula - log_prob)} = <b>${text(log_prob)}</b> nats`,
        `slope: mean − ${X} = ${text(this.mean([a], settings))} − ${text(x, 2)} = <b>${text(-this.slope([a], x)[0])}</b>`,
      ];
    },
  },
  discretized_logistic: {
    support: "levels", link: LINKS.identity, parameters: ["μ", "ln s"],
    width: (f) => `s = ${text(logisticScale(f))}`,
    mean(f, { levels }) {
      const [s, step] = [logisticScale(f), 1 / (levels - 1)];
      if (levels > 32 && step <= s) return smoothMean(f[0], s, step);
      const [first, shares] = reached(f, levels);
      return shares.reduce((sum, p) => sum + p, first) * step;
    },
    stddev(f, { levels }) {
      const [, shares] = reached(f, levels); // the levels before the first move nothing but the mean
      const [sum, squares] = [shares.reduce((sum, p) => sum + p, 0), shares.reduce((sum, p, k) => sum + (2 * k + 1) * p, 0)];
      return Math.sqrt(Math.max(0, squares - sum * sum)) / (levels - 1);
    },
    log_prob(f, x, { levels }) {
      const [below, above] = edges(f, x, levels);
      return -softplus(-above) - softplus(below) + Math.log(-Math.expm1(below - above));
    },
    slope(f, x, { levels }) {
      const [[below, above], s] = [edges(f, x, levels), logisticScale(f)];
      const times = (t, share) => (Number.isFinite(t) ? t * share : 0); // an open end moves nothing
      const wide = above - below;
      const slopeOfS = times(below, sigmoid(below)) - times(above, sigmoid(-above)) - times(wide, 1 / Math.expm1(wide));
      return [(sigmoid(below) - sigmoid(-above)) / s, f[1] < LEAST_LOG_SCALE ? 0 : slopeOfS];
    },
    cdf(f, x, { levels }) {
      const k = Math.floor(x * (levels - 1) + 1e-6);
      return k < 0 ? 0 : k >= levels - 1 ? 1 : sigmoid(((k + 0.5) / (levels - 1) - f[0]) / logisticScale(f));
    },
    sample(f, { levels }, draw) {
      const u = draw.uniform();
      return levelOf(f[0] + logisticScale(f) * Math.log(u / (1 - u)), levels) / (levels - 1);
    },
    entropy(f, { levels }) {
      const [s, step] = [logisticScale(f), 1 / (levels - 1)];
      if (step <= 0.25 * s) return smoothEntropy(f[0], s, step);
      const [, shares] = reached(f, levels);
      return -shares.reduce((sum, p, k) => sum + xLogX((k ? shares[k - 1] : 1) - p), xLogX(shares.at(-1) ?? 0));
    },
    height: (x, { levels }) => `the mass on the bin of level ${levelOf(x, levels)}`,
    say(f, settings, number) {
      const spread = `μ_d = ${number(f[0])}, s_d = ${number(logisticScale(f))}`;
      return `a logistic on ${settings.levels} levels, ${spread}, mean ${number(this.mean(f, settings))}`;
    },
    worked(f, x, settings) {
      const [[below, above], log_prob, [slope, slopeOfS]] = [edges(f, x, settings.levels), this.log_prob(f, x, settings), this.slope(f, x, settings)];
      const end = (t) => (Number.isFinite(t) ? text(t) : t < 0 ? "−∞" : "∞");
      return [
        `${MU} = ${A} = <b>${text(f[0])}</b>, ${S} = ${text(f[1])}, so <i>s</i> = <b>${text(logisticScale(f))}</b>`,
        `ln p(x|z,w) = ln[S((${X}⁺ − ${MU})/<i>s</i>) − S((${X}⁻ − ${MU})/<i>s</i>)], S the sigmoid` +
          `<br>= ln[S(${end(above)}) − S(${end(below)})] = <b>${text(log_prob)}</b> nats`,
        `slope in a: <b>${text(-slope)}</b>, slope in ln s: <b>${text(-slopeOfS)}</b>`,
      ];
    },
  },
  categorical: {
    support: "levels", link: LINKS.softmax, parameters: ["π"],
    mean: (f) => softmax(f).reduce((sum, p, k) => sum + p * k, 0) / (f.length - 1),
    stddev(f) {
      const mean = this.mean(f);
      return Math.sqrt(softmax(f).reduce((sum, p, k) => sum + p * (k / (f.length - 1) - mean) ** 2, 0));
    },
    log_prob: (f, x) => f[levelOf(x, f.length)] - logSumExp(f),
    slope: (f, x) => softmax(f).map((p, k) => (k === levelOf(x, f.length) ? 1 : 0) - p),
    cdf: (f, x) => Math.min(1, softmax(f).reduce((sum, p, k) => (k / (f.length - 1) <= x + 1e-6 ? sum + p : sum), 0)),
    sample(f, settings, draw) {
      let left = draw.uniform();
      const k = softmax(f).findIndex((p) => (left -= p) < 0);
      return (k < 0 ? f.length - 1 : k) / (f.length - 1); // rounding may leave a crumb
    },
    entropy: (f) => -softmax(f).reduce((sum, p) => sum + xLogX(p), 0),
    height: (x, { levels }) => `π_d of level ${levelOf(x, levels)}${same(levelOf(x, levels) / (levels - 1), x) ? "" : ", the nearest"}`,
    say(f, settings, number) { return `a softmax over ${f.length} levels, mean ${number(this.mean(f))}`; },
    worked(f, x, settings) {
      const [k, total] = [levelOf(x, f.length), logSumExp(f)];
      return [
        `logits <i>f</i> = ${Array.from(f, (one) => text(one, 2)).join(", ")}`,
        `ln p(x|z,w) = <i>f<sub>${k}</sub></i> − ln Σ<sub>j</sub> e<sup><i>f<sub>j</sub></i></sup>, ${X} being level <i>k</i> = ${k}` +
          `<br>= ${exact(f[k])} ${minus(total)} = <b>${text(this.log_prob(f, x, settings))}</b> nats`,
        `slope in <i>f<sub>j</sub></i>: π<sub>j</sub>, less 1 at <i>j</i> = ${k}`,
      ];
    },
  },
};

// What follows from the support -----------------------------------------------------------------------------------------

// The values of a mass; null for a density.
function valuesOf({ support }, { levels }) {
  if (support === "boolean") return [0, 1];
  return support === "levels" ? Array.from({ length: levels }, (_, k) => k / (levels - 1)) : null;
}
const same = (x, y) => Math.abs(x - y) < 1e-6; // one of them may have come as a float32
// Whether p gives x a mass or a density. Where not, −ln p may be a usable loss, but ln p is the log of nothing.
function supports({ support }, x) {
  if (support === "boolean") return same(x, 0) || same(x, 1);
  return support === "real" || (x >= 0 && x <= 1); // on levels: the nearest one is meant
}
// Whether x stands for that value of a mass.
const means = (likelihood, x, value, { levels }) =>
  likelihood.support === "levels" ? levelOf(x, levels) === levelOf(value, levels) : same(x, value);
// The exact share of draws outside [0,1].
function outside(likelihood, f, settings) {
  return likelihood.support === "real" ? likelihood.cdf(f, 0, settings) + 1 - likelihood.cdf(f, 1, settings) : 0;
}
// The height of the tallest bar, or of the curve.
function peak(likelihood, f, settings) {
  const places = valuesOf(likelihood, settings) ?? [0, likelihood.mean(f, settings), 1];
  return Math.exp(Math.max(...places.map((x) => likelihood.log_prob(f, x, settings))));
}
