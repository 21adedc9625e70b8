// @ts-check
// One session from start to end. The server decides everything; this keeps asking, counts down in between, and
// never lets a session run on past the limit that it knows.
/** @import * as Api from './usage-session.js' */
/** @import { StartRequest, StartedSession, UsageStatus, UsageError, Difficulty, RealtimeTokenRequest } from './usage.js' */

import { endSession, getRealtimeToken, getUsageStatus, sendHeartbeat, startSession } from './usage.js';
import { LOW_MINUTES, planMayHaveChanged, withTotals } from './usage-credit.js';
import { browserEnvironment } from './usage-environment.js';
import { waitMs, withRetries } from './usage-retry.js';
import { Tab } from './usage-tab.js';

const START_TRIES = 3;
const END_TRIES = 4;
/** Ticks come twice a second; a gap like this is a sleep, or a clock that was set. */
const CLOCK_JUMP_MS = 5000;
/** At the limit the server is asked once more (minutes may have been bought); no answer by then means stop. */
const LIMIT_GRACE_MS = 2000;
/** Coming back to a tab asks the server only if the last answer is older than this. */
const FRESH_MS = 5000;
const DEFAULT_HEARTBEAT_SECONDS = 30;

/** @implements {Api.UsageSession} */
export class UsageSession extends EventTarget {
  /** @type {Api.SessionState} */ state = 'idle';
  /** @type {string | undefined} */ sessionId;
  /** @type {string | undefined} */ topic;
  /** @type {Difficulty | undefined} */ difficulty;
  /** @type {UsageStatus | undefined} */ status;
  /** @type {Api.SessionSummary | undefined} */ summary;
  connected = true;

  #environment;
  #tab;
  /** @type {import('./usage.js').RequestOptions} */ #request;
  /** @type {string | null | undefined} */ #lastToken;
  /** @type {(() => void) | undefined} */ #stopTicker;
  /** @type {Promise<void> | undefined} */ #beating;
  #intervalMs = DEFAULT_HEARTBEAT_SECONDS * 1000;
  #deadline = 0;
  #nextHeartbeatAt = 0;
  #answeredAt = 0;
  #lastTickAt = 0;
  #lastSecond = -1;
  #failures = 0;
  #warned = false;
  #atLimit = false;

  /** @param {Api.UsageSessionOptions} [options] */
  constructor(options = {}) {
    super();
    const { environment, ...request } = options;
    this.#environment = environment ?? browserEnvironment();
    this.#tab = new Tab(this.#environment);
    this.#request = request;
    const { getToken } = request;
    if (getToken) {
      // Kept for the unload, when nothing can be awaited any more.
      this.#request = { ...request, getToken: async (hint) => (this.#lastToken = await getToken(hint)) };
    }
    const { events, channel } = this.#environment;
    events.addEventListener('online', this.#lookAgain);
    events.addEventListener('visibilitychange', this.#onVisibility, true);
    events.addEventListener('pagehide', this.#onPageHide);
    channel?.addEventListener('message', this.#lookAgain);
  }

  get secondsRemaining() {
    if (this.state === 'idle' || this.state === 'starting') return this.status?.secondsRemaining ?? 0;
    if (this.state !== 'running') return 0;
    return Math.max(0, Math.ceil((this.#deadline - this.#environment.now()) / 1000));
  }

  get canStart() {
    const free = this.state === 'idle' || this.state === 'ended';
    return free && this.status !== undefined && this.status.minutesRemaining > 0;
  }

  async refresh() {
    const status = await getUsageStatus(this.#request);
    this.status = status;
    if (this.state === 'running' && status.activeSession?.sessionId === this.sessionId) {
      this.#countFrom(status.secondsRemaining);
    }
    this.#changed();
    return status;
  }

  /** @param {StartRequest} [request] */
  async start(request = {}) {
    if (this.state !== 'idle' && this.state !== 'ended') throw new Error(`A session is ${this.state}`);
    this.#enter('starting');
    this.summary = undefined;
    await this.#sendPendingEnd();
    const idempotencyKey = this.#environment.randomUuid();
    try {
      const attempt = () => startSession(request, { ...this.#request, idempotencyKey });
      const started = await withRetries(attempt, START_TRIES, this.#environment);
      this.topic = request.topic;
      this.difficulty = request.difficulty;
      await this.#tab.lock(started.sessionId);
      this.#run(started.sessionId, started.heartbeatIntervalSeconds, started);
      this.#tab.tellOthers();
    } catch (error) {
      this.#enter('idle');
      // The refusal says that the usage on show is out of date.
      await this.refresh().catch(() => undefined);
      throw error;
    }
  }

  async resume() {
    const saved = this.#tab.saved;
    if (!saved) return false;
    if (saved.endKey) {
      await this.#sendPendingEnd();
      this.#enter('ended');
      return false;
    }
    if (!(await this.#tab.lock(saved.sessionId))) return false;
    let status;
    try {
      status = await this.refresh();
    } catch (error) {
      this.#tab.unlock();
      throw error;
    }
    if (status.activeSession?.sessionId !== saved.sessionId) {
      this.#tab.save(undefined);
      this.#tab.unlock();
      return false;
    }
    this.topic = saved.topic;
    this.difficulty = saved.difficulty;
    this.#warned = saved.warned;
    this.#run(saved.sessionId, saved.heartbeatIntervalSeconds, status);
    return true;
  }

  /** @param {RealtimeTokenRequest} [request] */
  realtimeToken(request = {}) {
    const own = this.sessionId === undefined ? {} : { sessionId: this.sessionId };
    return getRealtimeToken({ ...request, ...own }, this.#request);
  }

  /** @param {'user_ended' | 'error'} [reason] */
  async end(reason = 'user_ended') {
    if (this.state !== 'running' || !this.sessionId) return;
    const sessionId = this.sessionId;
    this.#enter('ending');
    const idempotencyKey = this.#rememberEnd(reason);
    try {
      const attempt = () => endSession(sessionId, { ...this.#request, reason, idempotencyKey, keepalive: true });
      const answer = await withRetries(attempt, END_TRIES, this.#environment);
      this.#applyTotals(answer.totalMinutesUsed, answer.minutesRemaining, 0);
      this.#tab.save(undefined);
      this.#finish({ sessionId, endReason: answer.endReason, sessionMinutes: answer.sessionMinutes, endedBy: 'page' });
    } catch (error) {
      const failure = /** @type {UsageError} */ (error);
      // Sent again when the network is back, or at the next visit; the server ends a silent session by itself, too.
      if (!failure.retryable) this.#tab.save(undefined);
      this.#finish({ sessionId, endReason: reason, sessionMinutes: undefined, endedBy: 'page' });
      if (failure.status !== 404) this.#report(failure);
    }
  }

  dispose() {
    this.#onPageHide();
    const { events, channel } = this.#environment;
    events.removeEventListener('online', this.#lookAgain);
    events.removeEventListener('visibilitychange', this.#onVisibility, true);
    events.removeEventListener('pagehide', this.#onPageHide);
    channel?.close();
  }

  /**
   * @param {string} sessionId
   * @param {number} heartbeatIntervalSeconds
   * @param {{ minutesRemaining: number, secondsRemaining: number }} credit
   */
  #run(sessionId, heartbeatIntervalSeconds, credit) {
    const now = this.#environment.now();
    this.sessionId = sessionId;
    this.#intervalMs = (heartbeatIntervalSeconds || DEFAULT_HEARTBEAT_SECONDS) * 1000;
    this.#failures = 0;
    this.#lastTickAt = now;
    this.connected = true;
    const limit = this.status?.minutesLimit;
    const used = limit === undefined ? undefined : limit - credit.minutesRemaining;
    this.#applyTotals(used, credit.minutesRemaining, credit.secondsRemaining);
    this.#nextHeartbeatAt = now + this.#intervalMs;
    this.#enter('running');
    this.#stopTicker = this.#environment.startTicker(() => this.#tick());
    this.#warnIfLow(credit.minutesRemaining);
    this.#remember();
  }

  #tick() {
    if (this.state !== 'running') return;
    const now = this.#environment.now();
    const gap = now - this.#lastTickAt;
    this.#lastTickAt = now;
    if (now >= this.#deadline) void this.#reachLimit();
    else if (now >= this.#nextHeartbeatAt || gap > CLOCK_JUMP_MS || gap < 0) void this.#heartbeat();
    if (this.secondsRemaining !== this.#lastSecond) {
      this.#lastSecond = this.secondsRemaining;
      this.dispatchEvent(new Event('tick'));
    }
  }

  /** One at a time: a slow heartbeat is not overtaken by the next one. */
  #heartbeat() {
    this.#beating ??= this.#beat().finally(() => (this.#beating = undefined));
    return this.#beating;
  }

  async #beat() {
    const sessionId = this.sessionId;
    if (!sessionId) return;
    const isOver = () => this.state !== 'running' || this.sessionId !== sessionId;
    try {
      const answer = await sendHeartbeat(sessionId, this.#request);
      if (isOver()) return;
      this.#failures = 0;
      this.connected = true;
      this.#nextHeartbeatAt = this.#environment.now() + this.#intervalMs;
      // Whole seconds: a session that the server still runs has a part of one left, and ends by the server's word.
      const seconds = answer.ended ? 0 : Math.max(1, answer.secondsRemaining);
      this.#applyTotals(answer.totalMinutesUsed, answer.minutesRemaining, seconds);
      if (answer.ended) {
        const { endReason, sessionMinutes } = answer.ended;
        this.#tab.save(undefined);
        this.#finish({ sessionId, endReason, sessionMinutes, endedBy: endReason === 'user_ended' ? 'elsewhere' : 'server' });
        return;
      }
      this.#warnIfLow(answer.minutesRemaining);
      this.#changed();
      if (this.status && planMayHaveChanged(this.status)) this.refresh().catch(() => undefined);
    } catch (error) {
      if (!isOver()) this.#heartbeatFailed(sessionId, /** @type {UsageError} */ (error));
    }
  }

  /**
   * @param {string} sessionId
   * @param {UsageError} error
   */
  #heartbeatFailed(sessionId, error) {
    if (error.retryable) {
      this.#failures += 1;
      const wait = waitMs(this.#failures, error.retryAfterSeconds, this.#environment.random);
      this.#nextHeartbeatAt = this.#environment.now() + Math.min(wait, this.#intervalMs);
      this.connected = false;
      this.#changed();
      return;
    }
    // Refused for good: the server does not know the session, or no longer the user. Nobody may go on unmetered.
    this.#tab.save(undefined);
    const endReason = error.status === 404 ? 'replaced' : 'error';
    this.#finish({ sessionId, endReason, sessionMinutes: undefined, endedBy: error.status === 404 ? 'elsewhere' : 'server' });
    if (error.status !== 404) this.#report(error);
  }

  async #reachLimit() {
    if (this.#atLimit) return;
    this.#atLimit = true;
    await Promise.race([this.#heartbeat(), this.#environment.sleep(LIMIT_GRACE_MS)]);
    this.#atLimit = false;
    if (this.state !== 'running' || !this.sessionId || this.#environment.now() < this.#deadline) return;
    this.#rememberEnd('user_ended');
    const limit = this.status?.minutesLimit;
    this.#applyTotals(limit, 0, 0);
    this.#finish({ sessionId: this.sessionId, endReason: 'limit_reached', sessionMinutes: undefined, endedBy: 'server' });
    void this.#sendPendingEnd();
  }

  /** @param {Api.SessionSummary} summary */
  #finish(summary) {
    this.#stopTicker?.();
    this.#stopTicker = undefined;
    this.summary = summary;
    this.sessionId = undefined;
    this.#warned = false;
    this.connected = true;
    this.#tab.unlock();
    this.#enter('ended');
    this.dispatchEvent(new CustomEvent('ended', { detail: summary }));
    this.#tab.tellOthers();
    this.refresh().catch(() => undefined);
  }

  async #sendPendingEnd() {
    const saved = this.#tab.saved;
    if (!saved?.endKey) return;
    const options = { ...this.#request, idempotencyKey: saved.endKey, ...(saved.endReason ? { reason: saved.endReason } : {}) };
    try {
      const { endReason, sessionMinutes } = await endSession(saved.sessionId, options);
      this.summary ??= { sessionId: saved.sessionId, endReason, sessionMinutes, endedBy: 'unload' };
      this.#forget(saved.sessionId);
      await this.refresh();
    } catch (error) {
      if (!(/** @type {UsageError} */ (error).retryable)) this.#forget(saved.sessionId);
    }
  }

  /** @param {string} sessionId a new session may have begun meanwhile, and its record stays */
  #forget(sessionId) {
    if (this.#tab.saved?.sessionId === sessionId) this.#tab.save(undefined);
  }

  /** The network is back, the user is, or another tab has changed something. */
  #lookAgain = () => {
    if (this.state === 'running') void this.#heartbeat();
    else if (this.#tab.saved?.endKey && this.state !== 'ending') void this.#sendPendingEnd();
    else if (this.status) this.refresh().catch(() => undefined);
  };

  #onVisibility = () => {
    if (this.#environment.isVisible() && this.#environment.now() - this.#answeredAt > FRESH_MS) this.#lookAgain();
  };

  #onPageHide = () => {
    if (this.state !== 'running' || !this.sessionId) return;
    if (this.#environment.isReloading()) return;
    const sessionId = this.sessionId;
    const idempotencyKey = this.#rememberEnd('user_ended');
    const token = this.#lastToken;
    const getToken = () => token;
    endSession(sessionId, { ...this.#request, getToken, idempotencyKey, keepalive: true }).then(
      () => this.#forget(sessionId),
      () => undefined, // Kept for the next visit.
    );
    // The page may come back from the browser's back/forward cache, and then shows what is true.
    this.#finish({ sessionId, endReason: 'user_ended', sessionMinutes: undefined, endedBy: 'unload' });
  };

  #remember() {
    if (!this.sessionId) return;
    this.#tab.save({
      sessionId: this.sessionId,
      warned: this.#warned,
      heartbeatIntervalSeconds: this.#intervalMs / 1000,
      ...(this.topic === undefined ? {} : { topic: this.topic }),
      ...(this.difficulty === undefined ? {} : { difficulty: this.difficulty }),
    });
  }

  /** @param {'user_ended' | 'error'} endReason */
  #rememberEnd(endReason) {
    const endKey = this.#environment.randomUuid();
    const sessionId = this.sessionId ?? '';
    this.#tab.save({ sessionId, endKey, endReason, warned: true, heartbeatIntervalSeconds: this.#intervalMs / 1000 });
    return endKey;
  }

  /** @param {number} secondsRemaining */
  #countFrom(secondsRemaining) {
    this.#answeredAt = this.#environment.now();
    this.#deadline = this.#answeredAt + secondsRemaining * 1000;
  }

  /**
   * @param {number | undefined} minutesUsed
   * @param {number} minutesRemaining
   * @param {number} secondsRemaining
   */
  #applyTotals(minutesUsed, minutesRemaining, secondsRemaining) {
    this.#countFrom(secondsRemaining);
    if (!this.status || minutesUsed === undefined) return;
    this.status = withTotals(this.status, { minutesUsed, minutesRemaining, secondsRemaining });
  }

  /** @param {number} minutesRemaining */
  #warnIfLow(minutesRemaining) {
    if (this.#warned || minutesRemaining > LOW_MINUTES) return;
    this.#warned = true;
    this.#remember();
    this.dispatchEvent(new Event('warning'));
  }

  /** @param {UsageError} error */
  #report(error) {
    this.dispatchEvent(new CustomEvent('error', { detail: error }));
  }

  /** @param {Api.SessionState} state */
  #enter(state) {
    this.state = state;
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event('change'));
  }
}
