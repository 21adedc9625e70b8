// A session in a real browser against the real backend and its real clock.
import assert from 'node:assert/strict';
import { alter, browserTest, end, HEARTBEAT_MS, ONE_MINUTE_BASE, problem, start, startSession, title, topicField, until } from './support.mjs';

const upgrade = (page) => page.locator('usage-bar').getByRole('link', { name: /Upgrade Plan/ });

browserTest('starts, heartbeats, counts down, ends', async (world) => {
  const page = await world.practice();
  assert.equal(new URL(page.url()).hash, '', 'the token has left the address bar');
  await topicField(page).fill('Tea');
  await page.getByRole('radio', { name: /Intermediate/ }).check();
  const started = await startSession(page);
  const heartbeat = page.waitForResponse('**/api/session/heartbeat', { timeout: HEARTBEAT_MS });
  const seconds = async () => {
    const [minutes, rest] = (await page.locator('#clock').textContent()).split(':').map(Number);
    return minutes * 60 + rest;
  };
  const before = await seconds();
  assert.ok(before <= started.secondsRemaining && before > started.secondsRemaining - 5, `${before} s at the start`);
  await page.getByText('Silent mode.').waitFor();
  assert.deepEqual((await heartbeat).request().postDataJSON(), { sessionId: started.sessionId });
  assert.equal((await heartbeat).status(), 200);
  await until(async () => (await seconds()) < before, 'the clock runs');
  const { activeSession } = await world.status();
  assert.equal(activeSession.topic, 'Tea');
  assert.equal(activeSession.difficulty, 'intermediate');
  await end(page).click();
  await page.getByText('1 minute counted.').first().waitFor();
  const status = await world.status();
  assert.equal(status.hasActiveSession, false);
  assert.equal(status.minutesUsed, 1);
  assert.equal(status.lastSession.endReason, 'user_ended');
  await page.locator('usage-bar').getByText(`1/${status.minutesLimit} minutes`).waitFor();
}, { timeout: 90_000 });

browserTest('stops by itself at the limit, offers the upgrade, refuses a start, and goes on after it', async (world) => {
  assert.equal((await world.status()).minutesLimit, 1, 'the free plan there is one minute');
  const page = await world.practice();
  const startedAt = Date.now();
  await startSession(page);
  // Said by the first heartbeat: at the very start the minute is still whole.
  await page.locator('usage-warning').getByText('last minute').waitFor({ timeout: HEARTBEAT_MS });
  assert.equal(await upgrade(page).isVisible(), false, 'the last minute may be used');
  await title(page).getByText('Your session is over').waitFor({ timeout: 75_000 });
  const took = (Date.now() - startedAt) / 1000;
  assert.ok(took > 58 && took < 66, `stopped after ${took} s`);
  await page.getByText('You reached the limit of your plan.').first().waitFor();
  await upgrade(page).waitFor();
  assert.equal(await start(page).isDisabled(), true);
  const status = await world.status();
  assert.equal(status.minutesUsed, 1);
  assert.equal(status.lastSession.endReason, 'limit_reached');

  await world.plan('pro');
  await page.bringToFront();
  await page.evaluate(() => dispatchEvent(new Event('online')));
  await until(() => start(page).isEnabled(), 'an upgrade opens the way');
  assert.equal(await upgrade(page).isVisible(), false);
}, { timeout: 120_000, base: ONE_MINUTE_BASE });

browserTest('survives a minute without network, with the right minutes', async (world) => {
  const page = await world.practice();
  const { sessionId } = await startSession(page);
  await world.context.setOffline(true);
  await page.locator('#connection').getByText('The server does not answer.').waitFor({ timeout: HEARTBEAT_MS });
  await page.locator('#badge').getByText('Running, but no connection').waitFor();
  await page.locator('#announce').getByText('The server does not answer.').waitFor({ state: 'attached' });
  assert.match(await page.title(), /^No connection/);
  await page.waitForTimeout(62_000);
  const clock = await page.locator('#clock').textContent();
  assert.match(clock, /^0[0-8]:/, 'the countdown goes on');
  await world.context.setOffline(false);
  await page.getByText('The server answers again.').first().waitFor({ timeout: HEARTBEAT_MS });
  const status = await world.status();
  assert.equal(status.activeSession.sessionId, sessionId);
  assert.ok(status.minutesUsed >= 2 && status.minutesUsed <= 3, `${status.minutesUsed} minutes`);
  await page.locator('usage-bar').getByText(`${status.minutesUsed}/${status.minutesLimit} minutes`).waitFor();
  await end(page).click();
  await page.getByText(`${status.minutesUsed} minutes counted.`).first().waitFor();
}, { timeout: 180_000 });

browserTest('a frozen page asks at once when it wakes', async (world) => {
  const page = await world.practice();
  await startSession(page);
  // Headless Chromium does not freeze a visible page when told to, so the debugger holds its scripts up.
  const devtools = await world.context.newCDPSession(page);
  await devtools.send('Debugger.enable');
  await devtools.send('Debugger.pause');
  await new Promise((resolve) => setTimeout(resolve, 8000));
  const heartbeat = page.waitForResponse('**/api/session/heartbeat', { timeout: 5000 });
  await devtools.send('Debugger.resume');
  assert.equal((await heartbeat).status(), 200);
});

browserTest('a laptop asleep for five minutes: the minutes are the server’s', async (world) => {
  const page = await world.newPage();
  await page.clock.install();
  await world.practice(page);
  await startSession(page);
  // The page's clock jumps, as it does on waking; the server's real one cannot, so its answer is the one it would give.
  await alter(page, 'heartbeat', (answer) => ({
    ...answer, minutesUsed: 6, totalMinutesUsed: 6, minutesRemaining: 4, secondsRemaining: 290, warning: '4 minutes left',
  }));
  const heartbeat = page.waitForResponse('**/api/session/heartbeat', { timeout: 5000 });
  await page.clock.setSystemTime(Date.now() + 300_000);
  await heartbeat;
  await page.locator('usage-bar').getByText('6/10 minutes').waitFor();
  await page.locator('usage-warning').getByText('Only 4 minutes left').waitFor();
  assert.match(await page.locator('#clock').textContent(), /^04:(50|4\d)$/);
});

browserTest('asleep past the limit: stopped on waking', async (world) => {
  const page = await world.newPage();
  await page.clock.install();
  await world.practice(page);
  await startSession(page);
  await page.route('**/api/session/heartbeat', (route) => route.abort());
  await page.clock.setSystemTime(Date.now() + 660_000);
  await title(page).getByText('Your session is over').waitFor();
  await page.getByText('You reached the limit').first().waitFor();
});

browserTest('a sign-in that is refused for a while: the session goes on; for good: it ends, and says why', async (world) => {
  const page = await world.newPage();
  await page.clock.install();
  await world.practice(page);
  await startSession(page);
  const refuse = (route) => route.fulfill(problem(401, 'unauthorized', 'The token has expired'));
  await page.route('**/api/session/*', refuse);
  await page.evaluate(() => dispatchEvent(new Event('online')));
  await page.locator('#connection').getByText('Your sign-in is not accepted').waitFor();
  await end(page).waitFor();
  await page.unroute('**/api/session/*', refuse);
  await page.clock.runFor(3000);
  await page.getByText('The server answers again.').first().waitFor();
  await page.route('**/api/session/*', refuse);
  for (let step = 0; step < 40 && !(await page.getByRole('alert').isVisible()); step += 1) {
    await page.clock.runFor(5000);
    await page.waitForTimeout(50);
  }
  await page.getByRole('alert').getByText('Your link is no longer valid.').waitFor();
  await title(page).getByText('Your session is over').waitFor();
});

browserTest('an end that does not arrive: told, tried again in front, and then settled', async (world) => {
  const page = await world.practice();
  await startSession(page);
  const away = (route) => route.abort();
  await page.route('**/api/session/*', away);
  await end(page).click();
  await page.getByRole('alert').getByText('It has not heard of the end yet.').waitFor();
  assert.equal((await world.status()).hasActiveSession, true);
  await page.unroute('**/api/session/*', away);
  await page.getByText('The server has heard of the end.').waitFor({ timeout: 20_000 });
  await page.getByText('1 minute counted.').first().waitFor();
  assert.equal(await page.getByRole('alert').isVisible(), false, 'what is over is not on show');
  assert.equal((await world.status()).hasActiveSession, false);
}, { timeout: 90_000 });

browserTest('open at the end of the period: the bar begins anew by itself', async (world) => {
  const page = await world.newPage();
  let used = 10;
  await page.clock.install();
  await alter(page, 'status', (status) => ({
    ...status, minutesUsed: used, minutesRemaining: 10 - used, percentUsed: used * 10, secondsRemaining: (10 - used) * 60,
    periodEnd: new Date(Date.parse(status.serverTime) + 3600_000).toISOString(),
  }));
  await world.practice(page);
  await page.locator('usage-bar').getByText('10/10 minutes').waitFor();
  used = 0;
  await page.clock.fastForward(3601_000);
  await page.clock.runFor(6000);
  await page.locator('usage-bar').getByText('0/10 minutes').waitFor();
  await until(() => start(page).isEnabled(), 'a start is possible');
});
