"use strict";

document.querySelectorAll("button[data-item]").forEach((button) => {
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      const answer = await fetch(`/api/items/${button.dataset.item}/read`, { method: "POST" });
      if (answer.ok) {
        button.closest("li").className = "read";
      }
    } finally {
      button.disabled = false;
    }
  });
});

const form = document.getElementById("sign-in");
if (form) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const answer = await fetch("/api/session", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(Object.fromEntries(new FormData(form))),
    });
    if (answer.ok) {
      location.reload();
    } else {
      form.querySelector("[role=alert]").textContent = (await answer.json()).detail;
    }
  });
}
