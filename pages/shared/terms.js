// The meaning of a term where it stands: words.py links each term of a page to #words, with its meaning as the title.
// One listener on the document serves them all, however often Streamlit draws them anew. Hover and focus show a
// meaning for as long as they last; a click, a tap or Enter keeps it until the next one elsewhere, or Escape.

const TERM = 'a[href$="#words"]:is([title], [aria-description])';
const MARGIN = 8; // px that stay free at the edges of the window

export default function ({ parentElement }) {
  const box = parentElement.querySelector(".meaning");
  let shown = null; // the link
  let kept = false;

  function show(link, keep) {
    if (link.title) { // else the browser shows it as well, a second later
      link.setAttribute("aria-description", link.title);
      link.removeAttribute("title");
    }
    box.firstElementChild.textContent = link.getAttribute("aria-description");
    [shown, kept] = [link, keep];
    box.showPopover();
    place();
  }

  function hide() {
    [shown, kept] = [null, false];
    box.hidePopover();
  }

  function place() { // below the end of the term, or above its beginning; its padding touches it, so a pointer can cross
    if (!shown) return;
    if (!shown.isConnected) return hide();
    const lines = shown.getClientRects();
    const [first, last] = [lines[0], lines[lines.length - 1]];
    const fits = last.bottom + box.offsetHeight <= innerHeight || first.top < box.offsetHeight;
    box.style.top = `${fits ? last.bottom : first.top - box.offsetHeight}px`;
    const furthest = document.documentElement.clientWidth - box.offsetWidth - MARGIN;
    box.style.left = `${Math.max(MARGIN, Math.min((fits ? last : first).left, furthest))}px`;
  }

  const termOf = (event) => event.composedPath()[0].closest?.(TERM);
  const within = (event) => event.composedPath().includes(box);
  const listeners = {
    pointerover(event) {
      const link = termOf(event);
      if (link && link !== shown) show(link, false);
      else if (shown && !kept && !link && !within(event) && !shown.matches(":focus-visible")) hide();
    },
    focusin(event) {
      const link = termOf(event);
      if (link && link !== shown) show(link, false);
    },
    focusout(event) {
      if (termOf(event) === shown && !kept) hide();
    },
    click(event) {
      const link = termOf(event);
      if (link) event.preventDefault(); // #words is at the end of the page
      if (link && !(kept && link === shown)) show(link, true);
      else if (shown && !within(event)) hide();
    },
    keydown(event) {
      if (event.key === "Escape" && shown) hide();
    },
    scroll: place,
  };
  const listen = Object.entries(listeners);
  parentElement.stop?.(); // called again when the theme changes
  listen.forEach(([name, listener]) => document.addEventListener(name, listener, true));
  window.addEventListener("resize", place);
  return (parentElement.stop = () => {
    listen.forEach(([name, listener]) => document.removeEventListener(name, listener, true));
    window.removeEventListener("resize", place);
  });
}
