// What a page is kept up to date by: the period's end, other tabs, failures that pass, a sign-in that is renewed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BEAT, open, problem, running, STATUS } from './fake-browser.mjs';

const OFFLINE = new TypeError('Failed to fetch');
const ENDING = { ...STATUS, periodEnd: '2026-11-25T05:00:00Z', minutesUsed: 10, minutesRemaining: 0, secondsRemaining: 0 };
const NEXT = { ...STATUS, periodStart: ENDING.periodEnd, serverTime: ENDING.periodEnd };

test('open at the end of the period: read anew, by the server’s clock, once', async () => {
  const { browser, server, session } = await open();
  server.answers.status = ENDING;
  await session.open();
  server.answers.status = NEXT;
  assert.equal(session.canStart, false);
  await browser.pass(2 * 3600 - 1);
  assert.equal(server.of('status').length, 1);
  await browser.pass(10);
  assert.equal(server.of('status').length, 2);
  assert.equal(session.status.minutesRemaining, 10);
  assert.equal(session.canStart, true);
});

test('the end of the period in a hidden tab: read when it is in front again', async () => {
  const { browser, server, session } = await open();
  server.answers.status = ENDING;
  await session.open();
  server.answers.status = NEXT;
  browser.visible = false;
  await browser.pass(2 * 3600 + 60);
  assert.equal(server.of('status').length, 1);
  browser.visible = true;
  browser.events.dispatchEvent(new Event('visibilitychange'));
  await browser.settle();
  assert.equal(session.status.minutesRemaining, 10);
});

test('the end of the period while a session runs', async () => {
  const { browser, server, session } = await running({});
  server.answers.status = { ...STATUS, periodEnd: '2026-11-25T03:01:00Z' };
  await session.refresh();
  server.answers.status = { ...NEXT, minutesUsed: 1, minutesRemaining: 9, activeSession: { sessionId: 's1', startedAt: 'x' } };
  await browser.pass(66);
  assert.equal(session.state, 'running');
  assert.equal(session.status.periodEnd, NEXT.periodEnd);
});

test('the end of the period without network: tried again until it is read', async () => {
  const { browser, server, session } = await open();
  server.answers.status = ENDING;
  await session.open();
  server.answers.status = OFFLINE;
  await browser.pass(2 * 3600 + 20);
  assert.equal(session.connected, false);
  server.answers.status = NEXT;
  await browser.pass(31);
  assert.equal(session.connected, true);
  assert.equal(session.status.minutesRemaining, 10);
});

test('a server that goes on telling of a period that is over is not asked without a pause', async () => {
  const { browser, server, session } = await open();
  server.answers.status = { ...ENDING, serverTime: ENDING.periodEnd };
  await session.open();
  await browser.pass(100);
  assert.ok(server.of('status').length <= 4, `${server.of('status').length} readings`);
});

test('opened without network: told once, tried again, and a session of before goes on', async () => {
  const before = await running();
  before.browser.reload();
  before.server.answers.status = OFFLINE;
  const { session, heard } = await open(before);
  assert.equal(await session.open(), false);
  await before.browser.pass(5);
  assert.deepEqual(heard.map(([type]) => type), ['error']);
  before.server.answers.status = { ...STATUS, hasActiveSession: true, activeSession: { sessionId: 's1', startedAt: 'x' } };
  await before.browser.pass(20);
  assert.equal(session.state, 'running');
  assert.equal(session.connected, true);
  assert.deepEqual(heard.map(([type]) => type), ['error', 'resumed']);
});

test('a start without network fails, and the page knows when the server is back', async () => {
  const { browser, server, session } = await open();
  await session.open();
  server.answers.start = server.answers.status = OFFLINE;
  const started = assert.rejects(session.start(), { code: 'network' });
  await browser.pass(4);
  await started;
  assert.equal(session.state, 'idle');
  assert.equal(session.connected, false);
  server.answers.status = STATUS;
  await browser.pass(31);
  assert.equal(session.connected, true);
  assert.equal(server.of('start').length, 3, 'but starts nothing by itself');
});

test('two of them on one page stay together: the other tabs hear of each minute', async () => {
  const { browser, server } = await running();
  const told = browser.channel.sent.length;
  server.answers.heartbeat = { ...BEAT, totalMinutesUsed: 2, minutesRemaining: 8 };
  await browser.pass(30);
  assert.equal(browser.channel.sent.length, told + 1);
  await browser.pass(30);
  assert.equal(browser.channel.sent.length, told + 1, 'nothing new, nothing told');
});

test('a page that only shows follows what other tabs say, once it is seen', async () => {
  const { browser, server, session } = await open();
  await session.open();
  browser.visible = false;
  server.answers.status = { ...STATUS, minutesUsed: 2, minutesRemaining: 8 };
  browser.channel.dispatchEvent(new Event('message'));
  await browser.settle();
  assert.equal(server.of('status').length, 1);
  browser.visible = true;
  browser.events.dispatchEvent(new Event('visibilitychange'));
  await browser.settle();
  assert.equal(session.status.minutesUsed, 2);
});

test('a double click on Start is one start', async () => {
  const { server, session } = await open();
  await Promise.all([session.start(), session.start()]);
  assert.equal(server.of('start').length, 1);
});

test('two 401s in a row: asked again with fresh tokens, and the session goes on', async () => {
  let count = 0;
  const hints = [];
  const { browser, server, session, heard } = await running({ getToken: ({ refresh }) => (hints.push(refresh), `token-${(count += 1)}`) });
  server.answers.heartbeat = [problem(401, 'unauthorized'), problem(401, 'unauthorized'), problem(401, 'unauthorized'), BEAT];
  await browser.pass(30);
  assert.equal(session.state, 'running');
  assert.equal(session.connected, false);
  assert.equal(session.failure.status, 401);
  assert.equal(hints.at(-1), true);
  await browser.pass(2);
  assert.equal(session.connected, true);
  assert.equal(session.state, 'running');
  assert.deepEqual(heard, []);
});

test('only a sign-in that stays refused ends the session, and says so', async () => {
  const { browser, server, session, heard } = await running({ getToken: () => 'old' });
  server.answers.heartbeat = () => problem(401, 'unauthorized');
  await browser.pass(100);
  assert.equal(session.state, 'running');
  await browser.pass(60);
  assert.equal(session.state, 'ended');
  assert.deepEqual(heard.map(([type]) => type), ['ended', 'error', 'settled']);
  assert.equal(heard[1][1].status, 401);
  assert.deepEqual(server.of('end')[0].body, { sessionId: 's1', reason: 'error' });
  const tries = server.of('heartbeat').length;
  assert.ok(tries <= 9, `${tries} heartbeats: a token that has not changed is not sent twice`);
});

test('a sign-in provider that cannot be reached is no refusal', async () => {
  let reachable = true;
  const getToken = async () => {
    if (!reachable) throw new Error('offline');
    return 'tok';
  };
  const { browser, session, heard } = await running({ getToken });
  reachable = false;
  await browser.pass(60);
  assert.equal(session.state, 'running');
  assert.equal(session.failure.code, 'sign_in');
  reachable = true;
  await browser.pass(31);
  assert.equal(session.connected, true);
  assert.deepEqual(heard, []);
});

test('an end under an expired token is told once the sign-in is renewed', async () => {
  const { browser, server, session } = await running({ getToken: () => 'old' });
  server.answers.end = [problem(401, 'unauthorized'), server.answers.end];
  await session.end();
  assert.equal(session.summary.sessionMinutes, undefined);
  await browser.pass(5);
  assert.equal(session.summary.sessionMinutes, 1);
});

test('a token that comes after the session was over is not handed out', async () => {
  const { browser, server, session } = await running();
  let release;
  server.answers['realtime-token'] = () => new Promise((resolve) => (release = () => resolve({ token: 'late' })));
  const token = assert.rejects(session.realtimeToken(), { code: 'not_running' });
  await browser.settle();
  await session.end();
  release();
  await token;
  const asked = server.of('realtime-token').length;
  await assert.rejects(session.realtimeToken(), { code: 'not_running' });
  assert.equal(server.of('realtime-token').length, asked, 'and is not asked for without one');
});
