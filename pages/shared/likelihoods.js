// p(x|z,w) of ONE pixel under each decoder, by the keys of vae_core/likelihoods.py; a test holds every number here
// against torch. In each entry
//   f         the pixel's raw outputs: [a], or [μ, ln σ²] where the decoder learns a σ
//   settings  what was chosen before training: { sigma }, { variance_floor }, { scale }; { levels } of a mass on levels
//   support   where x may lie, as Support in vae_core/likelihoods.py: what follows from it, pages ask of the functions below
//   link, parameters, width   how f[0] becomes a parameter, what f is called then, and what is said beside it
//   slope     d ln p / d f, one a raw output; `on_floor` where there is a floor
//   sample    by draw = { uniform(), normal() }: one of them once, so that held chance moves with f
//   say, worked   words for a page, the numbers written by `number`; worked: the lines of a calculation, HTML
//   loss, height  where x may lie outside the support, what −ln p is called then; what p of a value of a mass is called

const LN_2PI = Math.log(2 * Math.PI);
const sigmoid = (a) => 1 / (1 + Math.exp(-a)); // as exact near 0 for −a as it is near 1 for a
const softplus = (a) => Math.max(a, 0) + Math.log1p(Math.exp(-Math.abs(a))); // ln(1 + e^a)

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
};
const [A, X, V, MU, SIGMA] = ['<i class="a">a</i>', '<i class="x">x</i>', '<i class="v">ln σ²</i>', "<i>μ</i>", "<i>σ</i>"];

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
      if (slopeOfV !== undefined) lines.push(`slope in ln σ²: ½ − ½ (${X} − ${MU})²/${SIGMA}² = <b>${text(-slopeOfV)}</b>`);
      return lines;
    },
    ...more,
  };
}

const floored = (f, { variance_floor }) => Math.max(f[1], Math.log(variance_floor));

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
  gaussian_learned: gaussian(floored, {
    parameters: ["μ", "ln σ²"],
    on_floor: (f, settings) => f[1] <= Math.log(settings.variance_floor),
    slope(f, x, settings) {
      const precision = Math.exp(-floored(f, settings));
      const below = f[1] < Math.log(settings.variance_floor); // then σ² does not move with f
      return [(x - f[0]) * precision, below ? 0 : 0.5 * (x - f[0]) ** 2 * precision - 0.5];
    },
    worked_sigma: (f, settings, sigma) =>
      `${V} = ${text(f[1])}<br>${SIGMA}² = max(e<sup>${text(f[1])}</sup>, ${settings.variance_floor}), so ${SIGMA} = <b>${sigma}</b>`,
  }),
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
};

// What follows from the support -----------------------------------------------------------------------------------------

// The values of a mass; null for a density.
function valuesOf({ support }, { levels }) {
  if (support === "boolean") return [0, 1];
  return support === "levels" ? Array.from({ length: levels }, (_, k) => k / (levels - 1)) : null;
}
const same = (x, y) => Math.abs(x - y) < 1e-6; // one of them may have come as a float32
// Whether p gives x a mass or a density. Where not, −ln p may be a usable loss, but ln p is the log of nothing.
function supports(likelihood, x, settings) {
  const values = valuesOf(likelihood, settings);
  if (values) return values.some((value) => same(value, x));
  return likelihood.support === "real" || (x >= 0 && x <= 1);
}
// The exact share of draws outside [0,1].
function outside(likelihood, f, settings) {
  return likelihood.support === "real" ? likelihood.cdf(f, 0, settings) + 1 - likelihood.cdf(f, 1, settings) : 0;
}
// The height of the tallest bar, or of the curve.
function peak(likelihood, f, settings) {
  const places = valuesOf(likelihood, settings) ?? [0, likelihood.mean(f, settings), 1];
  return Math.exp(Math.max(...places.map((x) => likelihood.log_prob(f, x, settings))));
}
