// Accept and dismiss buttons of patterns: send the decision, and show it or the error in the row.
"use strict";

const WORDS = { accepted: "Accepted", dismissed: "Dismissed: hidden from this list", detected: "Decision cleared" };

/** Send a decision. Returns an error message, or an empty string on success. */
async function sent(pattern, status) {
  try {
    const answer = await fetch(`/api/v1/patterns/${encodeURIComponent(pattern)}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Workflow-History": "1" },
      body: JSON.stringify({ status }),
    });
    if (answer.ok) return "";
    const problem = await answer.json().catch(() => ({}));
    return problem.detail || `the server responded with status ${answer.status}`;
  } catch {
    return "cannot reach the server";
  }
}

async function decide(place, status) {
  const failed = place.querySelector(".not-decided");
  failed.textContent = "";
  const trouble = await sent(place.dataset.pattern, status);
  if (trouble) {
    failed.textContent = `Not saved: ${trouble}`;
    return;
  }
  place.dataset.status = status;
  document.getElementById("decided").textContent = `${WORDS[status]}.`; // looked up again, because live updates replace it
  place.querySelector(`[data-decide="${status === "detected" ? "accepted" : "detected"}"]`).focus();
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-decide]");
  if (button) decide(button.closest("[data-pattern]"), button.dataset.decide);
});
