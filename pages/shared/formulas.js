// p(x|z,w) of a whole image under each decoder, as HTML whose symbols light their figures (lighting.js): "mean" the
// picture of means, "sigma" that of σ, "x" the image, "z" what was decoded.
const symbol = (lights, text, sub = "d") => `<i data-lights="${lights}">${text}${sub && `<sub>${sub}</sub>`}</i>`;
const [X_D, MEAN, SIGMA_D, LAMBDA_D] = [symbol("x", "x"), symbol("mean", "μ"), symbol("sigma", "σ"), symbol("mean", "λ")];
const LEFT = `p(${symbol("x", "x", "")}|${symbol("z", "z", "")},w) = `;
const PRODUCT = "∏<sub>d</sub> ";
const COIN = `${LAMBDA_D}<sup>${X_D}</sup>(1 − ${LAMBDA_D})<sup>1−${X_D}</sup>`;

const FORMULAS = {
  bernoulli: LEFT + PRODUCT + COIN,
  gaussian_identity: `${LEFT}N(${symbol("x", "x", "")}; ${symbol("mean", "μ", "")}, ${symbol("sigma", "σ", "")}² I)`,
  gaussian_learned: `${LEFT}${PRODUCT}N(${X_D}; ${MEAN}, ${SIGMA_D}²)`,
  laplace: `${LEFT}${PRODUCT}e<sup>−|${X_D}−${MEAN}|/b</sup> / 2b`,
  gaussian_shared: `${LEFT}N(${symbol("x", "x", "")}; ${symbol("mean", "μ", "")}, ${symbol("sigma", "σ", "")}(w)² I)`,
  continuous_bernoulli: LEFT + PRODUCT + `C<sub>d</sub> ${COIN}`,
  discretized_logistic: `${LEFT}${PRODUCT}S((x − ${MEAN})/${symbol("sigma", "s")}) <span class="ends"><sup>x<sub>d</sub>⁺</sup>|<sub>x<sub>d</sub>⁻</sub></span>`,
  categorical: `${LEFT}${PRODUCT}${symbol("mean", "π")}(${X_D})`,
};
