// @ts-check
// Arithmetic on a usage status, and what it is called.
/** @import { UsageStatus } from './usage.js' */

/** At this many minutes or fewer a user is warned. */
export const LOW_MINUTES = 5;

/**
 * @param {number} minutesUsed
 * @param {number} minutesLimit
 */
export function percentOf(minutesUsed, minutesLimit) {
  if (!(minutesLimit > 0)) return 100;
  return Math.min(100, Math.max(0, Math.round((minutesUsed / minutesLimit) * 100)));
}

/**
 * The status after an answer that carries totals only.
 * @param {UsageStatus} status
 * @param {{ minutesUsed: number, minutesRemaining: number, secondsRemaining: number }} totals
 * @returns {UsageStatus}
 */
export function withTotals(status, totals) {
  return { ...status, ...totals, percentUsed: percentOf(totals.minutesUsed, status.minutesLimit) };
}

/**
 * A heartbeat tells of no plan; totals that do not add up to the limit on show mean that the plan changed.
 * @param {UsageStatus} status
 */
export function planMayHaveChanged({ minutesUsed, minutesRemaining, minutesLimit }) {
  return minutesRemaining > 0 && minutesUsed + minutesRemaining !== minutesLimit;
}

/**
 * From a status answer to the end of its period, by the server's own clock: the page's may be wrong.
 * @param {UsageStatus} status
 * @returns {number} NaN when either is no instant
 */
export function msToPeriodEnd({ periodEnd, serverTime }) {
  return Date.parse(periodEnd) - Date.parse(serverTime);
}

/**
 * Green below 75, amber from 75 to 90, red above.
 * @param {number} percentUsed
 * @returns {'green' | 'amber' | 'red'}
 */
export function levelOf(percentUsed) {
  if (percentUsed > 90) return 'red';
  return percentUsed >= 75 ? 'amber' : 'green';
}

/** @param {number} count */
export function minutesText(count) {
  return `${count} ${count === 1 ? 'minute' : 'minutes'}`;
}

/**
 * Only a link that leads to a page: never `javascript:` or the like, wherever the value came from.
 * @param {unknown} url
 * @returns {string | undefined}
 */
export function safeUrl(url) {
  if (typeof url !== 'string' || url === '') return undefined;
  try {
    const { protocol, href } = new URL(url, globalThis.document?.baseURI ?? 'http://localhost/');
    return protocol === 'https:' || protocol === 'http:' ? href : undefined;
  } catch {
    return undefined;
  }
}
