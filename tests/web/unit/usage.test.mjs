import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as usage from '../../../components/web/static/client/usage.js';
import { levelOf, percentOf, safeUrl } from '../../../components/web/static/client/usage-credit.js';
import { waitMs } from '../../../components/web/static/client/usage-retry.js';
import { clockText, problemOf } from '../../../components/web/static/practice/practice-words.js';
import { BEAT, FakeServer, problem, STATUS } from './fake-browser.mjs';

const { UsageError } = usage;

test('each function calls its route, with the token, and gives the answer', async () => {
  const server = new FakeServer();
  const options = { fetch: server.fetch, baseUrl: 'https://t.example', getToken: () => 'abc' };
  assert.deepEqual(await usage.getUsageStatus(options), STATUS);
  await usage.startSession({ topic: 'Tea', difficulty: 'beginner', takeover: true }, options);
  assert.deepEqual(await usage.sendHeartbeat('s1', options), BEAT);
  await usage.endSession('s1', { ...options, reason: 'error' });
  await usage.getRealtimeToken({ provider: 'openai' }, options).catch(() => undefined);
  await usage.openCall({ sessionId: 's1', sdp: 'offer' }, options).catch(() => undefined);
  assert.deepEqual(
    server.calls.map(({ method, url, body }) => [method, url, body]),
    [
      ['GET', 'https://t.example/api/session/status', undefined],
      ['POST', 'https://t.example/api/session/start', { topic: 'Tea', difficulty: 'beginner', takeover: true }],
      ['POST', 'https://t.example/api/session/heartbeat', { sessionId: 's1' }],
      ['POST', 'https://t.example/api/session/end', { sessionId: 's1', reason: 'error' }],
      ['POST', 'https://t.example/api/realtime-token', { provider: 'openai' }],
      ['POST', 'https://t.example/api/realtime-call', { sessionId: 's1', sdp: 'offer' }],
    ],
  );
  for (const call of server.calls) assert.equal(call.headers.Authorization, 'Bearer abc');
  const keyed = server.calls.filter((call) => call.headers['Idempotency-Key']).map((call) => call.route);
  assert.deepEqual(keyed, ['start', 'end', 'realtime-call']);
});

test('cookies: no bearer header, and the credentials that were asked for', async () => {
  const server = new FakeServer();
  await usage.getUsageStatus({ fetch: server.fetch, credentials: 'include' });
  assert.equal(server.calls[0].credentials, 'include');
  assert.equal('Authorization' in server.calls[0].headers, false);
});

test('a 401 is tried once more with a fresh token', async () => {
  const server = new FakeServer();
  server.answers.status = [problem(401, 'unauthorized'), STATUS];
  const hints = [];
  const getToken = (hint) => `token-${hints.push(hint.refresh)}`;
  await usage.getUsageStatus({ fetch: server.fetch, getToken });
  assert.deepEqual(hints, [false, true]);
  assert.equal(server.calls[1].headers.Authorization, 'Bearer token-2');
});

const FAILURES = [
  ['a refusal', () => problem(409, 'session_active', { sessionId: 's0' }), { status: 409, code: 'session_active', sessionId: 's0', retryable: false, message: 'About session_active' }],
  ['load', () => new Response('{"code":"busy","error":"Busy"}', { status: 503, headers: { 'Retry-After': '2' } }), { status: 503, code: 'busy', retryAfterSeconds: 2, retryable: true }],
  ['a proxy’s page', () => new Response('<h1>Bad gateway</h1>', { status: 502 }), { status: 502, code: 'http_502', retryable: true, message: 'The server answered 502' }],
  ['an answer that is no object', () => Response.json([1]), { status: 0, code: 'bad_answer', retryable: true }],
  ['no network', () => new TypeError('Failed to fetch'), { status: 0, code: 'network', retryable: true }],
  ['silence', () => new DOMException('late', 'TimeoutError'), { status: 0, code: 'timeout', retryable: true }],
  ['a member of the wrong type', () => Response.json({ code: 7, error: {} }, { status: 400 }), { status: 400, code: 'http_400', retryable: false }],
];
for (const [name, answer, expected] of FAILURES) {
  test(`${name} is a UsageError`, async () => {
    const server = new FakeServer();
    server.answers.start = answer;
    const error = await usage.startSession({}, { fetch: server.fetch }).then(assert.fail, (reason) => reason);
    assert.ok(error instanceof UsageError);
    for (const [key, value] of Object.entries(expected)) assert.equal(error[key], value, key);
  });
}

test('levels: green below 75, amber to 90, red above', () => {
  const levels = [0, 74, 75, 90, 91, 100].map(levelOf);
  assert.deepEqual(levels, ['green', 'green', 'amber', 'amber', 'red', 'red']);
});

test('percent is whole, within 0 and 100, and 100 of nothing', () => {
  assert.deepEqual([percentOf(1, 3), percentOf(12, 10), percentOf(0, 0), percentOf(-1, 10)], [33, 100, 100, 0]);
});

test('only links to pages are links', () => {
  assert.equal(safeUrl('https://a.example/x'), 'https://a.example/x');
  assert.equal(safeUrl('/pricing'), 'http://localhost/pricing');
  for (const bad of ['javascript:alert(1)', ' JaVaScRiPt:alert(1)', 'data:text/html,x', '', 7, null, 'http://']) {
    assert.equal(safeUrl(bad), undefined, String(bad));
  }
});

test('waits double, have a bound, and respect the server', () => {
  assert.deepEqual([1, 2, 3, 10].map((n) => waitMs(n, undefined, () => 1)), [1000, 2000, 4000, 30_000]);
  assert.equal(waitMs(1, undefined, () => 0), 500);
  assert.equal(waitMs(1, 7, () => 0), 7000);
  assert.equal(waitMs(1, 9999, () => 0), 30_000);
});

test('the clock', () => {
  assert.deepEqual([0, 59.9, 61, 600, 3661, -5].map(clockText), ['00:00', '00:59', '01:01', '10:00', '1:01:01', '00:00']);
});

test('every error has words', () => {
  assert.match(problemOf(new UsageError({ status: 401, code: 'token_expired', message: 'x' })).next, /link/);
  assert.equal(problemOf(new UsageError({ status: 400, code: 'bad', message: '<b>x</b>' })).what, '<b>x</b>');
  assert.match(problemOf(new TypeError('boom')).what, /boom/);
});
