// Before anything is painted: the theme that was chosen last, and that scripts run.
"use strict";
{
  const root = document.documentElement;
  root.classList.add("scripted");
  let chosen = null;
  try { chosen = localStorage.getItem("theme"); } catch { /* a browser that keeps nothing follows the system */ }
  if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;
}
