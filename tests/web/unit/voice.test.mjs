// The order of things before a voice connects: the microphone, then the server; a call, else Gemini, else silence.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError } from '../../../components/web/static/client/usage.js';
import { Voice } from '../../../components/web/static/practice/voice/voice.js';
import { problem } from './fake-browser.mjs';
import { FakePeers, FakeSockets, settle, stream } from './fake-voice.mjs';

const refuse = (status, code, more = {}) => new UsageError({ status, code, message: code, ...more });
const notConfigured = throwing(refuse(503, 'provider_not_configured'));
const answer = () => ({ sdp: 'answer', provider: 'openai' });

/** A page with a voice; `asked` lists what was asked, in order. */
function open({ microphone, call = answer, token = notConfigured, probe = () => problem(403, 'no_active_session') }) {
  const asked = [];
  const peers = new FakePeers();
  Object.defineProperty(globalThis, 'navigator', {
    configurable: true,
    value: { mediaDevices: { getUserMedia: async () => (asked.push('microphone'), microphone ? microphone() : stream(asked)) } },
  });
  const session = Object.assign(new EventTarget(), {
    sessionId: 's1',
    call: async () => (asked.push('call'), call()),
    realtimeToken: async ({ provider }) => (asked.push(`token ${provider}`), token()),
  });
  const voice = new Voice(session, { fetch: async (url) => (asked.push(`probe ${url}`), probe()) });
  voice.addEventListener('failed', ({ detail }) => asked.push(`failed ${detail.code}`));
  return { asked, voice, peers, session };
}

function throwing(error) {
  return () => {
    throw error;
  };
}

test('a refused microphone: nothing is asked of the server', async () => {
  for (const [name, code] of [
    ['NotAllowedError', 'microphone'], ['NotFoundError', 'microphone_missing'], ['NotReadableError', 'microphone_busy'],
  ]) {
    const { asked, voice } = open({ microphone: throwing(new DOMException('no', name)) });
    await assert.rejects(voice.prepare(), { code });
    await voice.connect();
    assert.deepEqual(asked, ['microphone', 'microphone', `failed ${code}`]);
  }
});

test('a call: with the microphone that was opened first, which is given back at the end', async () => {
  const { asked, voice, peers } = open({});
  assert.equal(await voice.prepare(), true, 'the session is to wait for the call');
  assert.deepEqual(asked, ['microphone', 'probe /api/realtime-token']);
  await voice.connect(true);
  assert.equal(voice.status.text, 'Connected to OpenAI');
  assert.equal(voice.status.canMute, true);
  voice.disconnect();
  assert.equal(peers.open, 0);
  assert.deepEqual(asked.slice(2), ['call', 'stop']);
});

test('a call that broke is told, and so is the new one; for good, and the page is to end the session', async () => {
  const { asked, voice, peers, session } = open({});
  const told = [];
  voice.addEventListener('change', () => told.push(voice.status.text));
  await voice.connect(true);
  peers.last.turn('failed');
  await wait(5);
  assert.deepEqual(told, ['Connecting…', 'Connected to OpenAI', 'The voice broke off; connecting again…', 'Connected to OpenAI']);
  session.call = throwing(refuse(503, 'provider_busy'));
  peers.last.turn('failed');
  await wait(5);
  assert.deepEqual(asked.slice(-2), ['stop', 'failed provider_busy']);
});

test('no provider: known before the start, the microphone is given back, and the session counts as it is', async () => {
  const { asked, voice } = open({ probe: () => problem(503, 'provider_not_configured') });
  assert.equal(await voice.prepare(), false);
  await voice.connect(false);
  assert.equal(voice.status.silent, true);
  assert.equal(await voice.prepare(), false);
  await voice.connect(false);
  assert.deepEqual(asked, ['microphone', 'probe /api/realtime-token', 'stop', 'probe /api/realtime-token']);
});

test('a provider that was configured meanwhile gets the microphone', async () => {
  const probes = [problem(503, 'provider_not_configured'), problem(403, 'no_active_session')];
  const { asked, voice } = open({ probe: () => probes.shift() });
  assert.equal(await voice.prepare(), false);
  assert.equal(await voice.prepare(), true);
  await voice.connect(true);
  assert.equal(voice.status.text, 'Connected to OpenAI');
  assert.equal(asked.filter((what) => what === 'microphone').length, 2);
});

test('a resumed session without a provider is silent; one that waits for a voice is not to be', async () => {
  const resumed = open({ call: notConfigured });
  await resumed.voice.connect();
  assert.equal(resumed.voice.status.silent, true);
  assert.deepEqual(resumed.asked, ['microphone', 'call', 'token gemini', 'stop']);

  const waiting = open({ call: notConfigured });
  await waiting.voice.connect(true);
  assert.deepEqual(waiting.asked.slice(-2), ['stop', 'failed provider_not_configured']);
});

test('Gemini, where there are no calls; the next time it is asked at once', async () => {
  const sockets = new FakeSockets();
  const token = () => ({ token: 't1', model: 'm', connect: { url: 'wss://voice.example/live' } });
  const { asked, voice } = open({ call: notConfigured, token });
  for (const expected of [['microphone', 'call', 'token gemini', 'stop'], ['microphone', 'token gemini', 'stop']]) {
    asked.length = 0;
    const connecting = voice.connect(true);
    await wait(5);
    await sockets.accept();
    await connecting;
    assert.equal(voice.status.text, 'Connected to Gemini');
    voice.disconnect();
    assert.equal(sockets.open, 0);
    assert.deepEqual(asked, expected);
  }
});

test('a busy provider is asked again, unless it asks for a long wait', async () => {
  const answers = [throwing(refuse(503, 'provider_busy', { retryAfterSeconds: 0 })), throwing(refuse(403, 'session_ending'))];
  const busy = open({ call: notConfigured, token: () => answers.shift()() });
  await busy.voice.connect();
  assert.equal(busy.asked.filter((what) => what.startsWith('token')).length, 2);

  const long = open({ call: notConfigured, token: throwing(refuse(503, 'provider_busy', { retryAfterSeconds: 20 })) });
  await long.voice.connect();
  assert.deepEqual(long.asked, ['microphone', 'call', 'token gemini', 'stop', 'failed provider_busy']);
});

test('too little time to connect is told at once', async () => {
  const { asked, voice } = open({ call: notConfigured, token: throwing(refuse(403, 'session_ending')) });
  await voice.connect();
  assert.deepEqual(asked, ['microphone', 'call', 'token gemini', 'stop', 'failed session_ending']);
});

async function wait(ms) {
  await new Promise((resolve) => setTimeout(resolve, ms));
  await settle();
}
