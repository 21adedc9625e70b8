// @ts-check
// The Talktime session API, one function a route. No state: UsageSession (usage-session.js) owns a session's life.
/** @import * as Api from './usage.js' */

import { randomUuid } from './usage-random.js';

/** Longer than any healthy answer takes, shorter than a heartbeat interval. */
const TIMEOUT_MS = 10_000;

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

/**
 * @param {'GET' | 'POST'} method
 * @param {string} path
 * @param {object | undefined} body
 * @param {Api.RequestOptions} options
 * @returns {Promise<any>}
 */
async function call(method, path, body, options) {
  const answer = await send(method, path, body, options, false);
  // A token that ran out during a long session: one more try with a fresh one.
  if (answer.status === 401 && options.getToken) {
    return read(await send(method, path, body, options, true));
  }
  return read(answer);
}

/**
 * @param {'GET' | 'POST'} method
 * @param {string} path
 * @param {object | undefined} body
 * @param {Api.RequestOptions} options
 * @param {boolean} refresh
 */
async function send(method, path, body, options, refresh) {
  /** @type {Record<string, string>} */
  const headers = { Accept: 'application/json' };
  const token = options.getToken ? await options.getToken({ refresh }) : undefined;
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
