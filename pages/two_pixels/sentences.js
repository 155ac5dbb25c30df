// What the picture of two pixels says of itself; every number in it is computed.

const SAME = 1e-6; // nats: below it the gap is said to be 0

const key = (kind, text) => `<span class="key ${kind}">${text}</span>`;
const plural = (n, one) => `${n} ${one}${n === 1 ? "" : "s"}`;

function sentences(own, now) {
  const p = isGaussian(own.state) ? "p" : "P"; // a density, or a mass
  return {
    sum: `${key("truth", `ln ${p}(x|w)`)} <b>${shown(now.log_evidence, 4)}</b> = ${key("elbo", "ELBO")} <b>${shown(now.elbo, 4)}</b> + ${key("gap", "gap")} <b>${shown(now.gap, 4)}</b> nats`,
    terms: `ELBO = ${key("reconstruction", `E<sub>q</sub>[ln ${p}(x|z,w)]`)} ${shown(now.reconstruction, 4)} − ${key("kl", "KL(q‖p(z))")} ${shown(now.kl, 4)}`,
    verdict: verdict(own, now),
    given: given(own, now),
    ...weights(own, now),
  };
}

// Three digits, and a power of ten where it is small.
function height(log) {
  let power = Math.floor(log / Math.LN10);
  if (power > -3) return Math.exp(log).toPrecision(3);
  if (log / Math.LN10 - power > Math.log10(9.995)) power += 1; // it is rounded to 1.00
  return `${Math.exp(log - power * Math.LN10).toFixed(2)}·10${[...String(power)].map((sign) => "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"["0123456789-".indexOf(sign)]).join("")}`;
}

const amount = (nats) => (nats < 1e-4 ? "less than 0.0001" : shown(nats, 4));

// Whether the posterior is a Gaussian, how many humps it has, and what of the gap no Gaussian can close.
function verdict(own, now) {
  const { tops, exact } = now;
  const left = bestOf(own, now).gap;
  const [isBest, two] = [now.gap - left < SAME, tops.length > 1];
  if (isGaussianShaped(exact))
    return isBest ? "q is the posterior, which is a Gaussian here: the gap is 0." : `The posterior is a Gaussian here: the best q closes the gap. This q leaves ${amount(now.gap)} nats.`;
  const humps = two ? `The posterior has ${tops.length} humps, at z = ${tops.map((z) => shown(z, 2)).join(" and ")}, and no Gaussian has two. Even the` : "The posterior has one hump, and is no Gaussian: the";
  return `${humps} best q leaves a gap of ${amount(left)} nats${isBest ? ", and this is it." : `; this q leaves ${amount(now.gap)}.`}`;
}

// The best q of this x under this decoder, worked out once for both.
function bestOf(own, now) {
  const { decoder } = own.model;
  if (own.best?.decoder !== decoder || own.best.x.join() !== now.x.join()) {
    const q = own.state.follows === "yes" ? now.q : bestGaussian(decoder, now.x, now.exact);
    own.best = { decoder, x: now.x, q, gap: gap(decoder, now.x, q, now.exact.logNormaliser) };
  }
  return own.best;
}

function given({ state, model }, now) {
  const z = `z = ${shown(state.z, 2)}`;
  if (isGaussian(state))
    return `At this one ${key("z", z)} the blob's height at x is p(x|z,w) = ${height(now.log_likelihood)}, and its log is ln p(x|z,w) = <b>${shown(now.log_likelihood, 4)}</b> nats.`;
  const [one, two] = model.decoder.probabilities(state.z);
  const { masses, first, second, covariance, information } = model.corners;
  return (
    `At ${key("z", z)}: P(1,1|z) = λ₁λ₂ = ${shown(one)} × ${shown(two)} = ${shown(one * two)}: independent. ln P(x|z,w) = <b>${shown(now.log_likelihood, 4)}</b> nats. ` +
    `z not known: P(1,1) − P(x₁=1)P(x₂=1) = ${shown(masses[3])} − ${shown(first)} × ${shown(second)} = <b>${shown(covariance)}</b>, mutual information <b>${shown(information, 4)}</b> nats: dependent.`
  );
}

const [FEW, MUCH] = [0.05, 0.02]; // of the draws; of the posterior

function weights({ state, draws }, now) {
  const here = draws.bounds[KS.indexOf(state.k)];
  const counts =
    state.k === 1
      ? `ln of this draw's weight is ${shown(draws.bound)}.`
      : `These ${state.k} draws are worth ${shown(draws.effective, 1)} equally weighted ones; ln of the average weight is ${shown(draws.bound)}.`;
  const percent = (share) => (share > 0.9995 ? "Over 99.9 %" : `${shown(100 * share, share < 0.1 ? 2 : 0)} %`);
  const tail = "A few draws that come seldom carry most of the average, and whether they are among these is luck. A q wide enough to reach all of the posterior helps, even where its gap is larger.";
  const blind = `${percent(draws.missed)} of the posterior lies where not one draw of q in a million falls. Without draws there the average weight is too low by that share.`;
  const beware = [draws.missed > MUCH && blind, draws.share < FEW && tail].filter(Boolean).join(" ");
  const below = now.log_evidence - here.mean;
  return {
    sticks: beware ? `${counts} <b>Beware:</b> ${beware}` : counts,
    bounds: `Over 200 repeats with K = ${state.k}: mean ${shown(here.mean)}, ${Math.abs(below) < 5e-4 ? "at" : `${shown(Math.abs(below))} nats ${below < 0 ? "above" : "below"}`} ln ${isGaussian(state) ? "p" : "P"}(x|w) (standard error ${shown(here.spread / Math.sqrt(REPEATS))}); spread ±${shown(here.spread)}.`,
  };
}
