// @ts-check
// What is owed between page and server (an end that has not arrived, a reading that failed) is tried again until it has
// gone well: with back-off, and only while the page is in front.
/** @import { Environment } from './usage-session.js' */
/** @import { UsageError } from './usage.js' */

import { mayPass, waitMs } from './usage-retry.js';

/** By then a server that can be reached at all has ended the session by itself; the next event tries again. */
const TRYING_MS = 15 * 60_000;

export class CatchUp {
  /** Whether the last try failed. */
  owed = false;
  #environment;
  #work;
  /** @type {Promise<void> | undefined} */ #running;
  /** @type {(() => void) | undefined} */ #stopTimer;
  #again = false;
  #stopped = false;
  #failures = 0;
  #failingSince = 0;

  /**
   * @param {Environment} environment
   * @param {() => Promise<void>} work
   */
  constructor(environment, work) {
    this.#environment = environment;
    this.#work = work;
  }

  /** Tries at once. Never rejects. Asked while a try is under way, it tries once more after it. */
  now() {
    this.#stopTimer?.();
    if (this.#running) this.#again = true;
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
    return this.#running;
  }

  /** @param {unknown} error of a try that was made elsewhere */
  failed(error) {
    if (this.#stopped) return;
    const failure = /** @type {UsageError} */ (error);
    const { now, random, setTimer, isVisible } = this.#environment;
    this.owed = mayPass(failure);
    if (!this.owed) return;
    if (this.#failures === 0) this.#failingSince = now();
    this.#failures += 1;
    if (now() - this.#failingSince > TRYING_MS) return;
    this.#stopTimer?.();
    this.#stopTimer = setTimer(waitMs(this.#failures, failure.retryAfterSeconds, random), () => {
      if (isVisible()) void this.now();
    });
  }

  stop() {
    this.#stopped = true;
    this.#stopTimer?.();
  }

  async #run() {
    do {
      this.#again = false;
      try {
        await this.#work();
        this.owed = false;
        this.#failures = 0;
      } catch (error) {
        this.failed(error);
      }
    } while (this.#again && !this.#stopped);
  }
}
