// Replays again while a slider moves: the form's address is fetched, and its results take the place of those on the screen. As long as some
// are under way, an event stream tells when there is more; closing it, as leaving the page does, ends them.
"use strict";

{
  const form = document.querySelector("form.replay");
  const PAUSE = 180; // ms without a movement after which the form is sent
  const RETRY = 1500; // ms after which it is sent again if no answer came
  const tab = (sessionStorage.alfineTab ||= Math.random().toString(36).slice(2));

  let source = null;
  let followed = "";
  let sent = null;
  let waiting = 0;

  function address() {
    const query = new URLSearchParams(new FormData(form));
    if (!query.get("criteria") && query.has("use")) query.delete("criteria");
    return `${location.pathname}?${query}`;
  }

  function withTab(path) {
    return `${path}${path.includes("?") ? "&" : "?"}tab=${tab}`;
  }

  async function show() {
    sent?.abort();
    const own = new AbortController();
    sent = own;
    const path = address();
    try {
      const answer = await fetch(withTab(path), { signal: own.signal });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("results");
      if (!fresh) throw new Error(answer.statusText);
      const before = document.getElementById("results");
      const focus = focusIn(before);
      before.replaceWith(fresh);
      focus(fresh);
      history.replaceState(null, "", path);
      follow();
    } catch {
      // A later movement has taken its place, or the server is away: it is asked again.
      if (!own.signal.aborted) setTimeout(() => { if (sent === own) show(); }, RETRY);
    }
  }

  function follow() {
    const events = document.getElementById("results").dataset.events;
    if (source && events === followed) return;
    source?.close();
    followed = events;
    source = events ? new EventSource(withTab(events)) : null;
    source?.addEventListener("open", show); // what has ended before it was open
    source?.addEventListener("changed", show);
  }

  function moved(event) {
    const field = event.target;
    const twin = field.dataset.slides ? form.elements[field.dataset.slides] : form.querySelector(`[data-slides="${field.name}"]`);
    if (twin) twin.value = field.value;
    const use = field.closest("fieldset")?.querySelector("[name=use]");
    if (use && field !== use) use.checked = true;
    clearTimeout(waiting);
    waiting = setTimeout(show, PAUSE);
  }

  for (const slider of form.querySelectorAll("[data-slides]")) {
    slider.closest("label").hidden = false;
    slider.value = form.elements[slider.dataset.slides].value;
  }
  form.addEventListener("input", moved);
  form.addEventListener("submit", (event) => { event.preventDefault(); show(); });
  addEventListener("pagehide", () => { source?.close(); source = null; });
  follow();
}
