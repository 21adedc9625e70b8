// @ts-check
// The usage as the server told it last, kept up to date: by each answer, at the end of the period, and after a failure.
/** @import { Environment } from './usage-session.js' */
/** @import { RequestOptions, UsageError, UsageStatus } from './usage.js' */

import { getUsageStatus } from './usage.js';
import { CatchUp } from './usage-catch-up.js';
import { withTotals } from './usage-credit.js';
import { PeriodWatch } from './usage-period.js';

/** Coming back to a tab asks the server only if the last answer is older than this. */
const FRESH_MS = 5000;

export class UsageReading {
  /** @type {UsageStatus | undefined} */ status;
  /** @type {UsageError | undefined} why there is no answer at the moment */ failure;
  /** @type {CatchUp} */ catchUp;
  #environment;
  #request;
  #onChange;
  #period;
  #answeredAt = 0;
  #stopped = false;

  /**
   * @param {Environment} environment
   * @param {RequestOptions} request
   * @param {{ changed: () => void, settle: () => Promise<void>, isNeeded: () => boolean }} hooks
   */
  constructor(environment, request, { changed, settle, isNeeded }) {
    this.#environment = environment;
    this.#request = request;
    this.#onChange = changed;
    this.catchUp = new CatchUp(environment, async () => {
      if (this.#stopped) return;
      try {
        await settle();
      } catch (error) {
        this.failed(error);
        throw error;
      }
    });
    this.#period = new PeriodWatch(environment, () => {
      if (isNeeded()) void this.catchUp.now();
    });
  }

  get isFresh() {
    return !this.catchUp.owed && this.#environment.now() - this.#answeredAt <= FRESH_MS;
  }

  async refresh() {
    const status = await getUsageStatus(this.#request);
    if (this.#stopped) return status;
    this.status = status;
    this.answered();
    this.#period.watch(status);
    return status;
  }

  answered() {
    this.failure = undefined;
    this.#answeredAt = this.#environment.now();
  }

  outdated() {
    this.#answeredAt = 0;
  }

  /**
   * @param {number | undefined} minutesUsed undefined: not known without a status
   * @param {number} minutesRemaining
   * @param {number} secondsRemaining
   */
  applyTotals(minutesUsed, minutesRemaining, secondsRemaining) {
    this.answered();
    if (!this.status || minutesUsed === undefined) return;
    this.status = withTotals(this.status, { minutesUsed, minutesRemaining, secondsRemaining });
  }

  /** @param {unknown} error */
  failed(error) {
    if (this.#stopped) return;
    this.failure = /** @type {UsageError} */ (error);
    this.#onChange();
  }

  stop() {
    this.#stopped = true;
    this.catchUp.stop();
    this.#period.stop();
  }
}
