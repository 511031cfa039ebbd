// Accept and dismiss buttons: what is clicked is sent, and the row says what was decided, or why nothing was.
"use strict";

const WORDS = { accepted: "Accepted", dismissed: "Dismissed: not to be shown again", detected: "Open again" };

/** Send what was decided; a sentence for people where that failed, else nothing. */
async function sent(pattern, status) {
  try {
    const answer = await fetch(`/api/v1/patterns/${encodeURIComponent(pattern)}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Workflow-History": "1" },
      body: JSON.stringify({ status }),
    });
    if (answer.ok) return "";
    const problem = await answer.json().catch(() => ({}));
    return problem.detail || `the server answered ${answer.status}`;
  } catch {
    return "the server cannot be reached";
  }
}

async function decide(place, status) {
  const failed = place.querySelector(".not-decided");
  failed.textContent = "";
  const trouble = await sent(place.dataset.pattern, status);
  if (trouble) {
    failed.textContent = `Not decided: ${trouble}`;
    return;
  }
  place.dataset.status = status;
  document.getElementById("decided").textContent = `${WORDS[status]}.`; // looked up: a live page replaces it
  place.querySelector(`[data-decide="${status === "detected" ? "accepted" : "detected"}"]`).focus();
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-decide]");
  if (button) decide(button.closest("[data-pattern]"), button.dataset.decide);
});
