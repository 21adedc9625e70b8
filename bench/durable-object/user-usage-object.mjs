// One user's minutes, in memory and in the object's own storage. Output gates are left as they are: no answer leaves
// before the writes that came before it are on the disk.

import { DurableObject } from 'cloudflare:workers';

const MINUTE = 60_000;
const WARNING_MINUTES = 5;

export class UserUsageObject extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    ctx.blockConcurrencyWhile(async () => {
      this.state = (await ctx.storage.get('state')) ?? null;
    });
  }

  getStatus() {
    const now = Date.now();
    const state = this.state ?? fresh('', now);
    const session = state.session;
    const used = minutesUsed(state, now);
    const limit = this.env.PLAN_MINUTES;
    const remaining = Math.max(0, limit - used);
    return {
      plan: state.plan,
      minutesUsed: used,
      minutesRemaining: remaining,
      minutesLimit: limit,
      percentUsed: Math.min(100, Math.floor((used * 100) / limit)),
      secondsRemaining: secondsRemaining(state, limit, now),
      periodStart: iso(state.periodStart),
      periodEnd: iso(state.periodEnd),
      hasActiveSession: session !== null,
      activeSessionMinutes: session ? billed(session.startedAt, now) : 0,
      activeSession: session && {
        sessionId: session.id,
        startedAt: iso(session.startedAt),
        lastHeartbeatAt: iso(session.lastHeartbeat),
        minutesUsed: billed(session.startedAt, now),
        topic: session.topic,
        difficulty: session.difficulty,
      },
      ...warning(remaining),
      serverTime: iso(now),
    };
  }

  async startSession(userId, { topic, difficulty }) {
    const now = Date.now();
    this.state ??= fresh(userId, now);
    this.#resetPeriod(now);
    await this.#enforce(now);
    const state = this.state;
    if (state.session) {
      return { status: 409, refused: 'session_active', error: 'A session runs', sessionId: state.session.id };
    }
    const remaining = this.env.PLAN_MINUTES - state.minutesUsed;
    if (remaining <= 0) return { status: 403, refused: 'no_credits', error: 'The minutes are used up' };
    state.session = { id: crypto.randomUUID(), startedAt: now, lastHeartbeat: now, topic, difficulty };
    this.#persist();
    this.ctx.storage.setAlarm(now + this.env.ALARM_SECONDS * 1000);
    return {
      sessionId: state.session.id,
      startedAt: iso(now),
      minutesRemaining: remaining,
      secondsRemaining: remaining * 60,
      heartbeatIntervalSeconds: 30,
    };
  }

  async heartbeat(sessionId) {
    const now = Date.now();
    if (!this.state) return NOT_FOUND;
    await this.#enforce(now);
    const state = this.state;
    if (state.session?.id === sessionId) {
      state.session.lastHeartbeat = now;
      this.#persist();
    } else if (state.lastSession?.id !== sessionId) {
      return NOT_FOUND;
    }
    const used = minutesUsed(state, now);
    const remaining = Math.max(0, this.env.PLAN_MINUTES - used);
    const { session, lastSession } = state;
    return {
      minutesUsed: session ? billed(session.startedAt, now) : lastSession.minutes,
      totalMinutesUsed: used,
      minutesRemaining: remaining,
      secondsRemaining: session ? secondsRemaining(state, this.env.PLAN_MINUTES, now) : 0,
      ...warning(remaining),
      ...(session ? {} : { ended: ended(lastSession) }),
    };
  }

  async endSession(sessionId) {
    const now = Date.now();
    if (!this.state) return NOT_FOUND;
    await this.#enforce(now);
    if (this.state.session?.id === sessionId) await this.#end('user_ended', now);
    const { lastSession, minutesUsed: used } = this.state;
    if (lastSession?.id !== sessionId) return NOT_FOUND;
    return {
      sessionMinutes: lastSession.minutes,
      totalMinutesUsed: used,
      minutesRemaining: Math.max(0, this.env.PLAN_MINUTES - used),
      ...ended(lastSession),
    };
  }

  /** Ends what is over, brings D1 up to date, and comes again while the session runs. */
  async alarm() {
    const now = Date.now();
    if (!this.state) return;
    await this.#enforce(now);
    if (!this.state.session) return;
    await this.env.DB.batch([this.#sessionRow(this.state.session.id, minutesOfSession(this.state, now), null, null), this.#periodRow(now)]);
    this.ctx.storage.setAlarm(now + this.env.ALARM_SECONDS * 1000);
  }

  /** Ends the session that fell silent or used the minutes up. */
  async #enforce(now) {
    const { session, minutesUsed: used } = this.state;
    if (!session) return;
    const limitAt = session.startedAt + (this.env.PLAN_MINUTES - used) * MINUTE;
    if (now - session.lastHeartbeat >= this.env.STALE_SECONDS * 1000) {
      await this.#end('stale', session.lastHeartbeat);
    } else if (now >= limitAt) {
      await this.#end('limit_reached', limitAt);
    }
  }

  async #end(reason, at) {
    const state = this.state;
    const minutes = minutesOfSession(state, at);
    const id = state.session.id;
    state.minutesUsed += minutes;
    state.lastSession = { id, minutes, endedAt: at, endReason: reason };
    state.session = null;
    this.#persist();
    this.ctx.storage.deleteAlarm();
    await this.env.DB.batch([this.#sessionRow(id, minutes, at, reason), this.#periodRow(at)]);
  }

  #sessionRow(id, minutes, endedAt, reason) {
    return this.env.DB.prepare('UPDATE usage_sessions SET minutes_used = ?, ended_at = ?, end_reason = ? WHERE id = ?').bind(
      minutes,
      endedAt && Math.floor(endedAt / 1000),
      reason,
      id,
    );
  }

  #periodRow(now) {
    const state = this.state;
    return this.env.DB.prepare(
      `INSERT INTO usage_periods (id, user_id, period_start, period_end, plan, minutes_used, minutes_limit, synced_at, version)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1)
             ON CONFLICT (user_id, period_start) DO UPDATE SET minutes_used = excluded.minutes_used,
                minutes_limit = excluded.minutes_limit, synced_at = excluded.synced_at, version = usage_periods.version + 1`,
    ).bind(
      state.periodId,
      state.userId,
      state.periodStart / 1000,
      state.periodEnd / 1000,
      state.plan,
      minutesUsed(state, now),
      this.env.PLAN_MINUTES,
      Math.floor(Date.now() / 1000),
    );
  }

  #resetPeriod(now) {
    if (now < this.state.periodEnd) return;
    const { periodId, periodStart, periodEnd } = fresh(this.state.userId, now);
    Object.assign(this.state, { periodId, periodStart, periodEnd, minutesUsed: 0 });
  }

  #persist() {
    // Not awaited: the output gate holds the answer until it is written.
    this.ctx.storage.put('state', this.state);
  }
}

const NOT_FOUND = { status: 404, refused: 'session_not_found', error: 'There is no such session' };

function fresh(userId, now) {
  const date = new Date(now);
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
  return {
    userId,
    plan: 'free',
    periodId: crypto.randomUUID(),
    periodStart: Date.UTC(year, month, 1),
    periodEnd: Date.UTC(year, month + 1, 1),
    minutesUsed: 0,
    session: null,
    lastSession: null,
  };
}

/** A minute counts as soon as it has begun, and each session is at least one. */
function billed(startedAt, now) {
  return Math.max(1, Math.ceil((now - startedAt) / MINUTE));
}

function minutesOfSession(state, now) {
  return state.session ? billed(state.session.startedAt, now) : 0;
}

function minutesUsed(state, now) {
  return state.minutesUsed + minutesOfSession(state, now);
}

function secondsRemaining(state, limit, now) {
  const minutes = Math.max(0, limit - state.minutesUsed);
  if (!state.session) return minutes * 60;
  return Math.max(0, Math.floor((state.session.startedAt + minutes * MINUTE - now) / 1000));
}

function warning(remaining) {
  return remaining <= WARNING_MINUTES ? { warning: `Only ${remaining} minutes left` } : {};
}

function ended(last) {
  return { endReason: last.endReason, endedAt: iso(last.endedAt) };
}

function iso(instant) {
  return new Date(instant).toISOString();
}
