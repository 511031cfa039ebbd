// Theme switch, explanations and keyboard shortcuts of every page. Pages also work without scripts.
"use strict";

const byId = (id) => document.getElementById(id);

/** Store a string in localStorage; errors are ignored if the browser blocks storage. */
const kept = {
  get: (name) => { try { return localStorage.getItem(name); } catch { return null; } },
  set: (name, value) => {
    try { if (value === null) localStorage.removeItem(name); else localStorage.setItem(name, value); } catch { /* see above */ }
  },
};

// --- theme: system, light, dark, system …
const THEMES = ["system", "light", "dark"];
const themeButton = byId("theme");

function showTheme() {
  const now = document.documentElement.dataset.theme || "system";
  const next = THEMES[(THEMES.indexOf(now) + 1) % THEMES.length];
  themeButton.dataset.now = now;
  themeButton.setAttribute("aria-label", `Theme: ${now}. Switch to ${next}`);
  themeButton.title = `Theme: ${now}`;
}

function nextTheme() {
  const root = document.documentElement;
  const next = THEMES[(THEMES.indexOf(root.dataset.theme || "system") + 1) % THEMES.length];
  if (next === "system") delete root.dataset.theme; else root.dataset.theme = next;
  kept.set("theme", next === "system" ? null : next);
  showTheme();
}

// --- rows: the current one has the class "here"; Enter opens its link
const rows = () => [...document.querySelectorAll("table.rows tbody tr")].filter((row) => row.querySelector("a[href]"));
const linkOf = (row) => row.querySelector("a.open") || row.querySelector("a[href]");
const here = () => document.activeElement?.closest?.("table.rows tbody tr") || document.querySelector("tr.here");

function move(by) {
  const all = rows();
  if (!all.length) return false;
  const now = all.indexOf(here());
  const next = now < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, now + by));
  for (const row of all) row.classList.toggle("here", row === all[next]);
  linkOf(all[next]).focus({ preventScroll: true });
  all[next].scrollIntoView({ block: "nearest" });
  return true;
}

function mark() {
  const box = here()?.querySelector("input[type=checkbox]");
  if (!box) return false;
  box.click();
  return true;
}

// --- keys
function find() {
  const box = byId("find");
  box.focus();
  box.select();
}

function goTo(key) {
  document.querySelector(`nav a[data-key="${CSS.escape(key)}"]`)?.click();
}

function follow(rel) {
  const link = document.querySelector(`a[rel~="${rel}"]`);
  link?.click();
  return Boolean(link);
}

const KEYS = {
  "/": find,
  "?": () => byId("keys").showModal(),
  j: () => move(1), ArrowDown: () => (here() ? move(1) : false),
  k: () => move(-1), ArrowUp: () => (here() ? move(-1) : false),
  c: mark,
  n: () => follow("next"), p: () => follow("prev"),
};
let waiting = 0; // deadline for the second key of a shortcut such as "g r", in ms

function pressed(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.closest?.("input:not([type=checkbox]):not([type=radio]), select, textarea, dialog");
  if (typing) {
    if (event.key === "Escape" && !event.target.closest("dialog")) event.target.blur();
    return;
  }
  if (event.timeStamp < waiting) {
    waiting = 0;
    goTo(event.key);
    return;
  }
  if (event.key === "g") {
    waiting = event.timeStamp + 1500;
    return;
  }
  if (event.key === "Enter" && event.target === document.body && here()) linkOf(here()).click();
  const act = KEYS[event.key];
  if (act && act() !== false) event.preventDefault();
}

// --- explanations: a tooltip is also shown by a tap or click, and when the keyboard focuses a header or a sign
const CONTROLS = "a, button, input, select, textarea, summary, label";
const explanation = document.createElement("p");
explanation.id = "explanation";
explanation.role = "tooltip";
explanation.popover = "auto"; // closes on Escape and on a click elsewhere
let explained = null; // the element whose tooltip is shown
document.body.append(explanation);

const tooltipOf = (element) => element.getAttribute("title") || element.querySelector(":scope > title")?.textContent;

/** Show the tooltip of an element, or of the nearest element around it that has one. */
function explain(element) {
  while (element && !element.matches(CONTROLS) && !tooltipOf(element)) element = element.parentElement;
  if (!element || element.matches(CONTROLS)) return;
  explained = element;
  explanation.textContent = tooltipOf(element);
  explanation.showPopover();
  placeExplanation();
}

function placeExplanation() {
  if (!explanation.matches(":popover-open")) return;
  if (!explained.isConnected) { explanation.hidePopover(); return; }
  const { left, top, bottom } = explained.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = explanation;
  const { clientWidth, clientHeight } = document.documentElement;
  explanation.style.left = `${Math.max(8, Math.min(left, clientWidth - width - 8))}px`;
  explanation.style.top = `${bottom + height + 8 < clientHeight ? bottom + 6 : Math.max(8, top - height - 6)}px`;
}

function makeFocusable() {
  for (const element of document.querySelectorAll("th[title], abbr[title], .explained")) element.tabIndex = 0;
}

makeFocusable();
document.addEventListener("live:updated", () => { makeFocusable(); placeExplanation(); });
document.addEventListener("click", (event) => explain(event.target));
document.addEventListener("focusin", ({ target }) => { if (target.matches("[title][tabindex]:focus-visible")) explain(target); });
document.addEventListener("focusout", () => explanation.hidePopover());
document.addEventListener("scroll", placeExplanation, { capture: true, passive: true });

themeButton.addEventListener("click", nextTheme);
byId("help").addEventListener("click", () => byId("keys").showModal());
byId("keys").addEventListener("click", (event) => { if (event.target === event.currentTarget) event.target.close(); });
document.addEventListener("keydown", pressed);
showTheme();
