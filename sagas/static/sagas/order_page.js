// When the order's page refreshes itself, what is unfolded stays so, and what has the focus keeps it.
(() => {
  const FOCUSABLE = "a, button, summary, [tabindex]";
  let unfolded = [];
  let focused = -1;

  document.addEventListener("htmx:beforeSwap", (event) => {
    const page = event.detail.target;
    if (page?.id !== "order-page") return;
    unfolded = [...page.querySelectorAll("details")].map((details) => details.open);
    focused = [...page.querySelectorAll(FOCUSABLE)].indexOf(document.activeElement);
  });

  document.addEventListener("htmx:afterSwap", () => {
    const page = document.getElementById("order-page");
    if (!page) return;
    page.querySelectorAll("details").forEach((details, number) => (details.open = unfolded[number] ?? details.open));
    page.querySelectorAll(FOCUSABLE)[focused]?.focus({ preventScroll: true });
    [unfolded, focused] = [[], -1];
  });
})();
