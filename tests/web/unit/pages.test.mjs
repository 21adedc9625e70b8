// What the pages are made of, as far as it needs no browser.
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { UsageError } from '../../../components/web/static/client/usage.js';
import { withoutGaps } from '../../../components/web/static/admin/admin-charts.js';
import { connectionText, endText, problemOf, takeoverText } from '../../../components/web/static/practice/practice-words.js';
import { STATUS } from './fake-browser.mjs';

const STATIC = new URL('../../../components/web/static/', import.meta.url);
const CLIENT = new URL('client/', STATIC);
const jwt = (sub) => `x.${Buffer.from(JSON.stringify({ sub })).toString('base64url')}.y`;

/** A tab at an address, with what it keeps. */
async function tab(hash, kept = new Map(), storage = true) {
  const address = { hash, pathname: '/practice', search: '' };
  const sessionStorage = { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value) };
  Object.assign(globalThis, { location: address, history: { replaceState: (_, __, url) => (address.hash = url.includes('#') ? address.hash : '') } });
  Object.defineProperty(globalThis, 'sessionStorage', {
    configurable: true,
    get() {
      if (!storage) throw new DOMException('no', 'SecurityError');
      return sessionStorage;
    },
  });
  const module = await import(`../../../components/web/static/practice/page-token.js?${Math.random()}`);
  return { kept, address, ...module };
}

test('a link’s token: taken by a tab without a user, out of the address bar, and kept', async () => {
  const first = await tab('#token=abc');
  assert.deepEqual(first.takeToken(), { token: 'abc', offered: undefined });
  assert.equal(first.address.hash, '');
  const again = await tab('', first.kept);
  assert.deepEqual(again.takeToken(), { token: 'abc', offered: undefined });
  assert.deepEqual((await tab('')).takeToken(), { token: undefined, offered: undefined });
});

test('a link’s token does not replace the user that a tab has; it is offered', async () => {
  const { kept } = await tab('', new Map([['talktime.token', jwt('me')]]));
  const other = await tab(`#token=${jwt('attacker')}`, kept);
  const { token, offered } = other.takeToken();
  assert.equal(other.userOf(token), 'me');
  assert.equal(other.userOf(offered), 'attacker');
  assert.equal(kept.get('talktime.token'), jwt('me'));
  assert.equal(other.address.hash, '', 'out of the address bar all the same');
  other.useToken(offered);
  assert.equal(other.takeToken().token, jwt('attacker'));
  assert.equal(other.userOf('rubbish'), 'somebody');
});

test('a link’s token where the storage is forbidden', async () => {
  const { takeToken, address } = await tab('#token=abc', new Map(), false);
  assert.equal(takeToken().token, 'abc');
  address.hash = '#token=def';
  assert.deepEqual(takeToken(), { token: 'abc', offered: 'def' });
});

test('a day in which nobody talked is a day, too', () => {
  const days = withoutGaps([{ day: '2026-11-10', minutes: 3 }, { day: '2026-11-25', minutes: 4 }], '2026-11-25T03:00:00Z');
  assert.equal(days.length, 30);
  assert.deepEqual(days[0], { day: '2026-10-27', minutes: 0 });
  assert.deepEqual(days.at(-1), { day: '2026-11-25', minutes: 4 });
  assert.equal(days.reduce((sum, { minutes }) => sum + minutes, 0), 7);
  assert.equal(withoutGaps([], '2026-11-25T03:00:00Z').length, 30);
});

test('what is copied into an app is whole: the client modules import only each other', async () => {
  const files = await readdir(CLIENT);
  for (const file of files) {
    const text = await readFile(new URL(file, CLIENT), 'utf8');
    for (const [, target] of text.replaceAll(/^\/\/.*$/gm, '').matchAll(/from '\.\/([^']+)'|import '\.\/([^']+)'|new URL\('\.\/([^']+)'/g)) {
      if (target) assert.ok(files.includes(target), `${file} imports ${target}`);
    }
  }
  for (const name of ['usage', 'usage-session', 'usage-bar', 'usage-warning', 'usage-voice']) assert.ok(files.includes(`${name}.d.ts`), name);
});

test('no page or module names a host: addresses come with the answers', async () => {
  for (const file of (await readdir(STATIC, { recursive: true })).filter((name) => /\.(js|html|css)$/.test(name))) {
    const text = await readFile(new URL(file, STATIC), 'utf8');
    const hosts = [...text.matchAll(/\b(?:https?|wss?):\/\/[^\s'"`)]+/g)].map(([host]) => host);
    const known = /^http:\/\/(www\.w3\.org\/2000\/svg|localhost\/|127\.0\.0\.1:3000\/api\/internal\/update-plan)/;
    assert.deepEqual(hosts.filter((host) => !known.test(host)), [], file);
  }
});

test('Node: a session can be made, and holds nothing up', () => {
  const script = `import { UsageSession } from '${new URL('usage-session.js', CLIENT)}'; new UsageSession({ baseUrl: 'http://localhost:1' });`;
  const { status, stderr, signal } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { timeout: 10_000, encoding: 'utf8' });
  assert.equal(signal, null, 'it ends by itself');
  assert.equal(status, 0, stderr);
});

test('a want of an answer is told by what was being done', () => {
  const offline = new UsageError({ status: 0, code: 'network', message: 'x' });
  assert.match(problemOf(offline, 'open').next, /tries again by itself/);
  assert.match(problemOf(offline, 'start').next, /was not started.*start again/);
  assert.doesNotMatch(problemOf(offline, 'start').next, /by itself/);
  assert.match(problemOf(offline, 'end').next, /goes on telling it/);
  assert.ok(problemOf(offline).passes);
});

test('a refused microphone: what to do, and what it cost', () => {
  const refused = new UsageError({ status: 0, code: 'microphone', message: 'x' });
  assert.match(problemOf(refused, 'start').next, /nothing was counted/);
  assert.match(problemOf(refused, 'talk').next, /session was ended/);
  for (const code of ['session_ending', 'provider_error', 'provider_busy', 'busy', 'rate_limited']) {
    const status = { session_ending: 403, provider_error: 502, rate_limited: 429 }[code] ?? 503;
    const { what } = problemOf(new UsageError({ status, code, message: 'the server’s words' }), 'talk');
    assert.notEqual(what, 'the server’s words', code);
  }
});

test('no word for developers in what users read', () => {
  const refused = problemOf(new UsageError({ status: 401, code: 'unauthorized', message: 'x' }));
  assert.doesNotMatch(`${refused.what} ${refused.next}`, /[Rr]estart the host/);
});

test('an end that came late says as of when', () => {
  const stale = { sessionId: 's1', endReason: 'stale', sessionMinutes: 2, endedBy: 'page' };
  assert.match(endText(stale), /as of the last sign of life/);
});

test('why a call was cut: the plan’s limit, a plan that changed, the longest session, another tab, no voice', () => {
  const of = (endReason, more = {}) => ({ sessionId: 's1', endReason, sessionMinutes: 2, endedBy: 'server', ...more });
  assert.match(endText(of('limit_reached')), /limit of your plan/);
  assert.match(endText(of('limit_reached'), true), /plan has changed/);
  assert.match(endText(of('timeout')), /longest that one session may be/);
  assert.match(endText(of('stale')), /when its call was cut/);
  assert.match(endText(of('replaced', { endedBy: 'elsewhere' })), /in another tab or on another device/);
  assert.match(endText(of('error', { sessionMinutes: 0 })), /No voice answered/);
  assert.match(endText(of('error', { endedBy: 'page' })), /after an error/);
});

test('“Continue here” tells what it costs', () => {
  const status = {
    ...STATUS, hasActiveSession: true, activeSessionMinutes: 4, serverTime: '2026-11-25T03:04:00Z',
    activeSession: { sessionId: 's1', startedAt: '2026-11-25T03:00:00Z', lastHeartbeatAt: '2026-11-25T03:03:50Z' },
  };
  assert.match(takeoverText(status), /4 minutes of it are counted so far.*first minute counts at once/);
  const silent = { ...status, serverTime: '2026-11-25T03:08:00Z' };
  assert.match(takeoverText(silent), /only to its last sign of life/);
  assert.doesNotMatch(takeoverText(silent), /counted so far/);
  const unheard = { ...status, activeSession: { sessionId: 's1', startedAt: '2026-11-25T03:00:00Z' } };
  assert.match(takeoverText(unheard), /last sign of life/);
});

test('a lost connection is told as what it is', () => {
  assert.equal(connectionText(undefined), '');
  assert.match(connectionText(new UsageError({ status: 0, code: 'network', message: 'x' })), /does not answer/);
  assert.match(connectionText(new UsageError({ status: 401, code: 'unauthorized', message: 'x' })), /sign-in/);
});

test('what only an operator can mend is not tried again', () => {
  assert.equal(new UsageError({ status: 503, code: 'provider_not_configured', message: 'x' }).retryable, false);
  assert.equal(new UsageError({ status: 503, code: 'provider_busy', message: 'x' }).retryable, true);
  assert.equal(new UsageError({ status: 422, code: 'idempotency_key_reused', message: 'x' }).retryable, false);
});
