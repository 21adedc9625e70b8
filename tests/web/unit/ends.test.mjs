// Ends that get lost, pages that are left, sessions that are disposed of: nobody pays on for a session that is over.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BEAT, ENDED, FakeBrowser, FakeServer, open, problem, running, STARTED, STATUS } from './fake-browser.mjs';

const OFFLINE = new TypeError('Failed to fetch');
const key = (call) => call.headers['Idempotency-Key'];
const oneKey = (server) => new Set(server.of('end').map(key)).size === 1;

/** A server that holds its answer on one route back until `release`. */
function held(server, route) {
  const answer = server.answers[route];
  let release;
  const gate = new Promise((resolve) => (release = resolve));
  server.answers[route] = async () => (await gate, answer);
  return release;
}

test('an end that did not arrive: tried again while the tab is in front, and then told', async () => {
  const { browser, server, session, heard } = await running();
  server.answers.end = server.answers.status = OFFLINE;
  const ended = session.end();
  await browser.pass(3);
  await ended;
  assert.equal(session.state, 'ended');
  assert.equal(session.summary.sessionMinutes, undefined);
  assert.deepEqual(heard.map(([type]) => type), ['ended', 'error']);
  assert.equal(session.connected, false);
  assert.equal(session.failure.code, 'network');

  await browser.pass(60);
  const tries = server.of('end').length;
  assert.ok(tries >= 5 && tries <= 12, `${tries} tries in a minute`);
  server.answers.end = { ...ENDED, endReason: 'stale', sessionMinutes: 1 };
  server.answers.status = STATUS;
  await browser.pass(31);
  assert.equal(session.connected, true);
  assert.equal(session.summary.sessionMinutes, 1);
  assert.equal(session.summary.endReason, 'stale');
  assert.equal(heard.at(-1)[0], 'settled');
  assert.ok(oneKey(server));
  assert.equal(browser.records.size, 0);
  const sent = server.of('end').length;
  await browser.pass(120);
  assert.equal(server.of('end').length, sent, 'nothing is owed any more');
});

test('a hidden tab waits, and tries at once when it is in front again', async () => {
  const { browser, server, session } = await running();
  server.answers.end = server.answers.status = OFFLINE;
  const ended = session.end();
  await browser.pass(3);
  await ended;
  browser.visible = false;
  await browser.pass(40);
  const tries = server.of('end').length;
  await browser.pass(300);
  assert.equal(server.of('end').length, tries);
  server.answers.end = ENDED;
  browser.visible = true;
  browser.events.dispatchEvent(new Event('visibilitychange'));
  await browser.settle();
  assert.equal(session.summary.sessionMinutes, 1);
});

test('an end that did not arrive is sent before the next start', async () => {
  const { browser, server, session } = await running();
  server.answers.end = OFFLINE;
  const ended = session.end();
  await browser.pass(3);
  await ended;
  server.answers.end = ENDED;
  await session.start();
  const routes = server.calls.map((call) => call.route).filter((route) => route !== 'status');
  assert.deepEqual(routes.slice(-2), ['end', 'start']);
});

test('an end of a session that the server does not know is not owed', async () => {
  const { browser, server, session, heard } = await running();
  server.answers.end = problem(404, 'session_not_found');
  await session.end();
  assert.equal(session.state, 'ended');
  assert.equal(browser.records.size, 0);
  assert.equal(heard.some(([type]) => type === 'error'), false);
});

test('while it ends, the time that was left stays on show', async () => {
  const { browser, server, session } = await running();
  await browser.pass(10);
  const release = held(server, 'end');
  const ended = session.end();
  await browser.pass(5);
  assert.equal(session.state, 'ending');
  assert.equal(session.secondsRemaining, 590);
  release();
  await ended;
});

test('unload: one end, kept alive, with the last token', async () => {
  const { browser, server, session } = await running({ getToken: async () => 'tok' });
  browser.leave();
  assert.equal(session.state, 'ended');
  await browser.settle();
  const [call] = server.of('end');
  assert.equal(call.keepalive, true);
  assert.equal(call.headers.Authorization, 'Bearer tok');
  browser.leave();
  await browser.settle();
  assert.equal(server.of('end').length, 1);
});

test('back from the back/forward cache: what was cut off is made up for, and the usage is read anew', async () => {
  const { browser, server, session } = await running();
  server.answers.end = OFFLINE;
  browser.leave();
  await browser.asleep(3600);
  assert.equal(session.state, 'ended');
  server.answers.end = ENDED;
  server.answers.status = { ...STATUS, minutesUsed: 1, minutesRemaining: 9 };
  browser.comeBack();
  await browser.settle();
  assert.equal(session.summary.sessionMinutes, 1);
  assert.equal(session.status.minutesUsed, 1);
  assert.ok(oneKey(server));
  await session.start();
  assert.equal(session.state, 'running');
});

test('back from the back/forward cache without a session: the usage is read anew', async () => {
  const { browser, server, session } = await open();
  await session.open();
  browser.leave();
  server.answers.status = { ...STATUS, minutesUsed: 7, minutesRemaining: 3 };
  browser.comeBack();
  await browser.settle();
  assert.equal(session.status.minutesUsed, 7);
});

test('a reload that ended the session: the end is made sure of, and the page is free to start', async () => {
  const first = await running();
  first.server.answers.end = () => new Promise(() => {}); // The page is gone before the answer.
  first.browser.leave();
  first.server.answers.end = ENDED;
  const { session } = await open(first);
  assert.equal(await session.resume(), false);
  assert.equal(session.state, 'ended');
  assert.equal(session.summary.sessionMinutes, 1);
  assert.equal(session.summary.endedBy, 'unload');
  assert.ok(oneKey(first.server));
});

test('left while starting: ended when the answer comes, as one in which nobody talked', async () => {
  for (const leave of [({ session }) => session.dispose(), ({ browser }) => browser.leave()]) {
    const page = await open();
    const { browser, server, session } = page;
    await session.refresh();
    const release = held(server, 'start');
    const started = assert.rejects(session.start(), { code: 'abandoned', retryable: false });
    await browser.settle();
    leave(page);
    release();
    await started;
    await browser.settle();
    assert.deepEqual(server.of('end').map((call) => call.body), [{ sessionId: 's1', reason: 'error' }]);
    assert.equal(session.state, 'idle');
    assert.equal(server.of('heartbeat').length, 0);
    assert.equal(browser.records.size, 0);
    assert.equal(browser.heldLocks.size, 0);
  }
});

test('left while starting, and back: the next start is its own', async () => {
  const { browser, server, session } = await open();
  const release = held(server, 'start');
  const first = assert.rejects(session.start(), { code: 'abandoned' });
  await browser.settle();
  browser.leave();
  browser.comeBack();
  server.answers.start = { ...STARTED, sessionId: 's2' };
  await session.start();
  release();
  await first;
  await browser.settle();
  assert.equal(session.sessionId, 's2');
  assert.deepEqual(server.of('end').map((call) => call.body.sessionId), ['s1']);
});

test('left while starting without network: the start is not tried again', async () => {
  const { browser, server, session } = await open();
  server.answers.start = OFFLINE;
  const started = assert.rejects(session.start(), { code: 'abandoned' });
  await browser.settle();
  session.dispose();
  await browser.pass(60);
  await started;
  assert.equal(server.of('start').length, 1);
});

test('an abandoned start whose end does not arrive: the next one on the page makes up for it', async () => {
  const first = await open();
  const release = held(first.server, 'start');
  const started = assert.rejects(first.session.start(), { code: 'abandoned' });
  await first.browser.settle();
  first.session.dispose();
  first.server.answers.end = OFFLINE;
  release();
  await started;
  await first.browser.settle();
  first.server.answers.end = ENDED;
  const { session } = await open(first);
  await session.open();
  assert.equal(first.browser.records.size, 0);
  assert.ok(oneKey(first.server));
});

test('disposed of while it runs: ended as by leaving, and nothing goes on', async () => {
  const { browser, server, session, heard } = await running();
  session.dispose();
  session.dispose();
  await browser.settle();
  assert.deepEqual(heard.map(([type]) => type), ['ended'], 'the page hangs up');
  assert.equal(server.of('end').length, 1);
  assert.deepEqual(browser.pending, { ticks: 0, timers: 0, locks: 0 });
  const calls = server.calls.length;
  browser.events.dispatchEvent(new Event('online'));
  browser.comeBack();
  browser.channel.dispatchEvent(new Event('message'));
  await browser.pass(120);
  assert.equal(server.calls.length, calls);
});

test('a disposed session does not come back to life: resume, start, open', async () => {
  const before = await running();
  before.browser.reload();
  before.server.answers.status = { ...STATUS, hasActiveSession: true, activeSession: { sessionId: 's1', startedAt: 'x' } };
  const { session, heard } = await open(before);
  const release = held(before.server, 'status');
  const resumed = session.resume();
  await before.browser.settle();
  session.dispose();
  release();
  assert.equal(await resumed, false);
  assert.equal(session.state, 'idle');
  assert.equal(before.browser.heldLocks.size, 0, 'the lock is free for the next one');
  assert.ok(before.browser.records.has('talktime.session'), 'its record, too');
  await assert.rejects(session.start(), { code: 'abandoned' });
  assert.equal(await session.open(), false);
  assert.equal(await session.resume(), false);
  assert.equal(session.canStart, false);
  assert.equal(before.server.of('heartbeat').length, 0);
  assert.deepEqual(heard, []);
});

test('React’s StrictMode: made, disposed of and made again in one breath, and the second one runs', async () => {
  const before = await running();
  before.browser.reload();
  before.server.answers.status = { ...STATUS, hasActiveSession: true, activeSession: { sessionId: 's1', startedAt: 'x' } };
  const zombie = await open(before);
  void zombie.session.open();
  zombie.session.dispose();
  const { session, heard } = await open(before);
  const opened = session.open();
  await before.browser.settle();
  assert.equal(await opened, true);
  assert.equal(session.state, 'running');
  assert.deepEqual(heard.map(([type]) => type), ['resumed']);
  assert.equal(zombie.session.state, 'idle');
  await before.browser.pass(30);
  assert.equal(before.server.of('heartbeat').length, 1, 'one heartbeat, not two');
  before.browser.leave();
  await before.browser.settle();
  assert.equal(before.server.of('end').length, 1);
});

test('without storage, an end that did not arrive is tried again all the same', async () => {
  const browser = new FakeBrowser();
  const server = new FakeServer();
  const environment = { ...browser.environment(), storage: undefined };
  const { UsageSession } = await import('../../../components/web/static/client/usage-session.js');
  const session = new UsageSession({ fetch: server.fetch, environment });
  await session.start();
  server.answers.end = [OFFLINE, OFFLINE, OFFLINE, ENDED];
  const ended = session.end();
  await browser.pass(30);
  await ended;
  assert.equal(session.summary.sessionMinutes, 1);
  assert.deepEqual(server.answers.heartbeat, BEAT);
  assert.equal(STARTED.sessionId, session.summary.sessionId);
});
