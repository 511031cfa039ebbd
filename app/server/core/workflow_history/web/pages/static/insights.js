// Accept and dismiss buttons: what is clicked is sent, and the row says what was decided. Nothing else.
"use strict";

const WORDS = { accepted: "Accepted", dismissed: "Dismissed: not to be shown again", detected: "Open again" };
const told = document.getElementById("decided");

async function decide(place, status) {
  const answer = await fetch(`/api/v1/patterns/${encodeURIComponent(place.dataset.pattern)}`, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Workflow-History": "1" },
    body: JSON.stringify({ status }),
  });
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({}));
    throw new Error(problem.detail || `the server answered ${answer.status}`);
  }
  place.dataset.status = status;
  told.textContent = `${WORDS[status]}.`;
  place.querySelector(`[data-decide="${status === "detected" ? "accepted" : "detected"}"]`).focus();
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-decide]");
  if (!button) return;
  const place = button.closest("[data-pattern]");
  decide(place, button.dataset.decide).catch((error) => { told.textContent = `Not decided: ${error.message}`; });
});
