// @ts-check
// Refusals of the page's own: what was asked of a UsageSession does not fit its state. No waiting helps.
import { UsageError } from './usage.js';

/**
 * @param {string} code
 * @param {string} message
 */
const mistake = (code, message) => new UsageError({ status: 0, code, message });

export const abandoned = () => mistake('abandoned', 'The page was left before the session had started');
export const alreadyStarted = (/** @type {string} */ state) => mistake('already_started', `A session is ${state}`);
export const notRunning = () => mistake('not_running', 'No session is running on this page');
