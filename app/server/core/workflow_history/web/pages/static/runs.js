// List of runs: short URLs, saved views, and two runs marked for comparison.
"use strict";

// --- omit empty fields from the URL
byId("filters")?.addEventListener("submit", (event) => {
  for (const field of event.target.elements) if (field.name && !field.value) field.disabled = true;
});
addEventListener("pageshow", () => {
  for (const field of byId("filters")?.elements ?? []) field.disabled = false;
});

// --- close an open menu on a click outside or on Escape
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && document.querySelector("details.menu[open]");
  if (menu) { menu.open = false; menu.querySelector("summary").focus(); }
});

/** Read a list from storage; empty if the stored value is missing or invalid. */
function keptList(name, store = kept) {
  try {
    const found = JSON.parse(store.get(name) ?? "[]");
    return Array.isArray(found) ? found : [];
  } catch { return []; }
}

function element(tag, attributes = {}, ...inside) {
  const made = Object.assign(document.createElement(tag), attributes);
  made.append(...inside);
  return made;
}

// --- saved views
const savedViews = () => keptList("views").filter((view) => typeof view?.name === "string" && /^\/(\?|$)/.test(view.address));
const hereNow = () => { // current URL without the page in the list
  const query = new URLSearchParams(location.search);
  query.delete("page");
  query.delete("after");
  return `/${query.size ? `?${query}` : ""}`;
};

function showViews() {
  const button = byId("save-view");
  for (const old of document.querySelectorAll("#views .own")) old.remove();
  for (const view of savedViews()) {
    const link = element("a", { href: view.address, textContent: view.name });
    if (view.address === hereNow()) link.setAttribute("aria-current", "page");
    const drop = element("button", { type: "button", className: "forget", textContent: "×", title: "Delete this view" });
    drop.setAttribute("aria-label", `Delete the view ${view.name}`);
    drop.addEventListener("click", () => {
      kept.set("views", JSON.stringify(savedViews().filter((each) => each.name !== view.name)));
      showViews();
    });
    button?.before(element("span", { className: `chip own${view.address === hereNow() ? " on" : ""}` }, link, drop));
  }
}

byId("save-view")?.addEventListener("click", () => byId("name-view").showModal());
byId("name-view").addEventListener("close", (event) => {
  const name = byId("view-name").value.trim();
  if (event.target.returnValue !== "save" || !name) return;
  const others = savedViews().filter((view) => view.name !== name);
  kept.set("views", JSON.stringify([...others, { name, address: hereNow() }]));
  event.target.returnValue = byId("view-name").value = "";
  showViews();
});

// --- comparison of two runs; marks survive paging
const tab = {
  get: (name) => { try { return sessionStorage.getItem(name); } catch { return null; } },
  set: (name, value) => { try { sessionStorage.setItem(name, value); } catch { /* then marks only last for this page */ } },
};
let marked = keptList("marked", tab).filter((name) => typeof name === "string").slice(0, 2);
const boxes = () => [...document.querySelectorAll("table.runs .mark input")];

function showMarked() {
  for (const box of boxes()) box.checked = marked.includes(box.value);
  const bar = byId("compare");
  const clear = element("button", { type: "button", className: "quiet", textContent: "Clear" });
  clear.addEventListener("click", () => remember([]));
  const names = marked.map((name) => element("bdi", { className: "mono", textContent: name }));
  if (names.length === 2) {
    const query = new URLSearchParams({ a: marked[0], b: marked[1] });
    bar.replaceChildren(names[0], "and", names[1], element("a", { className: "button main", href: `/compare?${query}`, textContent: "Compare" }), clear);
  } else {
    bar.replaceChildren(...names, "selected. Select one more run to compare.", clear);
  }
  bar.hidden = !marked.length;
}

function remember(names) {
  marked = names;
  tab.set("marked", JSON.stringify(marked));
  showMarked();
}

document.addEventListener("change", (event) => {
  if (!event.target.matches("table.runs .mark input")) return;
  const others = marked.filter((name) => name !== event.target.value);
  remember(event.target.checked ? [...others, event.target.value].slice(-2) : others);
});

showViews();
showMarked();
