// Rows of small images: painted from sheets of grey levels, with the one that is pointed at marked everywhere.

// A canvas that shows `rows` rows of `columns` images, and what marks one of them, and one of its pixels.
function strip(parent, { kind, alt, rows = 1, columns = 6, lights }) {
  const frame = document.createElement("div");
  frame.className = "strip";
  Object.assign(frame.dataset, { kind, lights });
  frame.style.aspectRatio = `${columns} / ${rows}`;
  const canvas = document.createElement("canvas");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", alt);
  const mark = document.createElement("div");
  mark.className = "mark";
  frame.append(canvas, mark);
  parent.append(frame);
  return { frame, canvas, mark, kind, rows, columns };
}

// `sheet` has a line of one pixel between its images; `scale` gives each grey level its colour.
function paintSheet(one, sheet, side, scale) {
  const { canvas, rows } = one;
  canvas.style.visibility = sheet ? "visible" : "hidden";
  if (!sheet || one.painted === sheet.grey) return;
  one.painted = sheet.grey;
  const { width, grey } = sheet;
  const height = Math.min(sheet.height, rows * (side + 1) - 1);
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height, image: null });
  const context = (canvas.context ??= canvas.getContext("2d"));
  const image = (canvas.image ??= context.createImageData(width, height));
  const words = (image.words ??= new Uint32Array(image.data.buffer));
  for (let at = 0, y = 0; y < height; y++) {
    const between = y % (side + 1) === side;
    for (let x = 0; x < width; x++, at++) words[at] = between || x % (side + 1) === side ? 0 : scale[grey[at]];
  }
  context.putImageData(image, 0, 0);
}

// Which image of a strip, and which pixel of it, lies under the pointer.
function under(one, event, side) {
  const box = one.frame.getBoundingClientRect();
  const across = clamp((event.clientX - box.left) / box.width, 0, 0.9999) * one.columns;
  const down = clamp((event.clientY - box.top) / box.height, 0, 0.9999) * one.rows;
  const [column, row] = [Math.floor(across), Math.floor(down)];
  const [x, y] = [Math.floor((across - column) * side), Math.floor((down - row) * side)];
  return { image: row * one.columns + column, pixel: y * side + x };
}

// Put the mark of a strip around an image, and, where a pixel is given, around that as well.
function markImage(one, image, pixel, side) {
  const shown = image >= 0 && image < one.rows * one.columns && one.painted;
  one.mark.style.display = shown ? "" : "none";
  if (!shown) return;
  const [column, row] = [image % one.columns, Math.floor(image / one.columns)];
  const place = (element, left, top, width, height) =>
    Object.assign(element.style, { left: `${left}%`, top: `${top}%`, width: `${width}%`, height: `${height}%` });
  place(one.mark, (100 * column) / one.columns, (100 * row) / one.rows, 100 / one.columns, 100 / one.rows);
  one.pixel ??= one.mark.appendChild(document.createElement("div"));
  one.pixel.className = "pixel";
  one.pixel.style.display = pixel >= 0 ? "" : "none";
  if (pixel >= 0) place(one.pixel, (100 * (pixel % side)) / side, (100 * Math.floor(pixel / side)) / side, 100 / side, 100 / side);
}
