// @ts-check
// What UsageSession takes from the browser, in one object, so that a test can be the browser.
/** @import { Environment } from './usage-session.js' */

import { randomUuid } from './usage-random.js';

const TICK_MS = 500;
/** A reload that the page hears of is followed by its unload within this time, or it did not happen. */
const RELOAD_MS = 10_000;

/** @returns {Environment} */
export function browserEnvironment() {
  const isPage = typeof globalThis.addEventListener === 'function';
  return {
    now: () => Date.now(),
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    setTimer: (ms, callback) => {
      const timer = setTimeout(callback, ms);
      return () => clearTimeout(timer);
    },
    random: () => Math.random(),
    randomUuid,
    startTicker,
    storage: sessionStorageOrNone(),
    locks: globalThis.navigator?.locks,
    // Node has channels, too, and an open one keeps its process from ending.
    channel: isPage && typeof BroadcastChannel !== 'undefined' ? new BroadcastChannel('talktime') : undefined,
    events: isPage ? globalThis : new EventTarget(),
    isVisible: () => globalThis.document?.visibilityState !== 'hidden',
    isReloading: reloadWatch(),
  };
}

/** @param {() => void} tick */
function startTicker(tick) {
  /** @type {Worker | undefined} */
  let worker;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let interval;
  const fallBack = () => {
    worker?.terminate();
    interval ??= setInterval(tick, TICK_MS);
  };
  try {
    worker = new Worker(new URL('./usage-ticker.js', import.meta.url), { type: 'module' });
    worker.onmessage = tick;
    worker.onerror = fallBack;
  } catch {
    // Modules from another origin may not start workers; the page's own timer does, while the page is in front.
    fallBack();
  }
  return () => {
    worker?.terminate();
    clearInterval(interval);
  };
}

/** Reading `sessionStorage` throws where the user has switched site data off. */
function sessionStorageOrNone() {
  try {
    return globalThis.sessionStorage;
  } catch {
    return undefined;
  }
}

/**
 * Where the browser says that an unload is a reload, the session need not end: the page comes back and resumes it.
 * Not every browser, and not every kind of reload, says so.
 */
function reloadWatch() {
  let heardAt = -Infinity;
  const navigation = /** @type {any} */ (globalThis).navigation;
  navigation?.addEventListener?.('navigate', (/** @type {{ navigationType: string }} */ event) => {
    heardAt = event.navigationType === 'reload' ? Date.now() : -Infinity;
  });
  return () => Date.now() - heardAt < RELOAD_MS;
}
