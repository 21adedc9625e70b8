// @ts-check
// What the practice page says: errors, ends and refusals in plain words, each with what to do next.
/** @import { UsageError, UsageStatus } from './usage.js' */
/** @import { SessionSummary } from './usage-session.js' */

import { minutesText } from './usage-credit.js';

/** @typedef {{ what: string, next: string, code: string, passes: boolean }} Problem `passes`: gone when the server answers again */
/** @typedef {'open' | 'start' | 'end' | 'talk'} Step what the page was doing */

/** @type {Problem} */
export const NO_TOKEN = {
  what: 'This page does not know who you are.',
  next: 'Open your practice link (it ends in “#token=…”). If you run Talktime yourself, it prints one when it starts.',
  code: '',
  passes: false,
};

/** @type {Record<Step, string>} by what was being done when no answer came */
const NO_ANSWER_NEXT = {
  open: 'Check the connection; the page tries again by itself.',
  start: 'The session was not started. Check the connection, then start again.',
  end: 'It has not heard of the end yet. Leave this page open: it goes on telling it by itself.',
  talk: 'The session was ended. Check the connection, then start again.',
};

/** @type {Record<string, string>} */
const NO_ANSWER = {
  network: 'The server could not be reached.',
  timeout: 'The server took too long to answer.',
  bad_answer: 'The server’s answer could not be read.',
  sign_in: 'Your sign-in could not be renewed.',
};

const NOTHING_COUNTED = 'No session was started, and nothing was counted.';

/** @type {Record<string, { what: string, next: string }>} */
const BY_CODE = {
  no_credits: { what: 'You have no minutes left in this period.', next: 'Upgrade your plan to go on now.' },
  session_active: {
    what: 'A session of yours is already running in another tab or on another device.',
    next: 'Choose “Continue here” to end that one and start here.',
  },
  session_ending: {
    what: 'Too little of your time is left to connect a voice.',
    next: 'The session was ended. Upgrade your plan to go on now.',
  },
  no_active_session: { what: 'The session was over before the voice was connected.', next: 'Start again in a moment.' },
  microphone: {
    what: 'The browser did not give access to the microphone.',
    next: 'Allow the microphone for this page (the icon in the address bar), then start again.',
  },
  microphone_missing: { what: 'No microphone was found.', next: 'Connect one, then start again.' },
  microphone_busy: {
    what: 'The microphone could not be opened.',
    next: 'Another program may be using it. Close that one, then start again.',
  },
  microphone_insecure: {
    what: 'The browser gives a microphone only to pages that were loaded securely.',
    next: 'Open this page by its https address (or on localhost), then start again.',
  },
  voice_failed: {
    what: 'The voice connection could not be kept up.',
    next: 'The session was ended, so that no more minutes are counted. Start again in a moment.',
  },
  provider_not_configured: {
    what: 'The server has no voice provider any more.',
    next: 'The session was ended. Start again: without a voice nobody answers, but minutes are counted.',
  },
  provider_error: {
    what: 'The voice provider refused the connection.',
    next: 'The session was ended. It is not your fault, and the operator can see the reason; try again later.',
  },
  provider_busy: {
    what: 'The voice provider is overloaded at the moment.',
    next: 'The session was ended. Start again in a minute.',
  },
  rate_limited: { what: 'That was too many voice connections in a short time.', next: 'The session was ended. Start again in a minute.' },
  busy: { what: 'The server is busy at the moment.', next: 'Try again in a moment.' },
};

/**
 * @param {unknown} error
 * @param {Step} [step]
 * @returns {Problem}
 */
export function problemOf(error, step = 'open') {
  const { status = 0, code = '', message = String(error) } = /** @type {Partial<UsageError>} */ (error ?? {});
  const noAnswer = NO_ANSWER[code];
  if (noAnswer) return { what: noAnswer, next: NO_ANSWER_NEXT[step], code, passes: true };
  const known = BY_CODE[code];
  if (known) {
    const extra = !code.startsWith('microphone') ? '' : step === 'start' ? ` ${NOTHING_COUNTED}` : ' The session was ended.';
    return { what: known.what, next: known.next + extra, code, passes: code === 'busy' };
  }
  if (status === 401) {
    return {
      what: 'Your link is no longer valid.',
      next: 'Open a new practice link. If you run Talktime yourself, it prints one when it starts.',
      code: `401 ${code}`,
      passes: step === 'open',
    };
  }
  const next = status >= 500 ? 'This is the server’s fault; try again in a moment.' : '';
  return { what: message, next, code: status ? `${status} ${code}` : code, passes: status >= 500 };
}

/**
 * Why the session ended, and the call with it.
 * @param {SessionSummary} summary
 * @param {boolean} [planChanged] since the session was started, to one without minutes
 */
export function endText(summary, planChanged = false) {
  if (summary.endReason === 'stale') {
    return 'Nothing was heard from it for a while, so it was ended as of the last sign of life, or when its call was cut.';
  }
  if (summary.endedBy === 'elsewhere') return 'It was ended, or continued, in another tab or on another device.';
  if (summary.endedBy === 'unload') return 'Leaving or reloading the page ended it.';
  switch (summary.endReason) {
    case 'limit_reached':
      return planChanged ? 'Your plan has changed, and has no minutes left.' : 'You reached the limit of your plan.';
    case 'timeout':
      return 'This was the longest that one session may be.';
    case 'error':
      // A session that waits for a voice costs nothing, and the server does not wait for long.
      return summary.endedBy === 'server' && summary.sessionMinutes === 0 ? 'No voice answered in time.' : 'It ended after an error.';
    default:
      return 'Well done.';
  }
}

/** @param {SessionSummary} summary */
export function lengthText({ sessionMinutes, endReason }) {
  // The server is still to be told, and its answer says it; of a session that it does not know it says nothing.
  if (sessionMinutes === undefined) return endReason === 'replaced' ? '' : 'How much was counted is not known yet.';
  return sessionMinutes === 0 ? 'Nothing was counted.' : `${minutesText(sessionMinutes)} counted.`;
}

/** By then the page that ran the session would have been heard from three times. */
const SILENT_SECONDS = 90;

/**
 * What “Continue here” means, and costs.
 * @param {UsageStatus} status
 */
export function takeoverText({ activeSession, activeSessionMinutes, serverTime }) {
  const heardAt = Date.parse(activeSession?.lastHeartbeatAt ?? activeSession?.startedAt ?? '');
  const silence = (Date.parse(serverTime) - heardAt) / 1000;
  const so = silence > SILENT_SECONDS
    ? 'Nothing has been heard from it for a while: you pay for it only to its last sign of life.'
    : `${minutesText(activeSessionMinutes)} of it ${activeSessionMinutes === 1 ? 'is' : 'are'} counted so far.`;
  return `A session of yours is running in another tab or on another device. ${so} ` +
    'Continuing here ends that one and begins a new one, whose first minute counts at once.';
}

/** @param {UsageError | undefined} failure */
export function connectionText(failure) {
  if (!failure) return '';
  if (failure.status === 401 || failure.code === 'sign_in') {
    return 'Your sign-in is not accepted at the moment; the page is trying again. The session goes on, and minutes are counted.';
  }
  return 'The server does not answer. The session goes on, and minutes are counted; the page is trying again.';
}

/** @param {number} seconds */
export function clockText(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (/** @type {number} */ value) => String(value).padStart(2, '0');
  const hours = Math.floor(whole / 3600);
  const rest = `${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
  return hours > 0 ? `${hours}:${rest}` : rest;
}
