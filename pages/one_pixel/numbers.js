// What One pixel computes and says of a state: { decoder, a, log_var, x, z, activation, settings, ... }, as Python sends it.

const N_DRAWS = 200;
const ACTIVATIONS = { sigmoid, relu: (x) => Math.max(x, 0), gelu: (x) => x * normalCdf(x) };

// a - w0 of the tiny network.
function network({ wide, bias, out }, activation, z) {
  const h = ACTIVATIONS[activation];
  return wide.reduce((sum, weight, k) => sum + out[k] * h(weight * z + bias[k]), 0);
}

const likelihoodOf = ({ decoder }) => LIKELIHOODS[decoder];
const rawOf = (state) => [state.a, state.log_var].slice(0, likelihoodOf(state).parameters.length);
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
    slopes: likelihood.slope(f, state.x, settings).map((slope) => 0 - slope), // of the loss
    outside: outside(likelihood, f, settings),
    share: draws.filter((x) => x < 0 || x > 1).length / N_DRAWS,
  };
}

// What the axes span: chosen when nothing is held, so that they stand still while something is dragged.
function frames(state) {
  const [likelihood, f] = [likelihoodOf(state), rawOf(state)];
  if (likelihood.support === "boolean") return { a: [-6, 6], x: [-0.3, 1.3], p: [0, 1], loss: [0, 6.5], network: [-6, 6] };
  const [mean, reach] = [likelihood.mean(f, state.settings), 2.5 * likelihood.stddev(f, state.settings)];
  const spans = [[-1, 2], [-3, 4], [-10, 11]];
  const near = spans.find(([low, high]) => low <= mean - reach && mean + reach <= high) ?? spans[2];
  const a = likelihood.link === LINKS.identity ? near : [-6, 6];
  const tallest = peak(likelihood, f, state.settings);
  const top = [0.05, 0.2, 0.5, 1.5, 5, 10, 15, 20].find((tick) => tallest < tick * 0.95) ?? 20;
  const losses = (name, range) => places(range).map((value) => loss({ ...state, [name]: value }));
  const [overA, overSecond] = [losses("a", a), losses("log_var", state.limits.log_var)];
  const [least, lowest, most] = [Math.min(...overA), Math.min(...overSecond), Math.max(overA[0], overA.at(-1))];
  const lossFrames = { loss: [least - 0.06 * (most - least), most], second: [lowest - 1, lowest + 6] };
  const x = likelihood.support === "real" ? near : [-0.3, 1.3];
  return { a, x, p: [0, top], network: a[0] === -1 ? spans[1] : a, ...lossFrames };
}

const percent = (share) => (share > 0 && share < 0.0005 ? "less than 0.1 %" : `${(100 * share).toFixed(1)} %`);
const nameOfLoss = (state) => likelihoodOf(state).loss ?? ["loss", "a loss"];

// Every text that changes, by the name of its place in the HTML.
function sentences({ state, now, bias, times }) {
  const { link, parameters, support, width } = likelihoodOf(state);
  const [density, lost, p] = [isDensity(state), isLoss(state), Math.exp(now.log_prob)];
  let note = "";
  if (lost)
    note =
      `x = ${text(state.x, 2)} is ${support === "boolean" ? "neither 0 nor 1" : "none of its values"}, and this distribution gives ` +
      `it no mass. The formula still gives a number, minus ${nameOfLoss(state)[1]}: a usable loss, but not the log of a probability.`;
  else if (now.on_floor)
    note = `σ² is at its floor of ${state.settings.variance_floor}: the network asks for less and does not get it. The slope in ln σ² is 0.`;
  else if (density && now.log_prob > 0)
    note = "ln p is above 0, because a density may exceed 1. Only areas under it are probabilities.";
  const [white, within] = [now.draws.filter(Boolean).length / N_DRAWS, "Outside [0,1]: none, and none can be."];
  return {
    network: `z = ${text(state.z, 2)} → a = ${text(state.a)}; last bias w₀ = ${text(bias)}`,
    link:
      `${parameters[0]} = ${link.formula} = ${text(link.of(state.a))}: ` +
      [link.says, ...(width ? [width(rawOf(state), state.settings)] : [])].join("; "),
    height: lost
      ? `x = ${text(state.x, 2)} has no height here: no mass on grey`
      : `height p = ${text(p)}${density ? " per unit of grey" : ", a probability"}, ln p = ${text(now.log_prob)} nats`,
    loss: `${lost ? nameOfLoss(state)[0] : "−ln p"} = ${text(-now.log_prob)} nats, slope ${text(now.slopes[0])} per unit of a`,
    second: parameters[1] ?? "",
    "loss of second": parameters[1] ? `slope ${text(now.slopes[1])} per unit of ${parameters[1]}` : "",
    badge: lost ? "a loss here, not ln p" : `ln of a probability ${density ? "density" : "mass"}, nats`,
    note,
    draws: {
      real: `Outside [0,1]: ${percent(now.share)} of these dots (red squares). Exact probability: ${percent(now.outside)}.`,
      boolean: `White: ${percent(white)} of these dots. Exact probability: ${percent(now.mean)}. ${within}`,
    }[support] ?? within,
    again: `Draws number ${times}. From z = ${text(state.z, 2)} the network makes a = ${text(state.a)} every time; only the draws differ.`,
  };
}
