// @ts-check
// A session while it runs: heartbeats, the countdown between them, and the stop at the limit that was known last.
/** @import { Environment } from './usage-session.js' */
/** @import { Heartbeat, RequestOptions, UsageError } from './usage.js' */

import { sendHeartbeat } from './usage.js';
import { Heartbeats } from './usage-heartbeat.js';

/** Ticks come twice a second; a gap like this is a sleep, or a clock that was set. */
const CLOCK_JUMP_MS = 5000;
/** At the limit the server is asked once more (minutes may have been bought); no answer by then means stop. */
const LIMIT_GRACE_MS = 2000;

/**
 * @typedef {object} RunningHooks
 * @property {(answer: Heartbeat, secondsRemaining: number) => void} heard
 * @property {(error: UsageError) => void} failed the heartbeat is tried again
 * @property {(error: UsageError) => void} refused for good
 * @property {() => void} ticked another second
 * @property {() => void} limitReached and no word of the server
 */

export class RunningSession {
  /** @readonly */ sessionId;
  #environment;
  #request;
  #hooks;
  #heartbeats;
  #stopTicker;
  #deadline = 0;
  #lastTickAt;
  #lastSecond = -1;
  #atLimit = false;
  #stopped = false;

  /**
   * @param {{ sessionId: string, intervalSeconds: number, secondsRemaining: number }} session
   * @param {Environment} environment
   * @param {RequestOptions} request
   * @param {RunningHooks} hooks
   */
  constructor(session, environment, request, hooks) {
    this.sessionId = session.sessionId;
    this.#environment = environment;
    this.#request = request;
    this.#hooks = hooks;
    this.#heartbeats = new Heartbeats(environment, session.intervalSeconds, () => this.#beat());
    this.#lastTickAt = environment.now();
    this.countFrom(session.secondsRemaining);
    this.#stopTicker = environment.startTicker(() => this.#tick());
  }

  get intervalSeconds() {
    return this.#heartbeats.intervalMs / 1000;
  }

  get secondsRemaining() {
    return Math.max(0, Math.ceil((this.#deadline - this.#environment.now()) / 1000));
  }

  /** @param {number} secondsRemaining */
  countFrom(secondsRemaining) {
    this.#deadline = this.#environment.now() + secondsRemaining * 1000;
  }

  heartbeat() {
    return this.#heartbeats.now();
  }

  stop() {
    this.#stopped = true;
    this.#stopTicker();
  }

  #tick() {
    if (this.#stopped) return;
    const now = this.#environment.now();
    const gap = now - this.#lastTickAt;
    this.#lastTickAt = now;
    if (now >= this.#deadline) void this.#reachLimit();
    else if (this.#heartbeats.isDue() || gap > CLOCK_JUMP_MS || gap < 0) void this.heartbeat();
    if (this.secondsRemaining === this.#lastSecond) return;
    this.#lastSecond = this.secondsRemaining;
    this.#hooks.ticked();
  }

  async #beat() {
    try {
      const answer = await sendHeartbeat(this.sessionId, this.#request);
      if (this.#stopped) return;
      this.#heartbeats.answered();
      // Whole seconds: a session that the server still runs has a part of one left, and ends by the server's word.
      const seconds = answer.ended ? 0 : Math.max(1, answer.secondsRemaining);
      this.countFrom(seconds);
      this.#hooks.heard(answer, seconds);
    } catch (error) {
      if (this.#stopped) return;
      const failure = /** @type {UsageError} */ (error);
      if (this.#heartbeats.failed(failure)) this.#hooks.failed(failure);
      else this.#hooks.refused(failure);
    }
  }

  async #reachLimit() {
    if (this.#atLimit) return;
    this.#atLimit = true;
    await Promise.race([this.heartbeat(), this.#environment.sleep(LIMIT_GRACE_MS)]);
    this.#atLimit = false;
    if (!this.#stopped && this.#environment.now() >= this.#deadline) this.#hooks.limitReached();
  }
}
