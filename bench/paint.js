// Runs before the page's own scripts and notes when the first row of keys has been painted.
window.bench = { rowPainted: 0, blocking: 0, longest: 0, shift: 0 };
const painted = Promise.withResolvers();
bench.painted = painted.promise;
setTimeout(() => painted.reject(new Error("no row is painted")), 30000);

new PerformanceObserver((list) => {
  for (const task of list.getEntries()) {
    bench.blocking += task.duration - 50;
    bench.longest = Math.max(bench.longest, task.duration);
  }
}).observe({ type: "longtask", buffered: true });

new PerformanceObserver((list) => {
  for (const shift of list.getEntries()) bench.shift += shift.value;
}).observe({ type: "layout-shift", buffered: true });

const watcher = new MutationObserver(() => {
  if (!document.querySelector("#key-list tbody tr")) return;
  watcher.disconnect();
  requestAnimationFrame(() => {
    // A message is handled after the frame that was asked for has been painted.
    const channel = new MessageChannel();
    channel.port1.onmessage = () => { painted.resolve(bench.rowPainted = performance.now()); };
    channel.port2.postMessage(null);
  });
});
watcher.observe(document, { childList: true, subtree: true });

bench.told = () => {
  const paint = performance.getEntriesByName("first-contentful-paint")[0];
  return {
    first_byte: performance.getEntriesByType("navigation")[0].responseStart,
    first_paint: paint ? paint.startTime : 0,
    row_painted: bench.rowPainted,
    blocking: bench.blocking,
    longest_task: bench.longest,
    layout_shift: bench.shift,
  };
};
