// Small images on canvases: grey pixels for images, viridis for sigma, hard edges.

const VIRIDIS = [
  [68, 1, 84], [72, 40, 120], [62, 74, 137], [49, 104, 142], [38, 130, 142],
  [31, 158, 137], [53, 183, 121], [109, 205, 89], [180, 222, 44], [253, 231, 37],
]; // ten stops of the scale, linear between

// A colour of a scale that is linear between its stops, by its share of the way.
function blend(stops, share) {
  const at = clamp(share, 0, 1) * (stops.length - 1);
  const below = Math.min(stops.length - 2, Math.floor(at));
  return stops[below].map((from, c) => from + (at - below) * (stops[below + 1][c] - from));
}

const rgba = ([red, green, blue], alpha = 1) =>
  ((Math.round(alpha * 255) << 24) | (Math.round(blue) << 16) | (Math.round(green) << 8) | Math.round(red)) >>> 0;
const table = (stops) => Uint32Array.from({ length: 256 }, (_, level) => rgba(blend(stops, level / 255)));
const [GREYS, COLOURS] = [table([[0, 0, 0], [255, 255, 255]]), table(VIRIDIS)];

// Draw pixels (side × side) on a canvas of that size; level(value) says 0 to 255, and what is beyond is clipped.
function paint(canvas, side, pixels, level = (value) => 255 * value, scale = GREYS) {
  if (canvas.width !== side) canvas.width = canvas.height = side;
  const context = (canvas.context ??= canvas.getContext("2d"));
  const image = context.createImageData(side, side);
  const words = new Uint32Array(image.data.buffer);
  for (let d = 0; d < words.length; d++) words[d] = scale[Math.round(clamp(level(pixels[d]), 0, 255)) || 0];
  context.putImageData(image, 0, 0);
}

// Sigma from its floor (dark) to 1 (bright), on a log scale.
const paintSigma = (canvas, side, sigma, floor) =>
  paint(canvas, side, sigma, (value) => 255 * (1 - Math.log(value) / Math.min(Math.log(floor), -1e-6)), COLOURS);
