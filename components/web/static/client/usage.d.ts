/** The Talktime session API for browser code. Everything here is also what `usage.js` is checked against. */

export type Difficulty = 'beginner' | 'intermediate' | 'advanced';

/** Why a session is over, as the server says it. */
export type EndReason = 'user_ended' | 'limit_reached' | 'timeout' | 'error' | 'stale';

/** An instant: RFC 3339, UTC, for example `2026-11-25T03:00:00Z`. */
export type Instant = string;

export interface ActiveSession {
  sessionId: string;
  startedAt: Instant;
  lastHeartbeatAt?: Instant;
  minutesUsed?: number;
  topic?: string | null;
  difficulty?: Difficulty | null;
}

export interface LastSession {
  sessionId: string;
  startedAt: Instant;
  endedAt: Instant;
  endReason: EndReason;
  sessionMinutes: number;
}

export interface UsageStatus {
  plan: string;
  minutesUsed: number;
  minutesRemaining: number;
  minutesLimit: number;
  /** A whole number, 0 to 100. */
  percentUsed: number;
  /** Exact: the time until the running session (or one that started now) will be stopped. */
  secondsRemaining: number;
  periodStart: Instant;
  periodEnd: Instant;
  hasActiveSession: boolean;
  activeSessionMinutes: number;
  activeSession?: ActiveSession | null;
  lastSession?: LastSession | null;
  /** There when five minutes or less are left. */
  warning?: string | null;
  /** Where to get more minutes. */
  upgradeUrl?: string | null;
  serverTime: Instant;
}

export interface StartRequest {
  topic?: string;
  difficulty?: Difficulty;
  /** End the session that is running elsewhere, and start this one, in one step. */
  takeover?: boolean;
}

export interface StartedSession {
  sessionId: string;
  startedAt: Instant;
  minutesRemaining: number;
  secondsRemaining: number;
  heartbeatIntervalSeconds: number;
}

export interface Heartbeat {
  /** Of this session. */
  minutesUsed: number;
  /** Of the whole period. */
  totalMinutesUsed: number;
  minutesRemaining: number;
  secondsRemaining: number;
  warning?: string | null;
  /** There when the session is over. */
  ended?: { endReason: EndReason; endedAt: Instant; sessionMinutes: number } | null;
}

export interface EndedSession {
  sessionMinutes: number;
  totalMinutesUsed: number;
  minutesRemaining: number;
  endReason: EndReason;
  endedAt: Instant;
}

export interface RealtimeTokenRequest {
  provider?: string;
  model?: string;
  voice?: string;
  /** Refused with `no_active_session` if another session is the running one. */
  sessionId?: string;
}

export interface RealtimeToken {
  token: string;
  provider: string;
  model: string;
  expiresAt: Instant;
  minutesRemaining: number;
  secondsRemaining: number;
  connect: { url: string; method: string };
}

export interface RequestOptions {
  /** Where Talktime answers, without a slash at the end. Default: this page's own origin. */
  baseUrl?: string;
  /** Gives the bearer token. Asked again, with `refresh: true`, after a 401; what it rejects with counts as no answer. */
  getToken?: (hint: { refresh: boolean }) => string | null | undefined | Promise<string | null | undefined>;
  /** For cookies. Default `same-origin`; `include` for a cookie on another origin. */
  credentials?: RequestCredentials;
  /** Default 10 000. */
  timeoutMs?: number;
  /** The same key on each retry makes a retry harmless. Start and end make one when none is given. */
  idempotencyKey?: string;
  /** Let the request outlive the page. */
  keepalive?: boolean;
  fetch?: typeof fetch;
}

export interface EndOptions extends RequestOptions {
  /** Default `user_ended`. */
  reason?: 'user_ended' | 'error' | 'timeout';
}

/** Everything that can go wrong comes as one of these. */
export class UsageError extends Error {
  constructor(details: {
    status: number;
    code: string;
    message: string;
    sessionId?: string;
    retryAfterSeconds?: number;
    cause?: unknown;
  });
  /** The HTTP status; 0 when there was no answer. */
  readonly status: number;
  /** The server's stable code, or `network`, `timeout`, `bad_answer`, `sign_in` (`getToken` failed). */
  readonly code: string;
  /** With `session_active`: the session that is running. */
  readonly sessionId: string | undefined;
  readonly retryAfterSeconds: number | undefined;
  /** Whether the same request may succeed a little later. */
  get retryable(): boolean;
}

export function getUsageStatus(options?: RequestOptions): Promise<UsageStatus>;
export function startSession(request?: StartRequest, options?: RequestOptions): Promise<StartedSession>;
export function sendHeartbeat(sessionId: string, options?: RequestOptions): Promise<Heartbeat>;
export function endSession(sessionId: string, options?: EndOptions): Promise<EndedSession>;
export function getRealtimeToken(request?: RealtimeTokenRequest, options?: RequestOptions): Promise<RealtimeToken>;
