// @ts-check
// One session from start to end. The server decides everything; this keeps asking, counts down in between, and
// never lets a session run on past the limit that it knows.
/** @import * as Api from './usage-session.js' */
/** @import { CallRequest, Difficulty, EndedSession, Heartbeat, RealtimeTokenRequest, RequestOptions, StartRequest, UsageError } from './usage.js' */

import { startSession } from './usage.js';
import { LOW_MINUTES, planMayHaveChanged } from './usage-credit.js';
import { PendingEnds, summaryAfter } from './usage-ends.js';
import { browserEnvironment } from './usage-environment.js';
import { abandoned, alreadyStarted, notRunning } from './usage-mistakes.js';
import { PageEvents } from './usage-page-events.js';
import { UsageReading } from './usage-reading.js';
import { withRetries } from './usage-retry.js';
import { RunningSession } from './usage-running.js';
import { Tab } from './usage-tab.js';

const START_TRIES = 3;
/** After them the session is over for the page, which goes on telling the server. */
const END_TRIES = 2;

/** @implements {Api.UsageSession} */
export class UsageSession extends EventTarget {
  /** @type {Api.SessionState} */ state = 'idle';
  /** @type {string | undefined} */ topic;
  /** @type {Difficulty | undefined} */ difficulty;
  /** @type {Api.SessionSummary | undefined} */ summary;

  #environment;
  #tab;
  #ends;
  #reading;
  #page;
  /** @type {RequestOptions} */ #request;
  /** @type {string | null | undefined} */ #lastToken;
  /** @type {RunningSession | undefined} */ #running;
  /** @type {(() => void) | undefined} */ #unlock;
  /** @type {Promise<void> | undefined} */ #starting;
  /** Counts starts, leavings and the disposal, so that what belongs to an older one is seen to be late. */
  #turn = 0;
  #disposed = false;
  /** The first reading failed, so the session of before a reload may still be waiting. */
  #mayResume = false;
  #secondsAtEnd = 0;
  #warned = false;

  /** @param {Api.UsageSessionOptions} [options] */
  constructor(options = {}) {
    super();
    const { environment, ...request } = options;
    this.#environment = environment ?? browserEnvironment();
    this.#tab = new Tab(this.#environment);
    this.#request = request;
    const { getToken } = request;
    // Kept for the unload, when nothing can be awaited any more.
    if (getToken) this.#request = { ...request, getToken: async (hint) => (this.#lastToken = await getToken(hint)) };
    this.#ends = new PendingEnds(this.#tab, this.#request, this.#environment.randomUuid);
    this.#reading = new UsageReading(this.#environment, this.#request, {
      changed: () => this.#emit('change'),
      settle: () => this.#settle(),
      isNeeded: () => this.#running !== undefined || this.#environment.isVisible(),
    });
    this.#page = new PageEvents(this.#environment, {
      lookAgain: () => this.#lookAgain(),
      isFresh: () => this.#reading.isFresh && !this.#ends.any,
      otherTab: () => {
        // A page that nobody sees asks when it is seen.
        this.#reading.outdated();
        if (this.#running || this.#environment.isVisible()) this.#lookAgain();
      },
      leave: () => {
        // A reload that the browser announces: the page comes back, and goes on with the session.
        if (!this.#running || !this.#environment.isReloading()) this.#leave();
      },
    });
  }

  get status() {
    return this.#reading.status;
  }

  get failure() {
    return this.#reading.failure;
  }

  get connected() {
    return this.failure === undefined;
  }

  get sessionId() {
    return this.#running?.sessionId;
  }

  get secondsRemaining() {
    if (this.state === 'idle' || this.state === 'starting') return this.status?.secondsRemaining ?? 0;
    if (this.state === 'ending') return this.#secondsAtEnd;
    return this.#running?.secondsRemaining ?? 0;
  }

  get canStart() {
    const free = this.state === 'idle' || this.state === 'ended';
    return free && !this.#disposed && this.status !== undefined && this.status.minutesRemaining > 0;
  }

  async open() {
    try {
      if (await this.resume()) return true;
      if (!this.#disposed) await this.refresh();
    } catch (error) {
      if (this.#disposed) return false;
      this.#mayResume = true;
      this.#reading.failed(error);
      this.#reading.catchUp.failed(error);
      this.#emit('error', error);
    }
    return false;
  }

  async refresh() {
    const status = await this.#reading.refresh();
    if (status.activeSession?.sessionId === this.sessionId) this.#running?.countFrom(status.secondsRemaining);
    this.#emit('change');
    return status;
  }

  /** @param {StartRequest} [request] */
  start(request = {}) {
    // A double click is one start.
    if (this.state !== 'starting' || !this.#starting) this.#starting = this.#start(request);
    return this.#starting;
  }

  /** @param {StartRequest} request */
  async #start(request) {
    if (this.#disposed) throw abandoned();
    if (this.state !== 'idle' && this.state !== 'ended') throw alreadyStarted(this.state);
    const turn = ++this.#turn;
    this.summary = undefined;
    this.#enter('starting');
    try {
      await this.#startAs(turn, request);
    } catch (error) {
      if (turn !== this.#turn) throw abandoned();
      this.#enter('idle');
      // The refusal says that the usage on show is out of date; where there is no answer, there is nothing to wait for.
      const reading = this.#reading.catchUp.now();
      if (/** @type {UsageError} */ (error).status !== 0) await reading;
      throw error;
    }
  }

  /**
   * @param {number} turn
   * @param {StartRequest} request
   */
  async #startAs(turn, request) {
    const isLeft = () => turn !== this.#turn;
    // A session that this page has ended must not stand in the way; if it cannot be told, the start says why.
    await this.#ends.deliver(this.#onDelivered).catch(() => undefined);
    if (isLeft()) throw abandoned();
    const idempotencyKey = this.#environment.randomUuid();
    const attempt = () => startSession(request, { ...this.#request, idempotencyKey });
    const started = await withRetries(attempt, START_TRIES, this.#environment, isLeft);
    const unlock = isLeft() ? undefined : await this.#tab.lock(started.sessionId);
    if (isLeft()) {
      unlock?.();
      // Nobody talks in it. What does not arrive is kept for the page's return, or for the next visit.
      this.#ends.send(this.#ends.remember(started.sessionId, 'error'), { keepalive: true })
        .catch(() => undefined).then(() => this.#reading.catchUp.now());
      throw abandoned();
    }
    this.#unlock = unlock;
    this.topic = request.topic;
    this.difficulty = request.difficulty;
    this.#run(started.sessionId, started.heartbeatIntervalSeconds, started);
    this.#tab.tellOthers();
  }

  async resume() {
    if (this.#disposed || (this.state !== 'idle' && this.state !== 'ended')) return false;
    const turn = this.#turn;
    const isLeft = () => turn !== this.#turn;
    if (this.#ends.any) await this.#ends.deliver(this.#onDelivered);
    const { saved } = this.#tab;
    const unlock = saved && !isLeft() && (await this.#tab.lock(saved.sessionId));
    if (!unlock) return false;
    try {
      const status = isLeft() ? undefined : await this.refresh();
      if (!status || isLeft()) return false;
      if (status.activeSession?.sessionId !== saved.sessionId) {
        this.#tab.forget(saved.sessionId);
        return false;
      }
      this.#unlock = unlock;
      this.topic = saved.topic;
      this.difficulty = saved.difficulty;
      this.#warned = saved.warned;
      this.summary = undefined;
      this.#run(saved.sessionId, saved.heartbeatIntervalSeconds, status);
    } finally {
      if (this.#unlock !== unlock) unlock();
    }
    this.#emit('resumed');
    return true;
  }

  /** @param {RealtimeTokenRequest} [request] */
  async realtimeToken(request = {}) {
    if (!this.#running) throw notRunning();
    return this.#running.realtimeToken(request);
  }

  /** @param {Omit<CallRequest, 'sessionId'>} request */
  async call(request) {
    if (!this.#running) throw notRunning();
    return this.#running.call(request);
  }

  /** @param {'user_ended' | 'error'} [reason] */
  async end(reason = 'user_ended') {
    const { sessionId } = this;
    if (!sessionId) return;
    this.#secondsAtEnd = this.secondsRemaining;
    const end = this.#ends.remember(sessionId, reason);
    this.#stopRunning(sessionId);
    this.#enter('ending');
    try {
      const attempt = () => this.#ends.send(end, { keepalive: true });
      const answer = await withRetries(attempt, END_TRIES, this.#environment);
      this.#reading.applyTotals(answer.totalMinutesUsed, answer.minutesRemaining, 0);
      this.#finish({ sessionId, endReason: answer.endReason, sessionMinutes: answer.sessionMinutes, endedBy: 'page' });
    } catch (error) {
      this.#finish({ sessionId, endReason: reason, sessionMinutes: undefined, endedBy: 'page' });
      const failure = /** @type {UsageError} */ (error);
      if (failure.status === 404) return;
      this.#reading.failed(failure);
      this.#emit('error', failure);
    }
  }

  dispose() {
    if (this.#disposed) return;
    this.#leave();
    this.#disposed = true;
    this.#turn += 1;
    this.#reading.stop();
    this.#page.stop();
    this.#tab.close();
  }

  /**
   * @param {string} sessionId
   * @param {number} intervalSeconds
   * @param {{ minutesRemaining: number, secondsRemaining: number }} credit
   */
  #run(sessionId, intervalSeconds, { minutesRemaining, secondsRemaining }) {
    this.#mayResume = false;
    const session = { sessionId, intervalSeconds, secondsRemaining };
    this.#running = new RunningSession(session, this.#environment, this.#request, {
      heard: (answer, seconds) => this.#hear(answer, seconds),
      failed: (error) => this.#reading.failed(error),
      refused: (error) => this.#refused(sessionId, error),
      ticked: () => this.#emit('tick'),
      limitReached: () => this.#limitReached(sessionId),
    });
    const limit = this.status?.minutesLimit;
    this.#reading.applyTotals(limit === undefined ? undefined : limit - minutesRemaining, minutesRemaining, secondsRemaining);
    this.#enter('running');
    this.#warnIfLow(minutesRemaining);
    this.#remember();
  }

  /**
   * @param {Heartbeat} answer
   * @param {number} seconds
   */
  #hear(answer, seconds) {
    const before = this.status?.minutesUsed;
    this.#reading.applyTotals(answer.totalMinutesUsed, answer.minutesRemaining, seconds);
    if (answer.ended && this.sessionId) {
      const { endReason, sessionMinutes } = answer.ended;
      const endedBy = endReason === 'user_ended' ? 'elsewhere' : 'server';
      return this.#finish({ sessionId: this.sessionId, endReason, sessionMinutes, endedBy });
    }
    this.#warnIfLow(answer.minutesRemaining);
    this.#emit('change');
    if (answer.totalMinutesUsed !== before) this.#tab.tellOthers();
    if (this.status && planMayHaveChanged(this.status)) void this.#reading.catchUp.now();
  }

  /**
   * The server does not know the session, or no longer the user: nobody may go on unmetered.
   * @param {string} sessionId
   * @param {UsageError} error
   */
  #refused(sessionId, error) {
    const unknown = error.status === 404;
    // Told once the user is signed in again, so that it is not paid for until the server notices the silence.
    if (error.status === 401) this.#ends.remember(sessionId, 'error');
    const endReason = unknown ? 'replaced' : 'error';
    this.#finish({ sessionId, endReason, sessionMinutes: undefined, endedBy: unknown ? 'elsewhere' : 'server' });
    if (!unknown) this.#emit('error', error);
  }

  /** @param {string} sessionId */
  #limitReached(sessionId) {
    this.#ends.remember(sessionId, 'user_ended');
    this.#reading.applyTotals(this.status?.minutesLimit, 0, 0);
    this.#finish({ sessionId, endReason: 'limit_reached', sessionMinutes: undefined, endedBy: 'server' });
  }

  /** @param {Api.SessionSummary} summary */
  #finish(summary) {
    this.#stopRunning(summary.sessionId);
    this.summary = summary;
    this.#warned = false;
    this.#enter('ended');
    this.#emit('ended', summary);
    this.#tab.tellOthers();
    // A page that is being left has no more time for it; if it comes back, it asks then.
    if (summary.endedBy !== 'unload') void this.#reading.catchUp.now();
  }

  /** @param {string} sessionId */
  #stopRunning(sessionId) {
    this.#running?.stop();
    this.#running = undefined;
    this.#tab.forget(sessionId);
    this.#unlock?.();
    this.#unlock = undefined;
  }

  /** What is owed: the session of before a reload, ends that have not arrived, the usage as it is now. */
  async #settle() {
    if (this.state === 'starting' || this.state === 'ending') return;
    if (this.#mayResume && (await this.resume())) return;
    await this.#ends.deliver(this.#onDelivered);
    if (!this.#disposed) await this.refresh();
    this.#mayResume = false;
  }

  /** @type {(sessionId: string, answer: EndedSession) => void} */
  #onDelivered = (sessionId, answer) => {
    const summary = summaryAfter(this.summary, sessionId, answer);
    if (!summary || (this.state !== 'idle' && this.state !== 'ended')) return;
    this.summary = summary;
    this.#enter('ended');
    this.#emit('settled', summary);
  };

  /** The network is back, or the user is. */
  #lookAgain() {
    if (this.#running) void this.#running.heartbeat();
    else if (this.status || this.#reading.catchUp.owed || this.#ends.any) void this.#reading.catchUp.now();
  }

  #leave() {
    if (this.state === 'starting') {
      this.#turn += 1;
      this.#enter('idle');
    }
    const { sessionId } = this;
    if (!sessionId) return;
    const end = this.#ends.remember(sessionId, 'user_ended');
    this.#ends.send(end, { keepalive: true, getToken: () => this.#lastToken }).then(
      (answer) => this.#onDelivered(sessionId, answer),
      () => undefined, // Kept for the page's return, or for the next visit.
    );
    this.#finish({ sessionId, endReason: 'user_ended', sessionMinutes: undefined, endedBy: 'unload' });
  }

  #remember() {
    if (!this.#running) return;
    const { sessionId, intervalSeconds: heartbeatIntervalSeconds } = this.#running;
    this.#tab.save({ sessionId, topic: this.topic, difficulty: this.difficulty, warned: this.#warned, heartbeatIntervalSeconds });
  }

  /** @param {number} minutesRemaining */
  #warnIfLow(minutesRemaining) {
    if (this.#warned || minutesRemaining > LOW_MINUTES) return;
    this.#warned = true;
    this.#remember();
    this.#emit('warning');
  }

  /** @param {Api.SessionState} state */
  #enter(state) {
    this.state = state;
    this.#emit('change');
  }

  /**
   * @param {keyof Api.SessionEventMap} type
   * @param {unknown} [detail]
   */
  #emit(type, detail) {
    if (!this.#disposed) this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
