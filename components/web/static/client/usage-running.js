// @ts-check
// A session while it runs: heartbeats, the countdown between them, and the stop at the limit that was known last.
/** @import { Environment } from './usage-session.js' */
/** @import { CallRequest, Heartbeat, RealtimeTokenRequest, RequestOptions, UsageError } from './usage.js' */

import { getRealtimeToken, openCall, sendHeartbeat } from './usage.js';
import { Heartbeats } from './usage-heartbeat.js';
import { notRunning } from './usage-mistakes.js';
import { withRetries } from './usage-retry.js';

/** Ticks come twice a second; a gap like this is a sleep, or a clock that was set. */
const CLOCK_JUMP_MS = 5000;
/** At the limit the server is asked once more (minutes may have been bought); no answer by then means stop. */
const LIMIT_GRACE_MS = 2000;
const CALL_TRIES = 3;
/** Refusals that say that the server does not run this session, or any. */
const OVER_CODES = new Set(['no_active_session', 'no_credits', 'session_not_found']);

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

  /** @param {RealtimeTokenRequest} request */
  realtimeToken(request) {
    return this.#whileItRuns(() => getRealtimeToken({ ...request, sessionId: this.sessionId }, this.#request));
  }

  /** @param {Omit<CallRequest, 'sessionId'>} request */
  call(request) {
    const attempt = () => openCall({ ...request, sessionId: this.sessionId }, this.#request);
    // A try that was not answered may have opened a call, which the next one replaces. What was refused stays refused.
    const isWorthIt = (/** @type {UsageError} */ { status }) => status === 0 || status >= 500;
    return this.#whileItRuns(() => withRetries(attempt, CALL_TRIES, this.#environment, () => this.#stopped, isWorthIt));
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

  /**
   * @template T
   * @param {() => Promise<T>} ask for what lets somebody talk
   * @returns {Promise<T>}
   */
  async #whileItRuns(ask) {
    try {
      const answer = await ask();
      // In a session that is over it would let somebody talk on.
      if (this.#stopped) throw notRunning();
      // A session that waited for it is counted from now on.
      void this.heartbeat();
      return answer;
    } catch (error) {
      // The session is over, and nobody has told this page; a heartbeat is answered with how it ended.
      if (!this.#stopped && OVER_CODES.has(/** @type {UsageError} */ (error).code)) await this.heartbeat();
      throw this.#stopped ? notRunning() : error;
    }
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
