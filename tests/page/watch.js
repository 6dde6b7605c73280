// Notes, from before a page's first script, what only the page's own events tell.
window.seen = { violations: [], longTasks: [], firstRow: null };
document.addEventListener('securitypolicyviolation', (event) => {
    window.seen.violations.push(`${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}`);
});
new PerformanceObserver((list) => {
    for (const task of list.getEntries()) window.seen.longTasks.push([task.startTime, task.duration]);
}).observe({ type: 'longtask', buffered: true });
const rows = new MutationObserver(() => {
    if (!document.querySelector('tbody tr')) return;
    rows.disconnect();
    // Behind the frame that shows it.
    requestAnimationFrame(() => setTimeout(() => (window.seen.firstRow = performance.now())));
});
rows.observe(document, { childList: true, subtree: true });
