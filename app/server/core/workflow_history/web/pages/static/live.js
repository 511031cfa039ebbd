// Live updates of an open page: elements with data-live="name" are reloaded when the history changes, and the top
// bar shows the sync status. Pages also work without scripts. Elements with data-live-from="/path" are loaded from
// that URL; those with data-live-on="sync" are reloaded on sync events instead. After elements were replaced,
// "live:updated" is dispatched on document.
"use strict";

(() => {
  const status = document.getElementById("sync-status");
  const live = () => [...document.querySelectorAll("[data-live]")];
  if (!status && !live().length) return;

  const APART = 2000; // minimum ms between two updates of a page
  const SHARE = 5; // minimum interval in multiples of an update's duration, so that slow pages don't overload the server
  const LEAVES = 60_000; // ms that navigation to another page may take
  const AGAIN = [1000, 15000]; // ms until a lost connection is retried: first and maximum
  const news = document.createElement("p"); // announces changes to screen readers
  news.className = "hush";
  news.setAttribute("aria-live", "polite");
  document.body.append(news);
  status?.setAttribute("aria-live", "off"); // it counts seconds, which should not be announced

  let mark = document.body.dataset.mark || "";
  let source = null;
  let lost = 0; // number of failed connections in a row
  let retry = 0;
  let sync = null; // sync status, and when it was received

  // --- text
  const two = (number) => String(number).padStart(2, "0");

  /** Format seconds like the server: 41s, 6m 01s, 1h 12m, 2d 02h. */
  function duration(seconds) {
    const whole = Math.round(seconds);
    if (whole < 60) return `${whole}s`;
    if (whole < 3600) return `${Math.floor(whole / 60)}m ${two(whole % 60)}s`;
    const minutes = Math.round(seconds / 60);
    if (minutes < 1440) return `${Math.floor(minutes / 60)}h ${two(minutes % 60)}m`;
    const hours = Math.round(seconds / 3600);
    return `${Math.floor(hours / 24)}d ${two(hours % 24)}h`;
  }

  function make(tag, text, className) {
    const node = document.createElement(tag);
    node.textContent = text;
    if (className) node.className = className;
    return node;
  }

  // --- sync status in the top bar
  function showStatus() {
    if (!status) return;
    if (lost) {
      status.replaceChildren(make("strong", "connection lost, reconnecting", "lost"));
    } else if (sync) {
      status.replaceChildren(...statusParts(sync.now, performance.now() - sync.heard));
    }
  }

  function statusParts(now, ago) {
    if (!now.agents_dir) return [make("span", "watching nothing")];
    const name = now.agents_dir.split("/").filter(Boolean).slice(-2).join("/");
    const what = now.watch === "waiting" ? "waiting for " : now.watch ? "watching " : "not watching ";
    const folder = make("span", what);
    const path = make("bdi", name);
    path.title = now.folders.join("\n");
    folder.append(path);
    if (now.folders.length > 1) folder.append(` and ${now.folders.length - 1} more`);
    return [folder, ...workParts(now, ago)];
  }

  function workParts(now, ago) {
    if (now.state === "running") {
      const bar = document.createElement("progress");
      if (now.total) { bar.max = now.total; bar.value = now.done; }
      bar.setAttribute("aria-label", "Sync progress");
      return [make("span", now.phase_words || "syncing"), bar];
    }
    if (now.state === "failed") {
      const wrong = make("a", "last sync failed", "lost");
      wrong.href = "/syncs";
      return [wrong];
    }
    if (!now.last) return [];
    const age = (Date.parse(now.at) - Date.parse(now.last.ended_at) + ago) / 1000;
    const parts = [make("span", `last sync ${duration(Math.max(0, age))} ago`)];
    if (now.last.inserted) parts.push(make("span", `${now.last.inserted.toLocaleString("en")} new`));
    return parts;
  }

  // --- reloading parts of the page
  const shown = new WeakMap(live().map((node) => [node, node.innerHTML])); // content as sent by the server
  const wanted = new Set(); // names of elements to reload
  let busy = false;
  let last = 0; // start of the latest update
  let apart = 0; // minimum ms from there to the next update
  let left = -Infinity; // start of a navigation to another page, which a reload would cancel
  addEventListener("beforeunload", () => { left = performance.now(); });

  /** Return whether the user is filling in a field of the element, or may still undo a decision there. */
  function isFilledIn(node) {
    const field = document.activeElement;
    return node.contains(field) && field.matches("input:not([type=checkbox]):not([type=radio]), select, textarea, [data-decide]");
  }

  function want(nodes) {
    for (const node of nodes) wanted.add(node.dataset.live);
    schedule();
  }

  function schedule() {
    if (busy || !wanted.size || document.hidden) return;
    busy = true;
    setTimeout(update, Math.max(0, last + apart - performance.now()));
  }

  async function update() {
    last = performance.now();
    const nodes = live().filter((node) => wanted.has(node.dataset.live) && !isFilledIn(node));
    for (const name of [...wanted]) {
      if (!live().some((node) => node.dataset.live === name && !nodes.includes(node))) wanted.delete(name);
    }
    const places = new Map();
    for (const node of nodes) {
      const place = node.dataset.liveFrom || location.href;
      places.set(place, [...(places.get(place) || []), node]);
    }
    let pause = APART;
    try {
      for (const [place, those] of places) await take(place, those);
      if (nodes.length) document.dispatchEvent(new CustomEvent("live:updated", { detail: nodes.map((node) => node.dataset.live) }));
    } catch {
      want(nodes); // an unreachable server is noticed by the event stream; a failed request is retried
      pause = AGAIN[1];
    } finally {
      busy = false;
      apart = Math.max(APART, SHARE * (performance.now() - last));
      if (!lost && wanted.size) setTimeout(schedule, pause); // elements being filled in, or changed since the request
    }
  }

  async function take(place, nodes) {
    const answer = await fetch(place, { headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected) throw new Error(`${place}: ${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    mark = page.body.dataset.mark || mark;
    let changed = false;
    for (const node of nodes) {
      const fresh = page.querySelector(`[data-live="${CSS.escape(node.dataset.live)}"]`);
      if (!fresh && place === location.href) { // the page's structure has changed: first run added, or last one removed
        if (performance.now() - left < LEAVES) throw new Error("another page is on its way");
        location.reload();
        return;
      }
      if (fresh && isFilledIn(node)) wanted.add(node.dataset.live); // the user began meanwhile
      else if (fresh) changed = replace(node, fresh) || changed;
    }
    if (changed) news.textContent = news.textContent === "Updated" ? "Updated again" : "Updated";
  }

  /** Replace the content and restore the user's state: focus, open details, checkboxes, scroll positions, link target. */
  function replace(node, fresh) {
    const given = fresh.innerHTML;
    if (given === shown.get(node)) return false;
    shown.set(node, given);
    const kept = stateOf(node);
    node.replaceChildren(...document.importNode(fresh, true).childNodes);
    node.hidden = fresh.hidden;
    restore(node, kept);
    return !node.hasAttribute("data-live-on");
  }

  const keyOf = (node) => [node.tagName, node.id, node.getAttribute("href"), node.name, node.value, node.dataset.kept ?? (node.id ? "" : node.textContent)].join("|");

  function stateOf(node) {
    const field = node.contains(document.activeElement) ? document.activeElement : null;
    return {
      focus: field && keyOf(field),
      open: [...node.querySelectorAll("details")].map((each) => [keyOf(each.querySelector("summary") || each), each.open]),
      ticked: [...node.querySelectorAll("input[type=checkbox], input[type=radio]")].map((each) => [keyOf(each), each.checked]),
      scrolled: [...node.querySelectorAll(".scroll")].map((each) => [each.scrollLeft, each.scrollTop]),
    };
  }

  function restore(node, kept) {
    const open = new Map(kept.open);
    for (const each of node.querySelectorAll("details")) {
      const was = open.get(keyOf(each.querySelector("summary") || each));
      if (was !== undefined) each.open = was;
    }
    const ticked = new Map(kept.ticked);
    for (const each of node.querySelectorAll("input[type=checkbox], input[type=radio]")) {
      if (ticked.has(keyOf(each))) each.checked = ticked.get(keyOf(each));
    }
    [...node.querySelectorAll(".scroll")].forEach((each, place) => {
      if (kept.scrolled[place]) [each.scrollLeft, each.scrollTop] = kept.scrolled[place];
    });
    if (kept.focus) {
      const found = [...node.querySelectorAll("a, button, input, select, textarea, summary, [tabindex]")].find((each) => keyOf(each) === kept.focus);
      found?.focus({ preventScroll: true });
    }
    pointAt();
  }

  /** Mark the element that the URL's fragment names: :target doesn't match elements that were inserted later. */
  function pointAt() {
    for (const old of document.querySelectorAll(".pointed")) old.classList.remove("pointed");
    document.getElementById(location.hash.slice(1))?.classList.add("pointed");
  }

  // --- events
  function open() {
    clearTimeout(retry);
    if (source || document.hidden) return;
    source = new EventSource(`/api/v1/events?since=${encodeURIComponent(mark)}`);
    source.onopen = () => { lost = 0; showStatus(); schedule(); };
    source.onerror = () => {
      close();
      lost += 1;
      showStatus();
      retry = setTimeout(open, Math.min(AGAIN[1], AGAIN[0] * 2 ** (lost - 1)));
    };
    source.addEventListener("history", () => want(live().filter((node) => node.dataset.liveOn !== "sync")));
    source.addEventListener("sync", (event) => {
      sync = { now: JSON.parse(event.data), heard: performance.now() };
      showStatus();
      want(live().filter((node) => node.dataset.liveOn === "sync"));
      for (const button of document.querySelectorAll("[data-sync-now]")) button.disabled = sync.now.state === "running";
    });
  }

  function close() {
    source?.close();
    source = null;
  }

  /** Close the event stream while the page is hidden, because browsers allow few connections per server. */
  function seen() {
    if (document.hidden) close(); else { open(); schedule(); }
  }

  async function syncNow(event) {
    const button = event.target.closest?.("[data-sync-now]");
    if (!button) return;
    button.disabled = true;
    try {
      const answer = await fetch("/api/v1/syncs", { method: "POST", headers: { "X-Workflow-History": "1" } });
      news.textContent = answer.ok ? "Sync started" : (await answer.json()).detail;
    } catch {
      news.textContent = "Cannot reach the server";
      button.disabled = false;
    }
  }

  addEventListener("hashchange", pointAt);
  document.addEventListener("visibilitychange", seen);
  document.addEventListener("focusout", () => setTimeout(schedule));
  document.addEventListener("click", syncNow);
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
  setInterval(showStatus, 1000);
  setInterval(() => want(live().filter((node) => node.dataset.live === "running" && !node.hidden)), 60_000); // a run that stops writing sends no event
  want(live().filter((node) => node.dataset.liveFrom && !node.childElementCount));
  open();
})();
