// Copies the `data-copy` of a pressed button, and shows for a moment that it did.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  event.preventDefault();
  await navigator.clipboard.writeText(button.dataset.copy);
  button.classList.add("desk-copied");
  setTimeout(() => button.classList.remove("desk-copied"), 1000);
});
