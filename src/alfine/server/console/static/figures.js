// Draws the figures of a page when they come into view, and again when their tuning job has news. What draws them (vega.js) evaluates
// no text as code: expressions are interpreted (ast), so that the page's policy can forbid that. Where it isn't installed, the server's
// drawing is put into the page.
"use strict";

const dark = matchMedia("(prefers-color-scheme: dark)");
const LEAST_PAUSE = 5000; // ms between two drawings of a running job
const [LEAST_PANEL, MOST_PANEL, PANEL_AXIS] = [180, 420, 92]; // px of a slice, and beside it for its axis
const TITLE_INSET = 24; // px on both sides of a title, which begins at the left of its figure
const LEGEND_COLUMN = 260; // px of an entry of a legend, which stands below its figure
const seen = new Set();

function fitted(spec, width) {
  // Figures, with their axes and labels, are as wide as the page lets them; slices stand in as many columns as fit.
  if (spec.concat) {
    const most = Math.max(1, Math.floor(width / (LEAST_PANEL + PANEL_AXIS)));
    const rows = Math.ceil(spec.concat.length / most);
    spec.columns = Math.ceil(spec.concat.length / rows);
    for (const each of spec.concat) each.width = Math.min(MOST_PANEL, Math.floor(width / spec.columns) - PANEL_AXIS);
  } else if (typeof spec.width === "number") {
    spec.width = Math.max(290, Math.min(1110, width));
    spec.autosize = { type: "fit-x", contains: "padding" };
  }
  spec.config.legend = { ...spec.config.legend, orient: "bottom", columns: Math.max(1, Math.floor(width / LEGEND_COLUMN)) };
  spec.title.frame = "bounds";
  for (const [key, letter] of [["text", 8.8], ["subtitle", 6.4]]) {
    spec.title[key] = wrapped([spec.title[key]].flat().join(" "), Math.floor((width - TITLE_INSET) / letter));
  }
  return spec;
}

function wrapped(text, letters) {
  const lines = [""];
  for (const word of text.split(" ")) {
    if (lines.at(-1) && lines.at(-1).length + word.length >= letters) lines.push("");
    lines.push(`${lines.pop()} ${word}`.trim());
  }
  return lines;
}

function asked(figure, kind, more) {
  const address = new URL(`${figure.dataset.figure}.${kind}?${figure.dataset.query}`, location.href);
  for (const [key, value] of Object.entries(more)) address.searchParams.set(key, value);
  return fetch(address);
}

async function draw(figure) {
  const place = figure.querySelector(".drawing");
  if (place.querySelector("p")) place.firstElementChild.textContent = "Being drawn …";
  const live = typeof alfineEmbed === "function";
  const more = live ? (dark.matches ? { theme: "dark" } : {}) : { inside: 1, width: place.clientWidth };
  const answer = await asked(figure, live ? "json" : "svg", more);
  if (!answer.ok) {
    place.textContent = "This figure can't be drawn now.";
    return;
  }
  if (!live) {
    place.replaceChildren(new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("svg"));
    return;
  }
  const spec = fitted(await answer.json(), place.clientWidth);
  spec.background = "transparent";
  const options = { ast: true, actions: false, renderer: "canvas", defaultStyle: false, tooltip: { disableDefaultStyle: true } };
  await alfineEmbed(place, spec, options);
  place.setAttribute("aria-label", `${figure.getAttribute("aria-label")}. ${[spec.title.text].flat().join(" ")}`);
}

const watcher = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (isIntersecting && !seen.has(target)) {
      seen.add(target);
      draw(target);
    }
  }
}, { rootMargin: "200px" });

const figures = [...document.querySelectorAll("figure[data-figure]")];
figures.forEach((figure) => watcher.observe(figure));

let next = 0;
let waiting = 0;

async function redraw() {
  waiting = 0;
  const begun = performance.now();
  for (const figure of seen) await draw(figure);
  next = performance.now() + Math.max(LEAST_PAUSE, 4 * (performance.now() - begun));
}

document.addEventListener("alfine:changed", () => {
  waiting ||= setTimeout(redraw, Math.max(0, next - performance.now()));
});
dark.addEventListener("change", redraw);
