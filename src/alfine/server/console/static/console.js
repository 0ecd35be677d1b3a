// Keeps a page up to date: when the server says that something changed, the page's parts marked data-live are fetched, and those that
// changed take the place of those on the screen. The digests of what is there are sent along; a part with one of them comes back empty,
// marked data-same (live_parts.py). Without this script pages show the same, as of their loading.
"use strict";

const SHORTEST = 700; // ms between two fetches
const RETRY = 1500; // ms after a fetch that failed: of what has ended no further event may come
const body = document.body;

function localTimes(root) {
  const format = new Intl.DateTimeFormat([], { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
  for (const each of root.querySelectorAll("time[datetime]")) {
    each.textContent = format.format(new Date(each.dateTime)).replace(",", "");
  }
}

const STOPS = "a[href], button, input, select, textarea, summary, [tabindex]"; // what the Tab key comes to

function focusIn(part) {
  // What stands for the focused element of a part in the one that takes its place: the same link, or the same one of its stops.
  const focused = part.contains(document.activeElement) ? document.activeElement : null;
  if (!focused) return () => {};
  const [href, at] = [focused.getAttribute("href"), [...part.querySelectorAll(STOPS)].indexOf(focused)];
  return (fresh) => {
    const same = href ? fresh.querySelector(`a[href="${CSS.escape(href)}"]`) : [...fresh.querySelectorAll(STOPS)][at];
    same?.focus({ preventScroll: true });
  };
}

function taken(from) {
  // Parts that didn't change stay, with their focus and what is selected in them.
  for (const part of document.querySelectorAll("[data-live]")) {
    const fresh = from.getElementById(part.id);
    if (!fresh) {
      if (part.dataset.pending !== undefined) part.remove(); // there is nothing to say after all
      continue;
    }
    localTimes(fresh);
    if (fresh.dataset.same !== undefined || fresh.outerHTML === part.outerHTML) continue;
    if (part.dataset.keyed !== undefined) {
      rowsTaken(part, fresh);
      continue;
    }
    const open = new Set([...part.querySelectorAll("details[open][id]")].map((each) => each.id));
    const places = [...part.querySelectorAll(".scroll")].map((each) => each.scrollLeft);
    for (const each of fresh.querySelectorAll("details[id]")) each.open = open.has(each.id);
    const focus = focusIn(part);
    part.replaceWith(fresh);
    fresh.querySelectorAll(".scroll").forEach((each, index) => { each.scrollLeft = places[index] || 0; });
    focus(fresh);
  }
}

function rowsTaken(table, from) {
  // Only rows that changed are replaced: what has the focus, or is selected, in another one stays as it is.
  const had = new Map([...table.rows].map((row) => [row.id, row]));
  let place = null; // the row after which the next one stands
  for (const row of [...from.rows]) {
    const before = had.get(row.id);
    had.delete(row.id);
    const same = row.dataset.same !== undefined || before?.outerHTML === row.outerHTML;
    const next = same ? before : row;
    const focus = before && !same ? focusIn(before) : () => {};
    if (before && !same) {
      const ticked = [...before.querySelectorAll("input:checked")].map((each) => each.value);
      for (const each of row.querySelectorAll("input[type=checkbox]")) each.checked = ticked.includes(each.value);
      before.replaceWith(row);
    }
    const after = place ? place.nextElementSibling : table.firstElementChild;
    if (next !== after) table.insertBefore(next, after);
    focus(next);
    place = next;
  }
  for (const row of had.values()) row.remove();
}

const MOST_SHOWN = 1 << 20; // characters of a log that is followed; its beginning goes
let following = true;

function appended(log, text) {
  const find = log.dataset.find?.toLowerCase();
  let rest = text;
  for (let at; find && (at = rest.toLowerCase().indexOf(find)) >= 0; rest = rest.slice(at + find.length)) {
    const mark = document.createElement("mark");
    mark.textContent = rest.slice(at, at + find.length);
    log.append(rest.slice(0, at), mark);
  }
  log.append(rest);
  for (let over = log.textContent.length - MOST_SHOWN; over > 0 && log.childNodes.length > 1; ) {
    over -= log.firstChild.textContent.length;
    log.firstChild.remove();
  }
}

async function grown() {
  const log = document.querySelector("[data-log]");
  while (log && following) {
    const answer = await fetch(`${log.dataset.log}?begin=${log.dataset.end}`);
    if (!answer.ok) return;
    const text = await answer.text();
    log.dataset.end = answer.headers.get("x-alfine-end");
    if (!text) return;
    const atEnd = log.scrollTop + log.clientHeight > log.scrollHeight - 8;
    appended(log, text);
    document.getElementById("log-note")?.remove();
    if (atEnd) log.scrollTop = log.scrollHeight;
  }
}

const follows = document.getElementById("follow");
if (follows) {
  follows.hidden = false; // without this script nothing is followed
  follows.addEventListener("click", async () => {
    following = !following;
    follows.textContent = following ? "Pause" : "Follow";
    follows.setAttribute("aria-pressed", following);
    await grown();
    const log = document.querySelector("[data-log]");
    if (following && log) log.scrollTop = log.scrollHeight;
  });
}

let wanted = false;
let busy = false;

async function refresh() {
  wanted = true;
  if (busy) return;
  busy = true;
  while (wanted) {
    wanted = false;
    const begun = performance.now();
    let failed = true;
    try {
      const has = [...document.querySelectorAll("[data-digest]")].map((each) => each.dataset.digest).join(" ");
      const answer = await fetch(location.href, { headers: { accept: "text/html", "x-alfine-has": has } });
      if (answer.redirected && !answer.url.startsWith(location.href.split("#")[0])) return location.reload();
      const text = await answer.text();
      failed = answer.status >= 500;
      if (answer.ok) {
        const page = new DOMParser().parseFromString(text, "text/html");
        const ended = !page.body.dataset.events && body.dataset.events;
        await grown();
        if (ended && following) return location.reload(); // its buttons are others now
        taken(page);
        document.dispatchEvent(new CustomEvent("alfine:changed"));
      }
    } catch { /* the server is away: it is asked again */ }
    const pause = failed ? RETRY : Math.max(SHORTEST, 4 * (performance.now() - begun)); // a slow page isn't asked for all the time
    await new Promise((done) => setTimeout(done, pause));
    wanted ||= failed && !document.hidden;
  }
  busy = false;
}

let source = null;

function follow() {
  if (!body.dataset.events || source || document.hidden) return;
  source = new EventSource(body.dataset.events);
  const mark = document.getElementById("live");
  source.addEventListener("changed", refresh);
  source.onopen = () => { mark.hidden = false; refresh(); }; // what changed before it was open
  source.onerror = () => { mark.hidden = true; };
}

// A page that nobody looks at holds no connection: browsers have six for a server.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    source?.close();
    source = null;
  } else {
    if (body.dataset.events) refresh();
    follow();
  }
});
addEventListener("pagehide", () => { source?.close(); source = null; });

// The Escape key closes a menu, and what opened it has the focus again.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const open = [...document.querySelectorAll("details.confirm[open], .table-tools details[open]")];
  const menu = open.find((each) => each.contains(document.activeElement)) ?? open.at(-1);
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});

if (navigator.clipboard) { // only over https and on this machine
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      button.textContent = "Copied";
    });
  }
}

localTimes(document);
const log = document.querySelector("[data-log]");
const match = document.getElementById("match");
if (match) match.scrollIntoView({ block: "center" });
else if (log) log.scrollTop = log.scrollHeight;
follow();
