// Touch on a surface with `touch-action: pan-y`: what begins sideways drags, whichever way it then goes, and so does what
// rests first; what begins up or down scrolls the page, and draggable() calls cancel().

const REST = 250; // milliseconds
const SLIP = 8; // pixels that a resting finger may move

function holdable(surface) {
  let timer = 0;
  let from = null;
  const rest = (yes) => {
    clearTimeout(timer);
    surface.classList.toggle("rested", yes);
  };
  surface.ontouchstart = (event) => {
    from = event.touches[0];
    rest(false);
    timer = setTimeout(rest, REST, true);
  };
  surface.ontouchmove = (event) => {
    const { clientX, clientY } = event.touches[0];
    if (surface.classList.contains("rested")) event.preventDefault(); // the page stays where it is
    else if (Math.hypot(clientX - from.clientX, clientY - from.clientY) > SLIP) clearTimeout(timer);
  };
  surface.ontouchend = surface.ontouchcancel = () => rest(false);
}
