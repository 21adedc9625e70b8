// The order of things before a voice connects: the microphone, then the token.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError } from '../../../components/web/static/client/usage.js';
import { Voice } from '../../../components/web/static/practice/voice/voice.js';

const refuse = (status, code, more = {}) => new UsageError({ status, code, message: code, ...more });

/** A page with a voice; `asked` lists what was asked, in order. */
function open({ microphone, token }) {
  const asked = [];
  const stream = { getTracks: () => [{ stop: () => asked.push('stop') }] };
  Object.defineProperty(globalThis, 'navigator', {
    configurable: true,
    value: { mediaDevices: { getUserMedia: async () => (asked.push('microphone'), microphone ? microphone() : stream) } },
  });
  const session = { realtimeToken: async () => (asked.push('token'), token()) };
  const voice = new Voice(session);
  voice.addEventListener('failed', ({ detail }) => asked.push(`failed ${detail.code}`));
  return { asked, voice };
}

function throwing(error) {
  return () => {
    throw error;
  };
}

test('a refused microphone: no token is asked for', async () => {
  for (const [name, code] of [
    ['NotAllowedError', 'microphone'], ['NotFoundError', 'microphone_missing'], ['NotReadableError', 'microphone_busy'],
  ]) {
    const { asked, voice } = open({ microphone: throwing(new DOMException('no', name)), token: assert.fail });
    await assert.rejects(voice.prepare(), { code });
    await voice.connect();
    assert.deepEqual(asked, ['microphone', 'microphone', `failed ${code}`]);
  }
});

test('the microphone that was opened first is the one that is used, and given back', async () => {
  const { asked, voice } = open({ token: () => ({ connect: { method: 'unknown' } }) });
  await voice.prepare();
  assert.deepEqual(asked, ['microphone']);
  await voice.connect();
  assert.deepEqual(asked, ['microphone', 'token', 'stop', 'failed voice_failed']);
});

test('no provider: the microphone is given back, and not asked for again', async () => {
  const { asked, voice } = open({ token: throwing(refuse(503, 'provider_not_configured')) });
  await voice.prepare();
  await voice.connect();
  assert.equal(voice.status.silent, true);
  await voice.prepare();
  await voice.connect();
  assert.deepEqual(asked, ['microphone', 'token', 'stop', 'token']);
});

test('a busy provider is asked again, unless it asks for a long wait', async () => {
  const answers = [throwing(refuse(503, 'provider_busy', { retryAfterSeconds: 0 })), () => ({ connect: { method: 'unknown' } })];
  const busy = open({ token: () => answers.shift()() });
  await busy.voice.connect();
  assert.deepEqual(busy.asked.filter((what) => what === 'token').length, 2);

  const long = open({ token: throwing(refuse(503, 'provider_busy', { retryAfterSeconds: 20 })) });
  await long.voice.connect();
  assert.deepEqual(long.asked, ['microphone', 'token', 'stop', 'failed provider_busy']);
});

test('too little time to connect is told at once', async () => {
  const { asked, voice } = open({ token: throwing(refuse(403, 'session_ending')) });
  await voice.connect();
  assert.deepEqual(asked, ['microphone', 'token', 'stop', 'failed session_ending']);
});
