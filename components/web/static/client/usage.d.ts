/** The Talktime session API for browser code. Everything here is also what `usage.js` is checked against. */

import type {
  CallAnswer,
  CallBody,
  ClientReason,
  EndAnswer,
  HeartbeatAnswer,
  StartAnswer,
  StartBody,
  StatusAnswer,
  TokenAnswer,
  TokenBody,
} from './usage-wire.d.ts';

export type { ActiveSession, Difficulty, EndReason, LastSession, Timestamp as Instant } from './usage-wire.d.ts';

export type UsageStatus = StatusAnswer;
export type StartRequest = StartBody;
export type StartedSession = StartAnswer;
export type Heartbeat = HeartbeatAnswer;
export type EndedSession = EndAnswer;
export type RealtimeTokenRequest = TokenBody;
export type RealtimeToken = TokenAnswer;
export type CallRequest = CallBody;
export type OpenedCall = CallAnswer;

export interface RequestOptions {
  /** Where Talktime answers, without a slash at the end. Default: this page's own origin. */
  baseUrl?: string;
  /** Gives the bearer token. Asked again, with `refresh: true`, after a 401; what it rejects with counts as no answer. */
  getToken?: (hint: { refresh: boolean }) => string | null | undefined | Promise<string | null | undefined>;
  /** For cookies. Default `same-origin`; `include` for a cookie on another origin. */
  credentials?: RequestCredentials;
  /** Default 10 000. */
  timeoutMs?: number;
  /** The same key on each retry makes a retry harmless. Start, end and a call make one when none is given. */
  idempotencyKey?: string;
  /** Let the request outlive the page. */
  keepalive?: boolean;
  fetch?: typeof fetch;
}

export interface EndOptions extends RequestOptions {
  /** Default `user_ended`. */
  reason?: ClientReason;
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
/**
 * The voice provider's answer to a WebRTC offer. Each is a call of its own, which replaces the one before; so a retry has
 * a key of its own, too. Waits for 20 seconds unless told otherwise.
 */
export function openCall(request: CallRequest, options?: RequestOptions): Promise<OpenedCall>;
