// A conversation that outlives its connections: each token lives for ten minutes at most.
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { UsageError } from '../../../components/web/static/client/usage.js';
import { connectGemini } from '../../../components/web/static/practice/voice/voice-gemini.js';
import { problem, running } from './fake-browser.mjs';
import { FakeSockets, settle, stream } from './fake-voice.mjs';

const refuse = (status, code) => new UsageError({ status, code, message: code });
const tokenOf = (name) => ({ token: name, model: 'a-model', connect: { url: 'wss://voice.example/live' }, secondsRemaining: 500 });
const setupOf = (socket) => socket.sent.find((message) => message.setup)?.setup;

/** A conversation with token `t1`; `tokens` are the answers to what is asked after it. */
async function talking(tokens = []) {
  const sockets = new FakeSockets();
  const told = [];
  const session = {
    realtimeToken: async (request) => {
      sockets.log.push(`ask ${request.provider}`);
      const answer = tokens.length > 0 ? tokens.shift() : tokenOf(`t${sockets.all.length + 1}`);
      if (answer instanceof Error) throw answer;
      return answer;
    },
  };
  const connecting = connectGemini({
    session,
    token: tokenOf('t1'),
    microphone: stream(),
    instructions: 'Be kind.',
    onCaption: (text) => told.push(text),
    onBroken: () => told.push('broken'),
    onRestored: () => told.push('restored'),
    onLost: (error) => told.push(`lost ${error.code ?? error.message}`),
  });
  await sockets.accept();
  const conversation = await connecting;
  sockets.log.length = 0;
  return { sockets, told, conversation };
}

test('the set-up asks for resumption, and for a conversation that may be long', async () => {
  const { sockets, conversation } = await talking();
  const { sent } = sockets.last;
  assert.deepEqual(setupOf(sockets.last), {
    model: 'models/a-model',
    generationConfig: { responseModalities: ['AUDIO'] },
    systemInstruction: { parts: [{ text: 'Be kind.' }] },
    outputAudioTranscription: {},
    contextWindowCompression: { slidingWindow: {} },
    sessionResumption: {},
  });
  assert.equal(sent[1].clientContent.turns[0].parts[0].text, 'Hello!');
  sockets.speak();
  assert.equal(sent[2].realtimeInput.audio.mimeType, 'audio/pcm;rate=16000');
  conversation.close();
  conversation.close();
  assert.deepEqual(sockets.log, ['close t1']);
});

test('goAway: a new token, the old socket closed, and only then a new one with the last handle', async () => {
  const { sockets, told } = await talking();
  await sockets.say({ sessionResumptionUpdate: { newHandle: 'h1', resumable: true } });
  await sockets.say({ sessionResumptionUpdate: { newHandle: 'h2', resumable: true } });
  await sockets.say({ sessionResumptionUpdate: { newHandle: '', resumable: false } });
  await sockets.say({ goAway: { timeLeft: '50s' } });
  await wait(5);
  assert.deepEqual(sockets.log, ['ask gemini', 'close t1', 'open t2']);
  sockets.speak();
  assert.equal(sockets.last.sent.length, 0, 'nothing before the set-up is complete');
  await sockets.accept();
  assert.deepEqual(setupOf(sockets.last).sessionResumption, { handle: 'h2' });
  assert.equal(sockets.last.sent.some((message) => message.clientContent), false, 'the conversation goes on, it does not begin');
  sockets.speak();
  assert.ok(sockets.last.sent.at(-1).realtimeInput, 'the microphone goes to the new one');
  await sockets.say({ serverContent: { outputTranscription: { text: 'Where were we?' } } });
  assert.deepEqual(told, ['Where were we?'], 'nobody notices');
  assert.equal(sockets.open, 1);

  // And again, ten minutes later.
  await sockets.say({ goAway: { timeLeft: '50s' } }, sockets.last);
  await wait(5);
  await sockets.accept();
  assert.equal(sockets.last.token, 't3');
  assert.equal(sockets.open, 1);
});

test('what the old socket says after its end is not heard', async () => {
  const { sockets, told } = await talking();
  const [old] = sockets.all;
  await sockets.say({ goAway: {} });
  await wait(5);
  await sockets.accept();
  await sockets.say({ goAway: {} }, old);
  await sockets.say({ serverContent: { outputTranscription: { text: 'late' } } }, old);
  await wait(5);
  assert.equal(sockets.all.length, 2);
  assert.deepEqual(told, []);
});

test('a socket that the provider closes cleanly: the same, and told', async () => {
  const { sockets, told } = await talking();
  await sockets.say({ sessionResumptionUpdate: { newHandle: 'h1', resumable: true } });
  await sockets.drop(1000);
  await wait(5);
  assert.deepEqual(sockets.log, ['dropped t1', 'ask gemini', 'open t2']);
  await sockets.accept();
  assert.deepEqual(setupOf(sockets.last).sessionResumption, { handle: 'h1' });
  assert.deepEqual(told, ['broken', 'restored']);
});

test('two reasons to renew are one renewal', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const { sockets } = await talking();
    await sockets.say({ goAway: {} });
    await sockets.say({ goAway: {} });
    await sockets.drop(1000);
    await pass(0);
    assert.deepEqual(sockets.log, ['dropped t1', 'ask gemini', 'open t2']);
  } finally {
    mock.timers.reset();
  }
});

test('a renewal that fails is tried again, while the old connection is talked on', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const { sockets, told } = await talking([refuse(0, 'network'), refuse(503, 'provider_busy')]);
    const [old] = sockets.all;
    await sockets.say({ goAway: {} });
    await pass(0);
    await pass(1000);
    assert.deepEqual(sockets.log, ['ask gemini', 'ask gemini']);
    sockets.speak();
    assert.ok(old.sent.at(-1).realtimeInput);
    await pass(2000);
    assert.deepEqual(sockets.log, ['ask gemini', 'ask gemini', 'ask gemini', 'close t1', 'open t2']);
    await sockets.accept();
    assert.deepEqual(told, []);
  } finally {
    mock.timers.reset();
  }
});

test('a new socket that does not open is tried again with another token and the same handle', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const { sockets, told } = await talking();
    await sockets.say({ sessionResumptionUpdate: { newHandle: 'h1', resumable: true } });
    await sockets.say({ goAway: {} });
    await pass(0);
    await sockets.drop(1006);
    await pass(1000);
    assert.deepEqual(sockets.log, ['ask gemini', 'close t1', 'open t2', 'dropped t2', 'ask gemini', 'open t3']);
    await sockets.accept();
    assert.deepEqual(setupOf(sockets.last).sessionResumption, { handle: 'h1' });
    assert.deepEqual(told, ['broken', 'restored']);
  } finally {
    mock.timers.reset();
  }
});

test('a handle that the provider does not take is given up: the conversation begins anew', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const { sockets } = await talking();
    await sockets.say({ sessionResumptionUpdate: { newHandle: 'h1', resumable: true } });
    await sockets.say({ goAway: {} });
    await pass(0);
    await sockets.drop(1008);
    await pass(1000);
    await sockets.accept();
    assert.deepEqual(setupOf(sockets.last).sessionResumption, {});
  } finally {
    mock.timers.reset();
  }
});

test('an outage that does not end: lost, with what came last', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const { sockets, told } = await talking(Array(20).fill(refuse(0, 'network')));
    await sockets.drop(1006);
    for (let second = 0; second < 95; second += 1) await pass(1000);
    assert.deepEqual(told, ['broken', 'lost network']);
    assert.equal(sockets.open, 0);
  } finally {
    mock.timers.reset();
  }
});

test('too little is left for another token: the last words are spoken on the old connection', async () => {
  const { sockets, told } = await talking([refuse(403, 'session_ending'), refuse(403, 'session_ending')]);
  await sockets.say({ goAway: {} });
  await wait(5);
  assert.deepEqual(sockets.log, ['ask gemini']);
  assert.equal(sockets.open, 1);
  await sockets.drop(1000);
  await wait(5);
  assert.deepEqual(told, ['broken', 'lost session_ending']);
});

test('closed while it renews: no new socket', async () => {
  let release;
  const { sockets, conversation } = await talking([new Promise((resolve) => (release = resolve))]);
  await sockets.say({ goAway: {} });
  await wait(5);
  conversation.close();
  release(tokenOf('late'));
  await settle();
  assert.deepEqual(sockets.log, ['ask gemini', 'close t1']);
});

test('a new token is asked for the session; one that is over ends with its own reason', async () => {
  const { server, session, heard } = await running();
  const sockets = new FakeSockets();
  const lost = [];
  server.answers['realtime-token'] = tokenOf('t1');
  const connecting = connectGemini({
    session, token: await session.realtimeToken({ provider: 'gemini' }), microphone: stream(), instructions: '',
    onCaption() {}, onBroken() {}, onRestored() {}, onLost: (error) => lost.push(error.code),
  });
  await sockets.accept();
  const conversation = await connecting;
  session.addEventListener('ended', () => conversation.close());
  server.answers['realtime-token'] = () => problem(403, 'no_active_session');
  server.answers.heartbeat = {
    minutesUsed: 9, totalMinutesUsed: 10, minutesRemaining: 0, secondsRemaining: 0,
    ended: { endReason: 'timeout', sessionMinutes: 9, endedAt: '2026-11-25T03:09:00Z' },
  };
  await sockets.say({ goAway: {} });
  await wait(5);
  assert.deepEqual(server.of('realtime-token').map(({ body }) => body), Array(2).fill({ provider: 'gemini', sessionId: 's1' }));
  assert.deepEqual(heard.find(([type]) => type === 'ended'), [
    'ended', { sessionId: 's1', endReason: 'timeout', sessionMinutes: 9, endedBy: 'server' },
  ]);
  assert.equal(sockets.open, 0);
  assert.deepEqual(lost, [], 'the end says it all');
});

async function wait(ms) {
  await new Promise((resolve) => setTimeout(resolve, ms));
  await settle();
}

async function pass(ms) {
  mock.timers.tick(ms);
  await settle();
}
