// @ts-check
// Looks again when the period on show ends: a page that is left open would show last month's minutes.
/** @import { Environment } from './usage-session.js' */
/** @import { UsageStatus } from './usage.js' */

import { msToPeriodEnd } from './usage-credit.js';

/** Periods of many users end at the same instant; their pages do not ask in the same one. */
const SPREAD_MS = 5000;
/** An answer that tells of a period that is over already is not asked for again at once. */
const SOONEST_MS = 30_000;
/** Browsers' timers end at 24 days, and stand still while the machine sleeps. */
const LONGEST_TIMER_MS = 60 * 60_000;

export class PeriodWatch {
  #environment;
  #onEnd;
  /** @type {(() => void) | undefined} */ #stopTimer;

  /**
   * @param {Environment} environment
   * @param {() => void} onEnd
   */
  constructor(environment, onEnd) {
    this.#environment = environment;
    this.#onEnd = onEnd;
  }

  /** @param {UsageStatus} status that has just arrived */
  watch(status) {
    this.stop();
    const left = msToPeriodEnd(status);
    if (Number.isNaN(left)) return;
    const { now, random } = this.#environment;
    this.#wait(now() + (left > 0 ? left : SOONEST_MS) + random() * SPREAD_MS);
  }

  stop() {
    this.#stopTimer?.();
    this.#stopTimer = undefined;
  }

  /** @param {number} at */
  #wait(at) {
    const { now, setTimer } = this.#environment;
    const left = at - now();
    if (left <= 0) this.#onEnd();
    else this.#stopTimer = setTimer(Math.min(left, LONGEST_TIMER_MS), () => this.#wait(at));
  }
}
