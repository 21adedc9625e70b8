// @ts-check
// The Talktime session API, one function a route. No state: UsageSession (usage-session.js) owns a session's life.
/** @import * as Api from './usage.js' */

import { randomUuid } from './usage-random.js';

/** Longer than any healthy answer takes, shorter than a heartbeat interval. */
const TIMEOUT_MS = 10_000;
/** The provider has to answer an offer, too. */
const CALL_TIMEOUT_MS = 20_000;
/** What only an operator, or the page itself, can change: waiting does not. */
const FINAL_CODES = new Set(['provider_not_configured', 'misconfigured', 'already_started', 'not_running', 'abandoned']);

/** @implements {Api.UsageError} */
export class UsageError extends Error {
  /** @param {ConstructorParameters<typeof Api.UsageError>[0]} details */
  constructor({ status, code, message, sessionId, retryAfterSeconds, cause }) {
    super(message, { cause });
    this.name = 'UsageError';
    this.status = status;
    this.code = code;
    this.sessionId = sessionId;
    this.retryAfterSeconds = retryAfterSeconds;
  }

  get retryable() {
    if (FINAL_CODES.has(this.code)) return false;
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

/** @type {typeof Api.getUsageStatus} */
export function getUsageStatus(options = {}) {
  return call('GET', '/api/session/status', undefined, options);
}

/** @type {typeof Api.startSession} */
export function startSession(request = {}, options = {}) {
  return call('POST', '/api/session/start', request, { idempotencyKey: randomUuid(), ...options });
}

/** @type {typeof Api.sendHeartbeat} */
export function sendHeartbeat(sessionId, options = {}) {
  return call('POST', '/api/session/heartbeat', { sessionId }, options);
}

/** @type {typeof Api.endSession} */
export function endSession(sessionId, options = {}) {
  const { reason, ...rest } = options;
  const body = reason === undefined ? { sessionId } : { sessionId, reason };
  return call('POST', '/api/session/end', body, { idempotencyKey: randomUuid(), ...rest });
}

/** @type {typeof Api.getRealtimeToken} */
export function getRealtimeToken(request = {}, options = {}) {
  return call('POST', '/api/realtime-token', request, options);
}

/** @type {typeof Api.openCall} */
export function openCall(request, options = {}) {
  return call('POST', '/api/realtime-call', request, { idempotencyKey: randomUuid(), timeoutMs: CALL_TIMEOUT_MS, ...options });
}

/**
 * @param {'GET' | 'POST'} method
 * @param {string} path
 * @param {object | undefined} body
 * @param {Api.RequestOptions} options
 * @returns {Promise<any>}
 */
async function call(method, path, body, options) {
  const token = await signIn(options, false);
  const answer = await send(method, path, body, token, options);
  if (answer.status !== 401 || !options.getToken) return read(answer);
  // A token that ran out: once more with a fresh one, if there is one.
  const fresh = await signIn(options, true);
  return read(fresh === token ? answer : await send(method, path, body, fresh, options));
}

/**
 * A page that cannot get its token at the moment (its sign-in provider is out of reach) is no page without one.
 * @param {Api.RequestOptions} options
 * @param {boolean} refresh
 */
async function signIn({ getToken, timeoutMs = TIMEOUT_MS }, refresh) {
  if (!getToken) return undefined;
  try {
    return await inTime(getToken({ refresh }), timeoutMs);
  } catch (cause) {
    throw new UsageError({ status: 0, code: 'sign_in', message: 'The sign-in token could not be had', cause });
  }
}

/**
 * @template T
 * @param {T | Promise<T>} work
 * @param {number} timeoutMs
 * @returns {Promise<T>}
 */
function inTime(work, timeoutMs) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error('No token in time')), timeoutMs)));
  // Called off, because an answer in time must leave no timer behind.
  return /** @type {Promise<T>} */ (Promise.race([work, late])).finally(() => clearTimeout(timer));
}

/**
 * @param {'GET' | 'POST'} method
 * @param {string} path
 * @param {object | undefined} body
 * @param {string | null | undefined} token
 * @param {Api.RequestOptions} options
 */
async function send(method, path, body, token, options) {
  /** @type {Record<string, string>} */
  const headers = { Accept: 'application/json' };
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (options.idempotencyKey) headers['Idempotency-Key'] = options.idempotencyKey;

  const request = options.fetch ?? fetch;
  try {
    return await request(`${options.baseUrl ?? ''}${path}`, {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
      credentials: options.credentials ?? 'same-origin',
      cache: 'no-store',
      keepalive: options.keepalive ?? false,
      signal: AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS),
    });
  } catch (cause) {
    throw noAnswer(cause);
  }
}

/** @param {Response} response */
async function read(response) {
  let body;
  try {
    body = await response.json();
  } catch (cause) {
    // The body broke off, or is not JSON (a proxy's error page, say).
    if (!(cause instanceof SyntaxError)) throw noAnswer(cause);
    body = null;
  }
  const isObject = typeof body === 'object' && body !== null && !Array.isArray(body);
  if (response.ok && isObject) return body;
  if (response.ok) {
    throw new UsageError({ status: 0, code: 'bad_answer', message: 'The server’s answer could not be read' });
  }
  throw refusal(response, isObject ? body : {});
}

/**
 * @param {Response} response
 * @param {Record<string, unknown>} problem
 */
function refusal(response, problem) {
  const text = [problem.error, problem.detail, problem.title].find((value) => typeof value === 'string' && value);
  const seconds = Number(response.headers.get('Retry-After') ?? NaN);
  return new UsageError({
    status: response.status,
    code: typeof problem.code === 'string' ? problem.code : `http_${response.status}`,
    message: typeof text === 'string' ? text : `The server answered ${response.status}`,
    ...(typeof problem.sessionId === 'string' ? { sessionId: problem.sessionId } : {}),
    ...(Number.isFinite(seconds) && seconds >= 0 ? { retryAfterSeconds: seconds } : {}),
  });
}

/** @param {unknown} cause */
function noAnswer(cause) {
  const timedOut = cause instanceof Error && (cause.name === 'TimeoutError' || cause.name === 'AbortError');
  return new UsageError({
    status: 0,
    code: timedOut ? 'timeout' : 'network',
    message: timedOut ? 'The server did not answer in time' : 'The server could not be reached',
    cause,
  });
}
