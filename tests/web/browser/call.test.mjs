// A call from the page through the real host to a provider, and cut by the host. The provider's API is played here, its end
// of the call by a page of the same Chromium.
import assert from 'node:assert/strict';
import http from 'node:http';
import { openPeer } from './peer.mjs';
import { browserTest, CALL_BASE, end, startSession, title, until } from './support.mjs';

const options = { base: CALL_BASE, context: { permissions: ['microphone'] }, timeout: 120_000 };

/** Answers offers and hang-ups as OpenAI does, at the address that the host has as its `openai_base_url`. */
async function withProvider(world, body) {
  const peer = await openPeer(world);
  const provider = { peer, offers: 0, hungUp: [], complaints: [] };
  const server = http.createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    if (!request.headers.authorization?.startsWith('Bearer ')) provider.complaints.push('no key');
    const [, hungUp] = request.url.match(/^\/v1\/realtime\/calls\/(rtc_\w+)\/hangup$/) ?? [];
    if (hungUp) {
      provider.hungUp.push(hungUp);
      await peer.hangUp();
      return response.end();
    }
    if (request.url !== '/v1/realtime/calls') return response.writeHead(404).end();
    const form = await new Response(Buffer.concat(chunks), { headers: { 'Content-Type': request.headers['content-type'] } }).formData();
    provider.offers += 1;
    const answer = await peer.answer(form.get('sdp'));
    response.writeHead(201, { 'Content-Type': 'application/sdp', Location: `/v1/realtime/calls/rtc_${provider.offers}` });
    return response.end(answer);
  });
  const { hostname, port } = new URL(process.env.TALKTIME_CALL_PROVIDER_URL ?? '');
  await new Promise((resolve) => server.listen(Number(port), hostname, resolve));
  try {
    await body(provider);
    assert.deepEqual(provider.complaints, []);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

async function call(world) {
  const page = await world.practice();
  await startSession(page);
  await page.getByText('Connected to OpenAI').waitFor();
  await page.getByText('Hello <b>you</b>!').waitFor();
  return page;
}

browserTest('a call is set up, cut at the limit and explained', (world) => withProvider(world, async (provider) => {
  assert.equal((await world.status()).minutesLimit, 1, 'the free plan there is one minute');
  const page = await call(world);
  const connectedAt = Date.now();
  assert.equal((await world.status()).minutesUsed, 1, 'paid for from the answer on');
  await until(() => provider.hungUp.length === 1, 'the host hangs up', 75_000);
  const took = (Date.now() - connectedAt) / 1000;
  assert.ok(took > 55 && took < 66, `hung up after ${took} s`);
  await title(page).getByText('Your session is over').waitFor();
  await page.locator('#lead').getByText('You reached the limit of your plan.').waitFor();
  await page.locator('#lead').getByText('1 minute counted.').waitFor();
  assert.deepEqual([provider.offers, provider.hungUp], [1, ['rtc_1']]);
  assert.equal((await world.status()).lastSession.endReason, 'limit_reached');
}), options);

browserTest('a takeover cuts the call, and the page says so', (world) => withProvider(world, async (provider) => {
  await world.plan('pro');
  const page = await call(world);
  await world.api('POST', 'start', { takeover: true });
  await until(() => provider.hungUp.length === 1, 'the host hangs up');
  await page.locator('#lead').getByText('in another tab or on another device').waitFor();
  assert.equal(provider.offers, 1, 'the new offer is refused before the provider is asked');
}), options);

browserTest('an end by the user hangs up at the provider', (world) => withProvider(world, async (provider) => {
  const page = await call(world);
  await end(page).click();
  await until(() => provider.hungUp.length === 1, 'the host hangs up');
  await page.locator('#lead').getByText('1 minute counted.').waitFor();
}), options);
