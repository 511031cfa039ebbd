// Keeps an open page true: what is marked data-live="name" is taken anew when the history changes, and the bar
// says how the sync stands. Pages work without it. Elements with data-live-from="/path" come from that address,
// those with data-live-on="sync" follow the sync; "live:updated" is sent on document when some were replaced.
"use strict";

(() => {
  const status = document.getElementById("sync-status");
  const live = () => [...document.querySelectorAll("[data-live]")];
  if (!status && !live().length) return;

  const APART = 2000; // ms between two updates of a page, at least
  const SHARE = 5; // updates are so much further apart than one takes: a page that is slow to make burdens no server
  const LEAVES = 60_000; // ms that another page may take to come, once it was asked for
  const AGAIN = [1000, 15000]; // ms until a lost connection is tried again: at first, and at most
  const news = document.createElement("p"); // says politely what a script changed
  news.className = "hush";
  news.setAttribute("aria-live", "polite");
  document.body.append(news);
  status?.setAttribute("aria-live", "off"); // it counts seconds: nobody wants to hear that

  let mark = document.body.dataset.mark || "";
  let source = null;
  let lost = 0; // connections in a row
  let retry = 0;
  let sync = null; // how the sync stands, and when we heard it

  // --- words
  const two = (number) => String(number).padStart(2, "0");

  /** Seconds as the server writes them: 41s, 6m 01s, 1h 12m, 2d 02h. */
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

  // --- what the bar says
  function showStatus() {
    if (!status) return;
    if (lost) {
      status.replaceChildren(make("strong", "connection lost, trying again", "lost"));
    } else if (sync) {
      status.replaceChildren(...statusParts(sync.now, performance.now() - sync.heard));
    }
  }

  function statusParts(now, ago) {
    if (!now.agents_dir) return [make("span", "following nothing")];
    const name = now.agents_dir.split("/").filter(Boolean).slice(-2).join("/");
    const what = now.watch === "waiting" ? "waiting for " : now.watch ? "following " : "not following ";
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
      bar.setAttribute("aria-label", "progress of the sync");
      return [make("span", now.phase_words || "syncing"), bar];
    }
    if (now.state === "failed") {
      const wrong = make("a", "the last sync failed", "lost");
      wrong.href = "/syncs";
      return [wrong];
    }
    if (!now.last) return [];
    const age = (Date.parse(now.at) - Date.parse(now.last.ended_at) + ago) / 1000;
    const parts = [make("span", `last sync ${duration(Math.max(0, age))} ago`)];
    if (now.last.inserted) parts.push(make("span", `${now.last.inserted.toLocaleString("en")} new`));
    return parts;
  }

  // --- taking parts of the page anew
  const shown = new WeakMap(live().map((node) => [node, node.innerHTML])); // as the server gave it
  const wanted = new Set(); // names that are to be taken anew
  let busy = false;
  let last = 0; // when the latest update began
  let apart = 0; // ms from there to the next
  let left = -Infinity; // when another page was asked for: a reload would take its place
  addEventListener("beforeunload", () => { left = performance.now(); });

  /** Whether somebody is filling in what would be replaced, or may yet undo what was just decided there. */
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
      want(nodes); // a server that is gone is heard of by the events; one that refused is asked again
      pause = AGAIN[1];
    } finally {
      busy = false;
      apart = Math.max(APART, SHARE * (performance.now() - last));
      if (!lost && wanted.size) setTimeout(schedule, pause); // what somebody fills in, or changed since it was taken
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
      if (!fresh && place === location.href) { // the page has another shape now: the first run came, or the last one went
        if (performance.now() - left < LEAVES) throw new Error("another page is on its way");
        location.reload();
        return;
      }
      if (fresh && isFilledIn(node)) wanted.add(node.dataset.live); // somebody began meanwhile
      else if (fresh) changed = replace(node, fresh) || changed;
    }
    if (changed) news.textContent = news.textContent === "updated" ? "updated again" : "updated";
  }

  /** Put the new content in, with what the user had done to the old: focus, open details, ticks, scrolling, the place that a link led to. */
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

  /** Mark the place that the address names: to the browser, what came later is no target of it. */
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

  /** A page that nobody sees holds no connection: browsers have only a few for one server. */
  function seen() {
    if (document.hidden) close(); else { open(); schedule(); }
  }

  async function syncNow(event) {
    const button = event.target.closest?.("[data-sync-now]");
    if (!button) return;
    button.disabled = true;
    try {
      const answer = await fetch("/api/v1/syncs", { method: "POST", headers: { "X-Workflow-History": "1" } });
      news.textContent = answer.ok ? "sync started" : (await answer.json()).detail;
    } catch {
      news.textContent = "the server cannot be reached";
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
  setInterval(() => want(live().filter((node) => node.dataset.live === "running" && !node.hidden)), 60_000); // a run that falls silent tells nobody
  want(live().filter((node) => node.dataset.liveFrom && !node.childElementCount));
  open();
})();
