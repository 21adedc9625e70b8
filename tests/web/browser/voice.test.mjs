// The voice connection: WebRTC against a peer in another page, Gemini's socket against a stand-in.
import assert from 'node:assert/strict';
import { browserTest, end, problem, start, startSession, title, topicField, until } from './support.mjs';

const OPENAI = 'https://api.openai.com/v1/realtime/calls';
const GEMINI = 'wss://generativelanguage.googleapis.com/ws/google.ai.generativelanguage.v1alpha.GenerativeService.BidiGenerateContentConstrained';
const CORS = { 'Access-Control-Allow-Origin': '*', 'Access-Control-Allow-Headers': '*' };
const microphone = { context: { permissions: ['microphone'] } };

function giveToken(page, provider, connect) {
  return page.route('**/api/realtime-token', (route) => route.fulfill({
    json: {
      token: `${provider}-token`, provider, model: 'a-model', expiresAt: '2030-01-01T00:00:00Z', minutesRemaining: 9,
      secondsRemaining: 540, connect,
    },
  }));
}

/** A page that answers an offer as OpenAI does, and keeps what it hears on the data channel. */
async function openPeer(world) {
  const peer = await world.newPage();
  await peer.evaluate(() => {
    window.heard = [];
    window.answer = async (sdp) => {
      window.connection = new RTCPeerConnection();
      window.connection.ondatachannel = ({ channel }) => {
        channel.onmessage = ({ data }) => window.heard.push(JSON.parse(data));
        const said = { type: 'response.output_audio_transcript.done', transcript: 'Hello <b>you</b>!' };
        channel.onopen = () => channel.send(JSON.stringify(said));
      };
      await window.connection.setRemoteDescription({ type: 'offer', sdp });
      await window.connection.setLocalDescription(await window.connection.createAnswer());
      await new Promise((resolve) => {
        const look = () => window.connection.iceGatheringState === 'complete' && resolve();
        window.connection.onicegatheringstatechange = look;
        look();
      });
      return window.connection.localDescription.sdp;
    };
  });
  return peer;
}

browserTest('OpenAI over WebRTC: connects, captions, mutes, comes back, hangs up', async (world) => {
  const peer = await openPeer(world);
  const page = await world.newPage();
  await giveToken(page, 'openai', { url: OPENAI, method: 'webrtc' });
  const offers = [];
  await page.route(OPENAI, async (route) => {
    if (route.request().method() === 'OPTIONS') return route.fulfill({ status: 204, headers: CORS });
    offers.push(await route.request().allHeaders());
    const body = await peer.evaluate((sdp) => window.answer(sdp), route.request().postData());
    return route.fulfill({ status: 201, contentType: 'application/sdp', headers: CORS, body });
  });
  await world.practice(page);
  await topicField(page).fill('Tea "and" cake');
  await startSession(page);
  await page.getByText('Connected to OpenAI').waitFor();
  assert.equal(offers[0].authorization, 'Bearer openai-token');
  assert.equal(offers[0]['content-type'], 'application/sdp');
  await page.getByText('Hello <b>you</b>!').waitFor();
  const heard = await until(async () => {
    const all = await peer.evaluate(() => window.heard);
    return all.length >= 2 && all;
  }, 'the peer hears the set-up');
  assert.deepEqual(heard.map(({ type }) => type), ['session.update', 'response.create']);
  assert.match(heard[0].session.instructions, /"Tea \\"and\\" cake"/);

  const mute = page.getByRole('button', { name: 'Mute' });
  await mute.click();
  assert.equal(await page.getByRole('button', { name: 'Unmute' }).getAttribute('aria-pressed'), 'true');

  await peer.evaluate(() => window.connection.close());
  await until(() => offers.length === 2, 'a new connection', 20_000);
  await page.getByText('Connected to OpenAI').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Unmute' }).isVisible(), true, 'still muted');
  await end(page).click();
  await title(page).getByText('Your session is over').waitFor();
  await until(
    () => peer.evaluate(() => ['disconnected', 'failed', 'closed'].includes(window.connection.connectionState)),
    'hung up', 20_000,
  );
}, microphone);

browserTest('Gemini over its socket: set-up, audio up, caption down', async (world) => {
  const page = await world.newPage();
  await giveToken(page, 'gemini', { url: GEMINI, method: 'access_token_query' });
  const sent = [];
  let address;
  await page.routeWebSocket(/BidiGenerateContentConstrained/, (socket) => {
    address = new URL(socket.url());
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
  assert.equal(address.searchParams.get('access_token'), 'gemini-token');
  assert.equal(sent[0].setup.model, 'models/a-model');
  const audio = await until(() => sent.find((message) => message.realtimeInput), 'audio from the microphone');
  assert.equal(audio.realtimeInput.audio.mimeType, 'audio/pcm;rate=16000');
  assert.equal(Buffer.from(audio.realtimeInput.audio.data, 'base64').length, 3200);
}, microphone);

browserTest('a provider that fails: the session is ended with reason error, and told', async (world) => {
  const page = await world.newPage();
  await page.route('**/api/realtime-token', (route) => route.fulfill(problem(502, 'provider_error', 'The provider answered 5xx')));
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
