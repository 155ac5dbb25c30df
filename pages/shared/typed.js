// A box for the number that a picture is about: it follows every move, and what is typed moves the picture as soon as it is
// an allowed number. `next(value, way)`: where an arrow key leads, up (1) or down (-1); `tell` at rest.
function typed(box, value, set, next, tell) {
  const refill = () => (box.value = value());
  box.oninput = () => {
    if (box.checkValidity()) set(Number(box.value));
  };
  box.onchange = () => (refill(), tell()); // what was refused goes
  box.onkeydown = (event) => {
    const way = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (event.key === "Enter" && !box.reportValidity()) event.preventDefault();
    if (!way) return; // every other key is the browser's
    event.preventDefault();
    set(next(value(), way));
    refill();
  };
  box.onkeyup = (event) => {
    if (event.key.startsWith("Arrow")) tell();
  };
}
