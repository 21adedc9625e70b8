// The voice connection: a call with a peer in another page, Gemini's socket against a stand-in.
import assert from 'node:assert/strict';
import { openPeer } from './peer.mjs';
import { alter, browserTest, end, problem, start, startSession, title, topicField, until } from './support.mjs';

const GEMINI = 'wss://generativelanguage.googleapis.com/ws/google.ai.generativelanguage.v1alpha.GenerativeService.BidiGenerateContentConstrained';
const microphone = { context: { permissions: ['microphone'] } };
const noSession = problem(403, 'no_active_session', 'No session is running');
const notConfigured = problem(503, 'provider_not_configured', 'The provider is not set up');

/** A host with a provider of calls: `answer` gives what an offer is answered with. */
async function giveCalls(page, answer) {
  const offers = [];
  await page.route('**/api/realtime-token', (route) => route.fulfill(noSession));
  await page.route('**/api/realtime-call', async (route) => {
    offers.push(route.request());
    await route.fulfill(await answer(route.request().postDataJSON()));
  });
  return offers;
}

async function answeredBy(peer, { sdp }) {
  const json = {
    sdp: await peer.answer(sdp), callId: 'rtc_1', provider: 'openai', model: 'a-model', minutesRemaining: 9,
    secondsRemaining: 540, heartbeatIntervalSeconds: 30,
  };
  return { json };
}

browserTest('a call: connects, captions, mutes, comes back, hangs up', async (world) => {
  const peer = await openPeer(world);
  const page = await world.newPage();
  const offers = await giveCalls(page, (offer) => answeredBy(peer, offer));
  const elsewhere = [];
  page.on('request', (request) => new URL(request.url()).origin === world.base || elsewhere.push(request.url()));
  await world.practice(page);
  await topicField(page).fill('Tea "and" cake');
  const [started] = await Promise.all([page.waitForRequest('**/api/session/start'), startSession(page)]);
  assert.equal(started.postDataJSON().awaitsCall, true);
  await page.getByText('Connected to OpenAI').waitFor();
  const offer = offers[0].postDataJSON();
  assert.equal(offer.sessionId, (await world.status()).activeSession.sessionId);
  assert.match(offer.sdp, /^v=0\r\n[^]*a=candidate:/);
  assert.ok(offers[0].headers()['idempotency-key']);
  await page.getByText('Hello <b>you</b>!').waitFor();
  const heard = await until(async () => {
    const all = await peer.heard();
    return all.length >= 2 && all;
  }, 'the peer hears the set-up');
  assert.deepEqual(heard.map(({ type }) => type), ['session.update', 'response.create']);
  assert.match(heard[0].session.instructions, /"Tea \\"and\\" cake"/);

  const mute = page.getByRole('button', { name: 'Mute' });
  await mute.click();
  assert.equal(await page.getByRole('button', { name: 'Unmute' }).getAttribute('aria-pressed'), 'true');

  await peer.hangUp();
  await until(() => offers.length === 2, 'a new offer', 20_000);
  await page.getByText('Connected to OpenAI').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Unmute' }).isVisible(), true, 'still muted');
  await end(page).click();
  await title(page).getByText('Your session is over').waitFor();
  await until(async () => !(await peer.isConnected()), 'hung up', 20_000);
  assert.deepEqual(elsewhere, [], 'the browser asks nobody but the host');
}, microphone);

for (const [endReason, words] of [
  ['limit_reached', 'You reached the limit of your plan.'],
  ['timeout', 'This was the longest that one session may be.'],
  ['stale', 'Nothing was heard from it for a while'],
  ['user_ended', 'in another tab or on another device'],
]) {
  browserTest(`a call that the server hangs up is explained: ${endReason}`, async (world) => {
    const peer = await openPeer(world);
    const page = await world.newPage();
    const answers = [(offer) => answeredBy(peer, offer), () => problem(409, 'no_active_session', 'No session is running')];
    await giveCalls(page, (offer) => answers.shift()(offer));
    await world.practice(page);
    await startSession(page);
    await page.getByText('Connected to OpenAI').waitFor();
    await alter(page, 'heartbeat', (answer) => ({
      ...answer, ended: { endReason, sessionMinutes: 1, endedAt: '2026-11-25T03:01:00Z' },
    }));
    await peer.hangUp();
    await title(page).getByText('Your session is over').waitFor();
    await page.locator('#lead').getByText(words).waitFor();
    assert.equal(await page.getByRole('alert').isVisible(), false, 'nothing failed');
  }, microphone);
}

browserTest('Gemini over its socket: set-up, audio up, caption down', async (world) => {
  const page = await world.newPage();
  const handedOut = [];
  await page.route('**/api/realtime-call', (route) => route.fulfill(notConfigured));
  await page.route('**/api/realtime-token', (route) => {
    if (route.request().postDataJSON().provider !== 'gemini') return route.fulfill(noSession);
    handedOut.push(`gemini-token-${handedOut.length + 1}`);
    return route.fulfill({
      json: {
        token: handedOut.at(-1), provider: 'gemini', model: 'a-model', expiresAt: '2030-01-01T00:00:00Z', minutesRemaining: 9,
        secondsRemaining: 540, connect: { url: GEMINI, method: 'access_token_query' },
      },
    });
  });
  const sent = [];
  const sockets = [];
  await page.routeWebSocket(/BidiGenerateContentConstrained/, (socket) => {
    sockets.push(socket);
    socket.onClose(() => (socket.isClosed = true));
    socket.onMessage((data) => {
      const message = JSON.parse(String(data));
      sent.push(message);
      if (message.setup) socket.send(JSON.stringify({ setupComplete: {} }));
      if (message.clientContent) {
        const audio = Buffer.alloc(4800).toString('base64');
        socket.send(JSON.stringify({
          serverContent: {
            modelTurn: { parts: [{ inlineData: { mimeType: 'audio/pcm;rate=24000', data: audio } }] },
            outputTranscription: { text: 'Good day!' },
          },
        }));
      }
    });
  });
  await world.practice(page);
  await startSession(page);
  await page.getByText('Connected to Gemini').waitFor();
  await page.getByText('Good day!').waitFor();
  const tokens = () => sockets.map((socket) => new URL(socket.url()).searchParams.get('access_token'));
  assert.deepEqual(tokens(), ['gemini-token-1']);
  assert.equal(sent[0].setup.model, 'models/a-model');
  const audio = await until(() => sent.find((message) => message.realtimeInput), 'audio from the microphone');
  assert.equal(audio.realtimeInput.audio.mimeType, 'audio/pcm;rate=16000');
  assert.equal(Buffer.from(audio.realtimeInput.audio.data, 'base64').length, 3200);

  // The connection comes to its end; the conversation does not.
  sockets[0].send(JSON.stringify({ sessionResumptionUpdate: { newHandle: 'a-handle', resumable: true } }));
  sockets[0].send(JSON.stringify({ goAway: { timeLeft: '50s' } }));
  await until(() => sockets.length === 2, 'another connection');
  await until(() => sockets[0].isClosed, 'the first is closed');
  const setups = () => sent.filter((message) => message.setup);
  await until(() => setups().length === 2, 'another set-up');
  assert.deepEqual(setups().map(({ setup }) => setup.sessionResumption), [{}, { handle: 'a-handle' }]);
  assert.deepEqual(tokens(), ['gemini-token-1', 'gemini-token-2']);
  const before = sent.length;
  await until(() => sent.slice(before).some((message) => message.realtimeInput), 'audio on the new connection');
  assert.equal(await page.getByText('Connected to Gemini').isVisible(), true);
}, microphone);

browserTest('a provider that fails: the session is ended with reason error, and told', async (world) => {
  const page = await world.newPage();
  await giveCalls(page, () => problem(502, 'provider_error', 'The provider answered 5xx'));
  await world.practice(page);
  const ended = page.waitForRequest('**/api/session/end');
  await start(page).click();
  assert.equal((await ended).postDataJSON().reason, 'error');
  await page.getByRole('alert').getByText('The voice provider refused the connection.').waitFor();
  await title(page).getByText('Your session is over').waitFor();
});

browserTest('a refused microphone costs nothing: no session, no token', async (world) => {
  const page = await world.newPage();
  await page.addInitScript(() => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'));
  });
  const asked = [];
  page.on('request', (request) => asked.push(new URL(request.url()).pathname));
  await world.practice(page);
  await start(page).click();
  await page.getByRole('alert').getByText('did not give access to the microphone').waitFor();
  await page.getByRole('alert').getByText('nothing was counted').waitFor();
  assert.equal(asked.includes('/api/session/start'), false);
  assert.equal(asked.includes('/api/realtime-token'), false);
  assert.equal((await world.status()).minutesUsed, 0);
  await until(() => start(page).isEnabled(), 'another try is possible');

  // Counting can be tried without a microphone, too.
  await page.getByRole('button', { name: 'Start without a voice' }).click();
  await end(page).waitFor();
  assert.equal(asked.includes('/api/realtime-token'), false);
});

browserTest('the browser’s question is open: told, and nothing is asked of the server before the answer', async (world) => {
  const page = await world.newPage();
  await page.addInitScript(() => {
    const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (constraints) => {
      await new Promise((resolve) => (window.answer = resolve));
      return real(constraints);
    };
  });
  await world.practice(page);
  await start(page).click();
  const waiting = page.getByRole('button', { name: 'Waiting for the microphone…' });
  await waiting.waitFor();
  await waiting.click();
  assert.equal((await world.status()).hasActiveSession, false);
  await page.evaluate(() => window.answer());
  await end(page).waitFor();
}, microphone);
