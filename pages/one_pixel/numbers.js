// What One pixel computes and says of a state, as Python sends it: { decoder, a, x, z, activation, settings, ... }, and in
// `second` the name of what is set beside a: log_var, log_scale or v; "" where there is none.

const N_DRAWS = 200;
const ACTIVATIONS = { sigmoid, relu: (x) => Math.max(x, 0), gelu: (x) => x * normalCdf(x) };

// a - w0 of the tiny network.
function network({ wide, bias, out }, activation, z) {
  const h = ACTIVATIONS[activation];
  return wide.reduce((sum, weight, k) => sum + out[k] * h(weight * z + bias[k]), 0);
}

const likelihoodOf = ({ decoder }) => LIKELIHOODS[decoder];
// A decoder with a logit a level gets them from a and v, by a fixed last layer: f_k = a x_k − v cos 4πx_k.
const bumps = (x) => -Math.cos(4 * Math.PI * x);
const spread = (state) => likelihoodOf(state).link.joint && valuesOf(likelihoodOf(state), state.settings);
function rawOf(state) {
  const levels = spread(state);
  if (levels) return levels.map((x) => state.a * x + state.v * bumps(x));
  return state.second ? [state.a, state[state.second]] : [state.a];
}
// From d/df of each logit to d/da and d/dv.
function slopesOf(state, slopes) {
  const [levels, sum] = [spread(state), (weight) => slopes.reduce((total, slope, k) => total + slope * weight(levels[k]), 0)];
  return levels ? [sum((x) => x), sum(bumps)] : slopes;
}
const symbolOf = (state) => (state.second === "v" ? "v" : likelihoodOf(state).parameters[1]); // of the second
// The first parameter, at another a; of a softmax the π of the level where x is.
function parameterAt(state, a) {
  const { link } = likelihoodOf(state);
  return link.joint ? link.of(rawOf({ ...state, a }))[levelOf(state.x, state.settings.levels)] : link.of(a);
}
const parameterName = (state) =>
  likelihoodOf(state).link.joint ? `π of level ${levelOf(state.x, state.settings.levels)}` : likelihoodOf(state).parameters[0];
const isDensity = (state) => !valuesOf(likelihoodOf(state), state.settings);
const isLoss = (state) => !supports(likelihoodOf(state), state.x, state.settings);
// -ln p(x|z), nats; on an x outside the support only a loss.
const loss = (state) => -likelihoodOf(state).log_prob(rawOf(state), state.x, state.settings);

function numbers(state, noise) {
  const [likelihood, f, settings] = [likelihoodOf(state), rawOf(state), state.settings];
  const draws = noise.map((draw) => likelihood.sample(f, settings, draw));
  return {
    draws,
    mean: likelihood.mean(f, settings),
    stddev: likelihood.stddev(f, settings),
    on_floor: likelihood.on_floor?.(f, settings) ?? false,
    log_prob: -loss(state),
    slopes: slopesOf(state, likelihood.slope(f, state.x, settings)).map((slope) => 0 - slope), // of the loss
    normaliser: normaliser(state),
    outside: outside(likelihood, f, settings),
    share: draws.filter((x) => x < 0 || x > 1).length / N_DRAWS,
  };
}

// Where p needs C(λ) on a grey pixel: the area under λ^x (1−λ)^(1−x) without it, C, and the area with it, by Simpson's rule.
function normaliser({ decoder, a, x }) {
  if (decoder !== "continuous_bernoulli" && (decoder !== "bernoulli" || same(x, 0) || same(x, 1))) return null;
  const [area, steps, density] = [areaWithoutC(a), 400, LIKELIHOODS.continuous_bernoulli.log_prob];
  const weights = (i) => (i % steps ? 2 + 2 * (i % 2) : 1) / (3 * steps);
  const withC = Array.from({ length: steps + 1 }, (_, i) => weights(i) * Math.exp(density([a], i / steps)));
  return { area, c: 1 / area, with: withC.reduce((sum, one) => sum + one) };
}

// What the axes span: chosen when nothing is held, so that they stand still while something is dragged.
function frames(state) {
  const [likelihood, f, settings] = [likelihoodOf(state), rawOf(state), state.settings];
  const above = (tallest, ticks) => ticks.find((tick) => tallest < tick * 0.95) ?? ticks.at(-1);
  const area = [0, above(peak(LIKELIHOODS.continuous_bernoulli, [state.a], {}), [1.5, 3, 6.5])];
  if (likelihood.support === "boolean") return { a: [-6, 6], x: [-0.3, 1.3], p: [0, 1], loss: [0, 6.5], network: [-6, 6], area };
  const [mean, reach] = [likelihood.mean(f, settings), 2.5 * likelihood.stddev(f, settings)];
  const [low, high] = [Math.min(mean - reach, state.a), Math.max(mean + reach, state.a)];
  const spans = [[-1, 2], [-3, 4], [-10, 11]];
  const near = spans.find((span) => span[0] <= low && high <= span[1]) ?? spans[2];
  const a = likelihood.link === LINKS.identity ? near : [-6, 6];
  const ticks = valuesOf(likelihood, settings) ? [0.1, 0.2, 0.5, 1] : [0.05, 0.2, 0.5, 1.5, 5, 10, 15, 20];
  const top = above(peak(likelihood, f, settings), ticks);
  const losses = (name, range) => places(range).map((value) => loss({ ...state, [name]: value }));
  const overA = losses("a", a);
  const [least, most] = [Math.min(...overA), Math.max(overA[0], overA.at(-1))];
  const lowest = state.second ? Math.min(...losses(state.second, state.limits[state.second])) : 0;
  const lossFrames = { loss: [least - 0.06 * (most - least), most], second: [lowest - 1, lowest + 6] };
  const x = likelihood.support === "real" ? near : [-0.3, 1.3];
  return { area, a, x, p: [0, top], network: a[0] === -1 ? spans[1] : a, ...lossFrames };
}

const percent = (share) => (share > 0 && share < 0.0005 ? "less than 0.1 %" : `${(100 * share).toFixed(1)} %`);
const nearest = ({ x, settings }) => levelOf(x, settings.levels) / (settings.levels - 1);
// The x that p is asked for: of a mass on levels the nearest level.
const usedOf = (state) => (likelihoodOf(state).support === "levels" ? nearest(state) : state.x);
const levelUsed = (state) => `level ${levelOf(state.x, state.settings.levels)}, x = ${text(nearest(state))}`;
const nameOfLoss = (state) => likelihoodOf(state).loss ?? ["loss", "a loss"];

// The calculation, line by line; of logits, also back through the layer that made them.
function worked(state, now) {
  const lines = likelihoodOf(state).worked(rawOf(state), state.x, state.settings);
  if (!spread(state)) return lines;
  const [x, bump] = [nearest(state), bumps(nearest(state))];
  return [
    `<i>f<sub>k</sub></i> = ${A} <i>x<sub>k</sub></i> − <i class="v">v</i> cos 4π<i>x<sub>k</sub></i>, <i>x<sub>k</sub></i> = <i>k</i>/${state.settings.levels - 1}`,
    ...lines.slice(0, 2),
    `slope in a: mean − ${X} = ${text(now.mean)} − ${text(x)} = <b>${text(now.slopes[0])}</b>`,
    `slope in v: cos 4π${X} − Σ<sub>k</sub> π<sub>k</sub> cos 4π<i>x<sub>k</sub></i> = ${text(-bump)} ${minus(-bump - now.slopes[1])} = <b>${text(now.slopes[1])}</b>`,
  ];
}

// Every text that changes, by the name of its place in the HTML.
function sentences({ state, now, bias, times }) {
  const { link, support } = likelihoodOf(state);
  const [name, second, width] = [parameterName(state), state.second && symbolOf(state), likelihoodOf(state).width?.(rawOf(state), state.settings)];
  const [density, lost, p] = [isDensity(state), isLoss(state), Math.exp(now.log_prob)];
  let note = "";
  if (lost)
    note =
      `x = ${text(state.x, 2)} is neither 0 nor 1, and this distribution gives it no mass. The formula still gives a number, minus ${nameOfLoss(state)[1]}: a usable loss, but not the log of a probability.`;
  else if (now.on_floor)
    note = `σ² is at its floor of ${state.settings.variance_floor}: the network asks for less and does not get it. The slope in ln σ² is 0.`;
  else if (density && now.log_prob > 0)
    note = "ln p is above 0, because a density may exceed 1. Only areas under it are probabilities.";
  else if (support === "levels" && Math.abs(state.x - nearest(state)) > 0.006)
    note = `x = ${text(state.x, 2)} is none of its ${state.settings.levels} levels: the nearest one, ${text(nearest(state))}, is meant.`;
  const [white, within] = [now.draws.filter(Boolean).length / N_DRAWS, "Outside [0,1]: none, and none can be."];
  return {
    network: `z = ${text(state.z, 2)} → a = ${text(state.a)}; last bias w₀ = ${text(bias)}`,
    link:
      `${name} = ${link.joint ? "softmax(f)" : link.formula} = ${text(parameterAt(state, state.a))}: ` +
      [link.says, ...(width ? [width] : [])].join("; "),
    height: lost
      ? `x = ${text(state.x, 2)} has no height here: no mass on grey`
      : support === "levels"
        ? `${levelUsed(state)}: p = ${text(p)}, ln p = ${text(now.log_prob)} nats`
        : `height p = ${text(p)}${density ? " per unit of grey" : ", a probability"}, ln p = ${text(now.log_prob)} nats`,
    loss: `${lost ? nameOfLoss(state)[0] : "−ln p"} = ${text(-now.log_prob)} nats, slope ${text(now.slopes[0])} per unit of a`,
    second: second || "",
    "loss of second": second ? `slope ${text(now.slopes[1])} per unit of ${second}${state.shared ? ", a weight of its own: z does not move it" : ""}` : "",
    normaliser: now.normaliser && `area ${text(now.normaliser.area)} without C, ${text(now.normaliser.with)} with C(λ) = ${text(now.normaliser.c)}`,
    badge: lost ? "a loss here, not ln p" : `ln of a probability ${density ? "density" : "mass"}, nats`,
    note,
    draws: {
      real: `Outside [0,1]: ${percent(now.share)} of these dots (red squares). Exact probability: ${percent(now.outside)}.`,
      levels: `On the level where x is: ${percent(now.draws.filter((one) => means(likelihoodOf(state), state.x, one, state.settings)).length / N_DRAWS)} of these dots. Exact probability: ${percent(p)}. ${within}`,
      boolean: `White: ${percent(white)} of these dots. Exact probability: ${percent(now.mean)}. ${within}`,
    }[support] ?? within,
    again: `Draws number ${times}. From z = ${text(state.z, 2)} the network makes a = ${text(state.a)} every time; only the draws differ.`,
  };
}
