// Rows of small images, all in one picture, with a name beside each row and a heading above each column.

export default function ({ data, parentElement }) {
  const find = (selector) => parentElement.querySelector(selector);
  const texts = (selector, values) =>
    find(selector).replaceChildren(
      ...values.map((text) => {
        const made = document.createElement("span");
        made.textContent = text;
        return made;
      }),
    );
  texts(".rows", data.rows);
  texts(".columns", data.columns);
  find(".columns").style.gridTemplateColumns = `repeat(${data.columns.length || 1}, minmax(0, 1fr))`;
  find(".sheet").style.maxWidth = `${data.width}px`;
  Object.assign(find("img"), { src: data.src, alt: data.alt });
}
