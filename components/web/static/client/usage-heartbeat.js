// @ts-check
// When the next heartbeat is due: one at a time, backing off while the server does not answer or refuses the sign-in.
/** @import { Environment } from './usage-session.js' */
/** @import { UsageError } from './usage.js' */

import { mayPass, waitMs } from './usage-retry.js';

const DEFAULT_INTERVAL_SECONDS = 30;
/** A sign-in that is refused for so many intervals, and so many times, is refused for good. */
const REFUSED_INTERVALS = 3;
const REFUSED_TIMES = 3;

export class Heartbeats {
  /** @readonly */ intervalMs;
  #environment;
  #send;
  /** @type {Promise<void> | undefined} */ #sending;
  #dueAt;
  #failures = 0;
  #refusals = 0;
  #refusedSince = 0;

  /**
   * @param {Environment} environment
   * @param {number} intervalSeconds
   * @param {() => Promise<void>} send
   */
  constructor(environment, intervalSeconds, send) {
    this.#environment = environment;
    this.#send = send;
    this.intervalMs = (intervalSeconds || DEFAULT_INTERVAL_SECONDS) * 1000;
    this.#dueAt = environment.now() + this.intervalMs;
  }

  isDue() {
    return this.#environment.now() >= this.#dueAt;
  }

  /** A slow heartbeat is not overtaken by the next one. */
  now() {
    this.#sending ??= this.#send().finally(() => (this.#sending = undefined));
    return this.#sending;
  }

  answered() {
    this.#failures = 0;
    this.#refusals = 0;
    this.#dueAt = this.#environment.now() + this.intervalMs;
  }

  /**
   * @param {UsageError} error
   * @returns {boolean} whether the session goes on: nobody may talk on unmetered for long
   */
  failed(error) {
    const { now, random } = this.#environment;
    if (!mayPass(error)) return false;
    if (error.status === 401) {
      if (this.#refusals === 0) this.#refusedSince = now();
      this.#refusals += 1;
      const lasting = now() - this.#refusedSince >= REFUSED_INTERVALS * this.intervalMs;
      if (lasting && this.#refusals >= REFUSED_TIMES) return false;
    }
    this.#failures += 1;
    this.#dueAt = now() + Math.min(waitMs(this.#failures, error.retryAfterSeconds, random), this.intervalMs);
    return true;
  }
}
