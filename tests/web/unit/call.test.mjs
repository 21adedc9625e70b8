// A call: the offer goes through Talktime, and the session's end is the call's.
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { connectVoice } from '../../../components/web/static/client/usage-voice.js';
import { BEAT, ENDED, FakeServer, open, problem, running } from './fake-browser.mjs';
import { FakePeers, settle, stream } from './fake-voice.mjs';

const ANSWER = {
  sdp: 'answer', callId: 'rtc_1', provider: 'openai', model: 'a-model', minutesRemaining: 9, secondsRemaining: 570, heartbeatIntervalSeconds: 30,
};
const endedBy = (endReason) => ({
  ...BEAT, secondsRemaining: 0, ended: { endReason, sessionMinutes: 1, endedAt: '2026-11-25T03:01:00Z' },
});

async function page(answer = ANSWER) {
  const server = new FakeServer();
  server.answers['realtime-call'] = answer;
  return running({ server });
}

/** A page in a call; `told` lists what the call told it. */
async function talking(options = {}) {
  const peers = new FakePeers();
  const { server, session, browser, heard } = await page();
  const told = [];
  const call = await connectVoice(session, {
    microphone: stream(told),
    instructions: 'Be kind.',
    onCaption: (text) => told.push(text),
    onBroken: () => told.push('broken'),
    onRestored: () => told.push('restored'),
    onLost: ({ code }) => told.push(`lost ${code}`),
    ...options,
  });
  return { peers, server, session, browser, heard, told, call };
}

test('the start says that a call is awaited, the call names the session', async () => {
  const { server, session } = await open();
  server.answers['realtime-call'] = ANSWER;
  await assert.rejects(session.call({ sdp: 'offer' }), { code: 'not_running' });
  await session.start({ awaitsCall: true });
  assert.deepEqual(await session.call({ sdp: 'offer', provider: 'openai', model: 'm', voice: 'v' }), ANSWER);
  await settle();
  assert.deepEqual(server.of('start')[0].body, { awaitsCall: true });
  assert.deepEqual(server.of('realtime-call')[0].body, { sdp: 'offer', provider: 'openai', model: 'm', voice: 'v', sessionId: 's1' });
  assert.ok(server.of('realtime-call')[0].headers['Idempotency-Key']);
  assert.equal(server.of('heartbeat').length, 1, 'the minutes count from now on, and are asked for');
});

test('no answer: tried again, each time under a key of its own', async () => {
  const { server, session, browser } = await page([new TypeError('no network'), () => problem(502, 'provider_error'), ANSWER]);
  const called = session.call({ sdp: 'offer' });
  await browser.pass(6);
  assert.deepEqual(await called, ANSWER);
  assert.equal(new Set(server.of('realtime-call').map(({ headers }) => headers['Idempotency-Key'])).size, 3);
});

test('a refusal is never tried again', async () => {
  for (const [status, code] of [[400, 'invalid_field'], [403, 'no_credits'], [409, 'no_active_session'], [429, 'rate_limited']]) {
    const { server, session, browser } = await page(() => problem(status, code));
    const refused = assert.rejects(session.call({ sdp: 'offer' }), { status, code });
    await browser.pass(10);
    await refused;
    assert.equal(server.of('realtime-call').length, 1, code);
  }
});

test('a session that is over, unknown to the page: its end is fetched, and told', async () => {
  const { server, session, heard } = await page(() => problem(409, 'no_active_session'));
  server.answers.heartbeat = endedBy('limit_reached');
  await assert.rejects(session.call({ sdp: 'offer' }), { code: 'not_running' });
  const [, summary] = heard.find(([type]) => type === 'ended');
  assert.deepEqual(summary, { sessionId: 's1', endReason: 'limit_reached', sessionMinutes: 1, endedBy: 'server' });
});

test('a call whose answer comes after the session was over is not handed out', async () => {
  let release;
  const { session } = await page(() => new Promise((resolve) => (release = () => resolve(ANSWER))));
  const late = assert.rejects(session.call({ sdp: 'offer' }), { code: 'not_running' });
  await settle();
  await session.end();
  release();
  await late;
});

test('the offer waits for its candidates; the partner is told what to do, and speaks first', async () => {
  const { peers, server, told, call } = await talking({ provider: 'openai', voice: 'marin' });
  assert.deepEqual(server.of('realtime-call')[0].body, {
    sdp: 'peer 1 with candidates', provider: 'openai', voice: 'marin', sessionId: 's1',
  });
  assert.deepEqual(peers.last.answer, { type: 'answer', sdp: 'answer' });
  assert.deepEqual(peers.last.channel.sent.map(({ type }) => type), ['session.update', 'response.create']);
  peers.last.channel.onmessage({ data: '{"type":"response.output_audio_transcript.done","transcript":"Hi!"}' });
  peers.last.channel.onmessage({ data: 'no JSON' });
  assert.deepEqual(told, ['Hi!']);
  call.close();
  assert.equal(peers.open, 0);
  assert.deepEqual(told, ['Hi!'], 'a microphone of the page’s is the page’s to stop');
});

test('GPT-Live is told nothing by the page', async () => {
  const peers = new FakePeers();
  const { session } = await page({ ...ANSWER, provider: 'openai-live' });
  await connectVoice(session, { microphone: stream(), instructions: 'Be kind.', provider: 'openai-live' });
  assert.deepEqual(peers.last.channel.sent, []);
});

test('a microphone that the call opened is stopped with it', async () => {
  new FakePeers();
  const told = [];
  Object.defineProperty(globalThis, 'navigator', {
    configurable: true, value: { mediaDevices: { getUserMedia: async () => stream(told) } },
  });
  const { session } = await page();
  await connectVoice(session);
  await session.end();
  assert.deepEqual(told, ['stop']);
});

for (const [what, end, reason] of [
  ['the user', ({ session }) => session.end(), 'user_ended'],
  ['the limit', (at) => beat(at, endedBy('limit_reached')), 'limit_reached'],
  ['the cap', (at) => beat(at, endedBy('timeout')), 'timeout'],
  ['a silence', (at) => beat(at, endedBy('stale')), 'stale'],
  ['a takeover', (at) => beat(at, () => problem(404, 'session_not_found')), 'replaced'],
  ['leaving the page', ({ browser }) => browser.leave(), 'user_ended'],
  ['disposing of the session', ({ session }) => session.dispose(), 'user_ended'],
]) {
  test(`the peer is closed at once when the session ends by ${what}`, async () => {
    const at = await talking();
    await end(at);
    assert.equal(at.peers.open, 0);
    assert.equal(at.session.summary?.endReason, reason);
    assert.deepEqual(at.told, []);
    at.peers.last.channel.onclose();
    await settle();
    assert.equal(at.peers.all.length, 1, 'and is not offered again');
  });
}

test('while it ends already, nobody talks', async () => {
  const { peers, server, session } = await talking();
  let release;
  server.answers.end = () => new Promise((resolve) => (release = () => resolve(ENDED)));
  const ending = session.end();
  assert.equal(peers.open, 0);
  await settle();
  release();
  await ending;
});

test('a connection that failed is offered anew, once the old one is closed', async () => {
  const { peers, server, told } = await talking();
  const [first] = peers.all;
  first.turn('failed');
  assert.equal(first.signalingState, 'closed');
  await wait(5);
  assert.equal(server.of('realtime-call').length, 2);
  assert.equal(server.of('realtime-call')[1].body.sdp, 'peer 2 with candidates');
  assert.equal(peers.open, 1);
  assert.deepEqual(told, ['broken', 'restored']);
});

test('a new offer that fails, too: lost', async () => {
  const { peers, server, told } = await talking();
  server.answers['realtime-call'] = () => problem(500, 'misconfigured');
  peers.last.channel.onclose();
  await wait(5);
  assert.deepEqual(told, ['broken', 'lost misconfigured']);
  assert.equal(server.of('realtime-call').length, 2);
  assert.equal(peers.open, 0);
});

test('hung up by the server: the refusal of the new offer brings why, and nothing is lost', async () => {
  const { peers, server, told, heard } = await talking();
  server.answers['realtime-call'] = () => problem(409, 'no_active_session');
  server.answers.heartbeat = endedBy('limit_reached');
  peers.last.channel.onclose();
  await wait(5);
  assert.deepEqual(told, ['broken']);
  assert.equal(heard.find(([type]) => type === 'ended')[1].endReason, 'limit_reached');
  assert.equal(peers.open, 0);
});

test('without network there is no offer; it is made when the network is back', async () => {
  const { peers, server, browser, told } = await talking();
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    server.answers['realtime-call'] = [...Array(4).fill(new TypeError('no network')), ANSWER];
    peers.last.turn('disconnected');
    mock.timers.tick(7999);
    assert.deepEqual(told, []);
    mock.timers.tick(1);
    for (let second = 0; second < 15; second += 1) {
      mock.timers.tick(1000);
      await browser.pass(1);
    }
    assert.deepEqual(told, ['broken', 'restored']);
    assert.equal(server.of('realtime-call').length, 6);
  } finally {
    mock.timers.reset();
  }
});

test('a disconnection that mends itself is none', async () => {
  const { peers, told } = await talking();
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    peers.last.turn('disconnected');
    mock.timers.tick(5000);
    peers.last.turn('connected');
    mock.timers.tick(60_000);
    assert.deepEqual(told, []);
  } finally {
    mock.timers.reset();
  }
});

test('an answer that does not connect: refused, with nothing left open', async () => {
  const peers = new FakePeers();
  peers.connects = false;
  const { session } = await page();
  const refused = assert.rejects(connectVoice(session, { microphone: stream() }), { code: 'voice_failed' });
  await wait(5);
  peers.last.turn('failed');
  await refused;
  assert.equal(peers.open, 0);
});

test('the session ends while it connects: refused at once', async () => {
  const peers = new FakePeers();
  peers.connects = false;
  const { session } = await page();
  const refused = assert.rejects(connectVoice(session, { microphone: stream() }), { code: 'voice_failed' });
  await wait(5);
  await session.end();
  await refused;
  assert.equal(peers.open, 0);
});

async function beat({ server, browser }, answer) {
  server.answers.heartbeat = answer;
  await browser.pass(31);
}

async function wait(ms) {
  await new Promise((resolve) => setTimeout(resolve, ms));
  await settle();
}
