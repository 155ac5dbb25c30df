// The steps of the tour for a class: one at a time, in large type, each with its figure. All of them are here, so that a
// key answers at once; the server hears which one is shown.

const NEXT = ["ArrowRight", "PageDown"]; // what presenters send
const BACK = ["ArrowLeft", "PageUp"];
const USES_KEYS = // what has the focus and turns by arrows itself
  "input, textarea, select, [contenteditable], :is([role=radio], [role=slider], [role=tab], [role^=menu], [role=listbox])";
const SLIDES = new WeakMap();

export default function ({ data, parentElement, setStateValue }) {
  const own = SLIDES.get(parentElement) ?? mount(parentElement);
  SLIDES.set(parentElement, own);
  own.data = data;
  own.tell = (at) => setStateValue("at", (own.told = at + 1));
  if (own.told === undefined) own.at = data.at - 1;
  else if (own.told === data.at) own.told = undefined; // heard; until then, what was pressed meanwhile stays
  own.at = clamp(own.at, 0, data.slides.length - 1);
  draw(own);
  document.addEventListener("keydown", own.onkey);
  return () => document.removeEventListener("keydown", own.onkey);
}

function mount(parent) {
  const find = (selector) => parent.querySelector(selector);
  const own = { find };
  const go = (by) => {
    const at = clamp(own.at + by, 0, own.data.slides.length - 1);
    if (at === own.at) return;
    own.at = at;
    draw(own);
    own.tell(at);
  };
  own.onkey = (event) => {
    const by = NEXT.includes(event.key) ? 1 : BACK.includes(event.key) ? -1 : 0;
    const other = event.composedPath()[0].closest?.(USES_KEYS) || event.defaultPrevented;
    if (!by || other || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey || !parent.isConnected) return;
    event.preventDefault(); // the page stays where it is
    go(by);
  };
  find(".back").onclick = () => go(-1);
  find(".next").onclick = () => go(1);
  return own;
}

function draw({ find, data, at }) {
  const slide = data.slides[at];
  find(".place").textContent = `${at + 1} of ${data.slides.length}`;
  find("h2").textContent = slide.name;
  find(".words").replaceChildren(...inline(slide.words));
  find(".back").disabled = at === 0;
  find(".next").disabled = at === data.slides.length - 1;
  const picture = find(".picture");
  picture.replaceChildren();
  find("figcaption").textContent = slide.caption ?? "";
  if (slide.rows) picture.append(rows(slide));
  if (slide.pixel) pixel(picture, slide.pixel, find("figcaption"));
}

// Markdown as far as the steps have it: **strong**, *emphasis* and `code`.
function inline(text) {
  return text.split(/(\*\*[^*]+\*\*|\*[^*]+\*|`[^`]+`)/).map((piece) => {
    const kind = /^\*\*.+\*\*$/.test(piece) ? "strong" : /^\*.+\*$/.test(piece) ? "em" : /^`.+`$/.test(piece) ? "code" : "";
    if (!kind) return document.createTextNode(piece);
    return make(kind, piece.replace(/^(\*\*|\*|`)|(\*\*|\*|`)$/g, ""));
  });
}

function make(tag, text = "", attributes = {}) {
  return Object.assign(document.createElement(tag), { textContent: text }, attributes);
}

function rows({ rows, columns }) {
  const grid = make("div", "", { className: "rows" });
  if (columns?.length) {
    const heads = make("div", "", { className: "columns" });
    heads.append(...columns.map((name) => make("span", name)));
    grid.append(heads);
  }
  for (const { name, src, alt } of rows) grid.append(make("span", name), make("img", "", { src, alt }));
  return grid;
}

function pixel(parent, { key, a, x, settings, colour }, caption) {
  const likelihood = LIKELIHOODS[key];
  const decoder = { likelihood, settings, colour, peak: peak(likelihood, [a], settings) };
  const svg = part(parent, `${key} ${a} ${x}`, "svg", { viewBox: "0 0 300 160", role: "img" });
  svg.setAttribute("aria-label", height([a], x, decoder));
  parent.append(svg);
  (valuesOf(likelihood, settings) ? bars : curve)(svg, [a], x, decoder);
  caption.textContent += ` Here ${height([a], x, decoder)}.`;
}
