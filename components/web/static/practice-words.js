// @ts-check
// What the practice page says: errors, ends and refusals in plain words, each with what to do next.
/** @import { UsageError } from './usage.js' */
/** @import { SessionSummary } from './usage-session.js' */

import { minutesText } from './usage-credit.js';

/** @typedef {{ what: string, next: string, code: string }} Problem */

/** @type {Problem} */
export const NO_TOKEN = {
  what: 'This page does not know who you are.',
  next: 'Open the practice link that the host prints when it starts (it ends in “#token=…”). If it is gone, restart the host and use the new link.',
  code: '',
};

/** @type {Record<string, { what: string, next: string }>} */
const BY_CODE = {
  network: {
    what: 'The server could not be reached.',
    next: 'Check the connection; the page tries again by itself. A running session keeps counting.',
  },
  timeout: { what: 'The server took too long to answer.', next: 'The page tries again by itself.' },
  no_credits: { what: 'You have no minutes left in this period.', next: 'Upgrade your plan to go on now.' },
  session_active: {
    what: 'A session of yours is already running in another tab or on another device.',
    next: 'Choose “Continue here” to end that one and start here.',
  },
  microphone: {
    what: 'The browser did not give access to the microphone.',
    next: 'Allow the microphone for this page (the icon in the address bar), then start again. The session was ended.',
  },
  voice_failed: {
    what: 'The voice connection could not be kept up.',
    next: 'The session was ended, so that no more minutes are counted. Start again in a moment.',
  },
  provider_error: {
    what: 'The voice provider refused the connection.',
    next: 'The session was ended. An operator finds the reason in the server’s log.',
  },
};

/**
 * @param {unknown} error
 * @returns {Problem}
 */
export function problemOf(error) {
  const { status = 0, code = '', message = String(error) } = /** @type {Partial<UsageError>} */ (error ?? {});
  const known = BY_CODE[code];
  if (known) return { ...known, code };
  if (status === 401) {
    return {
      what: 'Your link is no longer valid.',
      next: 'Restart the host and open the practice link that it prints.',
      code: `401 ${code}`,
    };
  }
  const next = status >= 500 ? 'This is the server’s fault; try again in a moment.' : '';
  return { what: message, next, code: status ? `${status} ${code}` : code };
}

/** @param {SessionSummary} summary */
export function endText(summary) {
  if (summary.endedBy === 'elsewhere') return 'It was ended, or continued, in another tab or on another device.';
  if (summary.endedBy === 'unload') return 'Leaving or reloading the page ended it.';
  switch (summary.endReason) {
    case 'limit_reached':
      return 'You reached the limit of your plan.';
    case 'timeout':
      return 'This was the longest that one session may be.';
    case 'stale':
      return 'Nothing was heard from this page for a long time; you pay only up to then.';
    case 'error':
      return 'It ended after an error.';
    default:
      return 'Well done.';
  }
}

/** @param {SessionSummary} summary */
export function lengthText({ sessionMinutes }) {
  if (sessionMinutes === undefined) return '';
  return sessionMinutes === 0 ? 'Nothing was counted.' : `${minutesText(sessionMinutes)} counted.`;
}

/** @param {number} seconds */
export function clockText(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (/** @type {number} */ value) => String(value).padStart(2, '0');
  const hours = Math.floor(whole / 3600);
  const rest = `${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
  return hours > 0 ? `${hours}:${rest}` : rest;
}
