import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BEAT, ENDED, FakeServer, open, problem, running, STARTED, STATUS } from './fake-browser.mjs';

const OFFLINE = new TypeError('Failed to fetch');
const key = (call) => call.headers['Idempotency-Key'];

test('start: running, counted down, one heartbeat an interval', async () => {
  const { browser, server, session } = await running();
  assert.equal(session.state, 'running');
  assert.equal(session.secondsRemaining, 600);
  assert.equal(session.status.minutesUsed, 1);
  await browser.pass(10);
  assert.equal(session.secondsRemaining, 590);
  await browser.pass(80);
  assert.equal(server.of('heartbeat').length, 3);
  assert.deepEqual(server.of('heartbeat')[0].body, { sessionId: 's1' });
  assert.equal(session.secondsRemaining, 570);
});

test('start is retried under one key, and refused for good without a retry', async () => {
  const { browser, server, session } = await open();
  server.answers.start = [OFFLINE, problem(503, 'busy'), STARTED];
  const started = session.start();
  await browser.pass(6);
  await started;
  const calls = server.of('start');
  assert.equal(calls.length, 3);
  assert.equal(new Set(calls.map(key)).size, 1);

  const other = await open();
  other.server.answers.start = problem(409, 'session_active', { sessionId: 's0' });
  await assert.rejects(other.session.start(), { code: 'session_active', sessionId: 's0' });
  assert.equal(other.session.state, 'idle');
  assert.equal(other.server.of('start').length, 1);
  assert.equal(other.server.of('status').length, 1, 'the usage on show is read anew');
});

test('a second start while one runs is a mistake of the page', async () => {
  const { session } = await running();
  await assert.rejects(session.start(), /running/);
});

test('warns once, at five minutes or less', async () => {
  const { browser, server, heard } = await running();
  server.answers.heartbeat = [{ ...BEAT, minutesRemaining: 6 }, { ...BEAT, minutesRemaining: 5 }, { ...BEAT, minutesRemaining: 4 }];
  await browser.pass(30);
  assert.deepEqual(heard, []);
  await browser.pass(60);
  assert.deepEqual(heard, [['warning']]);
});

test('the server’s end is the end', async () => {
  const { browser, server, session, heard } = await running();
  server.answers.heartbeat = {
    ...BEAT, totalMinutesUsed: 10, minutesRemaining: 0, secondsRemaining: 0,
    ended: { endReason: 'limit_reached', endedAt: 'x', sessionMinutes: 10 },
  };
  await browser.pass(30);
  assert.equal(session.state, 'ended');
  assert.deepEqual(heard.at(-1), ['ended', { sessionId: 's1', endReason: 'limit_reached', sessionMinutes: 10, endedBy: 'server' }]);
  assert.equal(server.of('end').length, 0);
  assert.equal(browser.records.size, 0);
  assert.equal(browser.heldLocks.size, 0);
});

test('at the limit the server is asked, and its word counts: more minutes were bought', async () => {
  const server = new FakeServer();
  server.answers.start = { ...STARTED, secondsRemaining: 10 };
  server.answers.heartbeat = { ...BEAT, secondsRemaining: 6000 };
  const { browser, session } = await running({ server });
  await browser.pass(11);
  assert.equal(session.state, 'running');
  assert.equal(session.secondsRemaining, 5999);
});

test('a fraction of the last second: asked again, and ended by the server’s word', async () => {
  const server = new FakeServer();
  server.answers.start = { ...STARTED, secondsRemaining: 10 };
  const last = { ...BEAT, minutesRemaining: 0, secondsRemaining: 0 };
  server.answers.heartbeat = [last, { ...last, ended: { endReason: 'limit_reached', endedAt: 'x', sessionMinutes: 1 } }];
  const { browser, session } = await running({ server });
  await browser.pass(10);
  assert.equal(session.state, 'running');
  await browser.pass(1);
  assert.equal(session.summary.endReason, 'limit_reached');
  assert.equal(server.of('end').length, 0);
});

test('at the limit without the server: stops by itself, and says so when the network is back', async () => {
  const server = new FakeServer();
  server.answers.start = { ...STARTED, secondsRemaining: 10 };
  server.answers.heartbeat = OFFLINE;
  server.answers.end = [OFFLINE, ENDED];
  const { browser, session, heard } = await running({ server });
  server.answers.status = OFFLINE;
  await browser.pass(13);
  assert.equal(session.state, 'ended');
  assert.equal(heard.at(-1)[1].endReason, 'limit_reached');
  assert.equal(session.canStart, false);
  browser.events.dispatchEvent(new Event('online'));
  await browser.settle();
  assert.equal(server.of('end').length, 2);
  assert.equal(new Set(server.of('end').map(key)).size, 1);
  assert.equal(browser.records.size, 0);
});

test('a heartbeat that hangs does not hold the stop up', async () => {
  const server = new FakeServer();
  server.answers.start = { ...STARTED, secondsRemaining: 31 };
  server.answers.heartbeat = () => new Promise(() => {});
  const { browser, session } = await running({ server });
  await browser.pass(34);
  assert.equal(session.state, 'ended');
  assert.equal(server.of('heartbeat').length, 1);
});

test('an outage of a minute: backs off, counts down, recovers at once when the network is back', async () => {
  const { browser, server, session, heard } = await running();
  server.answers.heartbeat = OFFLINE;
  await browser.pass(90);
  assert.equal(session.state, 'running');
  assert.equal(session.connected, false);
  assert.equal(session.secondsRemaining, 510);
  const tries = server.of('heartbeat').length;
  assert.ok(tries >= 5 && tries <= 8, `${tries} tries`);
  server.answers.heartbeat = { ...BEAT, totalMinutesUsed: 2, minutesRemaining: 8, secondsRemaining: 510 };
  browser.events.dispatchEvent(new Event('online'));
  await browser.settle();
  assert.equal(session.connected, true);
  assert.equal(session.status.minutesUsed, 2);
  assert.deepEqual(heard, []);
});

test('five minutes asleep: asked at once on waking, and the minutes are the server’s', async () => {
  const { browser, server, session } = await running();
  await browser.pass(10);
  server.answers.heartbeat = { ...BEAT, totalMinutesUsed: 6, minutesRemaining: 4, secondsRemaining: 290 };
  await browser.asleep(300);
  assert.equal(server.of('heartbeat').length, 1);
  assert.equal(session.secondsRemaining, 290);
  assert.equal(session.status.percentUsed, 60);
});

test('a clock set back is noticed', async () => {
  const { browser, server } = await running();
  await browser.asleep(-3600);
  assert.equal(server.of('heartbeat').length, 1);
});

test('coming back to the tab asks, unless the last answer is fresh', async () => {
  const { browser, server } = await running();
  const look = async () => {
    browser.events.dispatchEvent(new Event('visibilitychange'));
    await browser.settle();
  };
  await look();
  assert.equal(server.of('heartbeat').length, 0);
  await browser.pass(6);
  browser.visible = false;
  await look();
  assert.equal(server.of('heartbeat').length, 0);
  browser.visible = true;
  await look();
  assert.equal(server.of('heartbeat').length, 1);
});

test('ended or taken over elsewhere', async () => {
  for (const answer of [
    { ...BEAT, ended: { endReason: 'user_ended', endedAt: 'x', sessionMinutes: 2 } },
    problem(404, 'session_not_found'),
  ]) {
    const { browser, server, session } = await running();
    server.answers.heartbeat = answer;
    browser.channel.dispatchEvent(new Event('message'));
    await browser.settle();
    assert.equal(session.state, 'ended');
    assert.equal(session.summary.endedBy, 'elsewhere');
  }
});

test('end: totals from the answer, retried under one key', async () => {
  const { browser, server, session } = await running();
  server.answers.end = [OFFLINE, ENDED];
  const ended = session.end();
  assert.equal(session.state, 'ending');
  await browser.pass(2);
  await ended;
  assert.equal(session.state, 'ended');
  assert.equal(session.summary.sessionMinutes, 1);
  assert.equal(new Set(server.of('end').map(key)).size, 1);
  assert.ok(server.of('end').every((call) => call.keepalive && call.body.reason === 'user_ended'));
});

test('a reload that the browser announces: no end, and the session goes on', async () => {
  const first = await running();
  first.browser.reload();
  assert.equal(first.server.of('end').length, 0);
  first.server.answers.status = {
    ...STATUS, hasActiveSession: true, minutesUsed: 1, minutesRemaining: 9, secondsRemaining: 555,
    activeSession: { sessionId: 's1', startedAt: 'x' },
  };
  const { session } = await open(first);
  assert.equal(await session.resume(), true);
  assert.equal(session.state, 'running');
  assert.equal(session.secondsRemaining, 555);
  assert.equal(session.topic, 'Tea');
});

test('a duplicated tab does not run the same session', async () => {
  const first = await running();
  const { session } = await open(first);
  const resumed = session.resume();
  await first.browser.pass(4);
  assert.equal(await resumed, false);
  assert.equal(session.state, 'idle');
});

test('a record of a session that is over is dropped', async () => {
  const first = await running();
  first.browser.heldLocks.clear();
  const { session, browser } = await open(first);
  assert.equal(await session.resume(), false);
  assert.equal(browser.records.size, 0);
  assert.equal(browser.heldLocks.size, 0);
});

test('a plan that changed under the session is noticed', async () => {
  const { browser, server, session } = await running();
  server.answers.status = { ...STATUS, plan: 'pro', minutesLimit: 500, minutesUsed: 1, minutesRemaining: 499 };
  server.answers.heartbeat = { ...BEAT, minutesRemaining: 499, secondsRemaining: 29_970 };
  await browser.pass(30);
  assert.equal(session.status.plan, 'pro');
});

test('the token request names the running session', async () => {
  const { server, session } = await running();
  await assert.rejects(session.realtimeToken({ provider: 'openai' }), { code: 'provider_not_configured' });
  assert.deepEqual(server.of('realtime-token')[0].body, { provider: 'openai', sessionId: 's1' });
});

test('without storage, locks or a channel it works all the same', async () => {
  const page = await open();
  const environment = { ...page.browser.environment(), storage: undefined, locks: undefined, channel: undefined };
  const { UsageSession } = await import('../../../components/web/static/client/usage-session.js');
  const session = new UsageSession({ fetch: page.server.fetch, environment });
  await session.start();
  await session.end();
  assert.equal(session.state, 'ended');
  assert.equal(await session.resume(), false);
});
