// @ts-check
// Runs as a worker: browsers slow the timers of a hidden page down to one a minute, but not a worker's.
const TICK_MS = 500;
setInterval(() => postMessage(null), TICK_MS);
