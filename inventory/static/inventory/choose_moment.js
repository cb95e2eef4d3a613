// A click on the chart shows the stock of that moment.
document.addEventListener("click", (event) => {
  const lines = event.target.closest(".stock-lines");
  if (!lines) return;
  const { left, width } = lines.getBoundingClientRect();
  const share = Math.min(Math.max((event.clientX - left) / width, 0), 1);
  const [first, last] = [lines.dataset.first, lines.dataset.last].map(Number);
  const moment = new Date(first + share * (last - first)).toISOString();
  location.search = new URLSearchParams({ as_of: moment });
});
