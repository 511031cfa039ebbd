// Runs before the first paint: applies the saved theme, and marks the page as scripted.
"use strict";
{
  const root = document.documentElement;
  root.classList.add("scripted");
  let chosen = null;
  try { chosen = localStorage.getItem("theme"); } catch { /* without storage, the theme follows the system */ }
  if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;
}
