// The operator's page against the real internal API.
import assert from 'node:assert/strict';
import { BASE, browserTest, internalSecret } from './support.mjs';

async function open(world, opened) {
  const page = opened ?? (await world.newPage());
  await page.goto(`${BASE}/admin`);
  await page.getByLabel('Internal secret').fill(internalSecret());
  await page.keyboard.press('Enter');
  await page.getByText(/^As of/).waitFor();
  return page;
}

browserTest('a wrong secret opens nothing', async (world) => {
  const page = await world.newPage();
  await page.goto(`${BASE}/admin`);
  await page.getByLabel('Internal secret').fill('wrong');
  await page.getByRole('button', { name: 'Open' }).click();
  await page.getByRole('alert').waitFor();
  assert.equal(await page.getByText('Active sessions').isVisible(), false);
});

browserTest('overview, sweep, look-up; the secret is kept nowhere', async (world) => {
  const topic = '<img src=x onerror="window.xss=1">';
  const { sessionId } = await world.api('POST', 'start', { topic, difficulty: 'advanced' });
  const page = await open(world);
  const active = page.getByRole('region', { name: 'Active sessions' });
  await active.getByRole('cell', { name: world.userId }).waitFor();
  await active.getByRole('cell', { name: topic }).waitFor();
  for (const region of [/Minutes a day/, /Ended sessions by reason/, /Minutes by plan/, /Webhooks without a user/]) {
    await page.getByRole('region', { name: region }).waitFor();
  }
  await page.getByRole('button', { name: 'Run a sweep now' }).click();
  await page.getByText(/\d+ of \d+ swept: \d+ ended/).waitFor();

  await world.api('POST', 'end', { sessionId });
  await page.getByLabel('User id').fill(world.userId);
  await page.getByRole('button', { name: 'Look up' }).click();
  await page.getByText(/Plan free: 1 of 10 minutes used/).waitFor();
  await page.getByRole('region', { name: 'Look a user up' }).getByRole('cell', { name: 'Ended by the user' }).first().waitFor();

  await page.getByLabel('User id').fill('nobody-of-that-name');
  await page.getByRole('button', { name: 'Look up' }).click();
  await page.getByText('No user “nobody-of-that-name” is known.').waitFor();

  const kept = await page.evaluate(() => JSON.stringify({ ...sessionStorage, ...localStorage }) + document.cookie + location.href
    + document.documentElement.outerHTML + document.querySelector('#secret').value);
  assert.equal(kept.includes(internalSecret()), false);
  assert.equal(await page.evaluate(() => window.xss), undefined);
  await page.reload();
  await page.getByLabel('Internal secret').waitFor();
});

/** Whether anything that the secret opened is left anywhere in the page. */
const leftOver = (page, words) => page.evaluate((all) => {
  const whole = document.documentElement.outerHTML + [...document.querySelectorAll('input')].map(({ value }) => value).join();
  return all.filter((word) => whole.includes(word));
}, words);

browserTest('“Forget the secret” clears what was shown, and what is under way shows nothing', async (world) => {
  const topic = 'A very private topic';
  await world.api('POST', 'start', { topic });
  const page = await open(world);
  await page.getByRole('cell', { name: topic }).waitFor();
  await page.getByLabel('User id').fill(world.userId);
  await page.getByRole('button', { name: 'Look up' }).click();
  await page.getByText(/Plan free: 1 of 10/).waitFor();

  let answer;
  const held = new Promise((resolve) => (answer = resolve));
  await page.route('**/api/internal/**', async (route) => {
    const response = await route.fetch();
    await held;
    await route.fulfill({ response }).catch(() => undefined);
  });
  for (const name of ['Refresh', 'Look up', 'Run a sweep now']) await page.getByRole('button', { name }).click();
  await page.getByRole('button', { name: 'Forget the secret' }).click();
  answer();
  await page.waitForTimeout(500);
  assert.deepEqual(await leftOver(page, [world.userId, topic, internalSecret(), 'As of 20']), []);
  assert.equal(await page.getByRole('alert').isVisible(), false);
  assert.equal(await page.evaluate(() => document.activeElement.id), 'secret');
});

browserTest('fifteen minutes without use forget the secret; leaving the page does, too', async (world) => {
  await world.api('POST', 'start', {});
  const page = await world.newPage();
  await page.clock.install();
  await open(world, page);
  await page.clock.fastForward(14 * 60_000);
  await page.getByRole('heading', { name: 'Active sessions' }).click();
  await page.clock.fastForward(14 * 60_000);
  await page.getByRole('cell', { name: world.userId }).first().waitFor();
  await page.clock.fastForward(60_000);
  await page.getByText('The secret was forgotten after 15 minutes').waitFor();
  assert.deepEqual(await leftOver(page, [world.userId, internalSecret()]), []);

  const left = await open(world);
  await left.evaluate(() => dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true })));
  assert.deepEqual(await leftOver(left, [world.userId, internalSecret()]), []);
});

browserTest('true totals, every day in the chart, and the focus stays', async (world) => {
  const page = await world.newPage();
  await page.route('**/api/internal/overview', async (route) => {
    const response = await route.fetch();
    const body = await response.json();
    const day = body.serverTime.slice(0, 10);
    await route.fulfill({ response, json: { ...body, activeSessionsTotal: 8700, unmappedWebhooksTotal: 61, dailyMinutes: [{ day, minutes: 7 }] } });
  });
  await open(world, page);
  await page.getByRole('region', { name: 'At a glance' }).getByText('8,700').waitFor();
  await page.getByRole('region', { name: 'At a glance' }).getByText('61').waitFor();
  await page.getByText(/\d+ of 8,700 are listed/).waitFor();
  await page.getByRole('img', { name: /7 minutes in 30 days/ }).waitFor();
  await page.getByText(/^As of .* UTC$/).waitFor();
  const refresh = page.getByRole('button', { name: 'Refresh' });
  await Promise.all([page.waitForResponse('**/overview'), refresh.click()]);
  await page.waitForTimeout(200);
  assert.equal(await page.evaluate(() => document.activeElement.id), 'refresh');
});

browserTest('the operator’s page at 320 pixels', async (world) => {
  const page = await open(world);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 320);
}, { context: { viewport: { width: 320, height: 640 } } });
