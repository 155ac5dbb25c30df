// A symbol and what it stands for light each other. Whatever carries data-lights="sigma" (or several names, apart by
// spaces) is lit below the same root while the pointer or the focus is on one of that name.
const LIT = new WeakSet(); // the roots that listen already

function lighting(root) {
  if (LIT.has(root)) return;
  LIT.add(root);
  const names = (target) => target?.closest?.("[data-lights]")?.dataset.lights.split(" ") ?? [];
  const light = (lit) => {
    for (const one of root.querySelectorAll("[data-lights]")) {
      one.classList.toggle("lit", one.dataset.lights.split(" ").some((name) => lit.includes(name)));
    }
  };
  for (const kind of ["pointerover", "focusin"]) root.addEventListener(kind, (event) => light(names(event.target)));
  for (const kind of ["pointerleave", "focusout"]) root.addEventListener(kind, () => light([]));
}
