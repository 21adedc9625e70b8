// The operator's page against the real internal API.
import assert from 'node:assert/strict';
import { BASE, browserTest, internalSecret } from './support.mjs';

async function open(world) {
  const page = await world.newPage();
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
  await page.getByRole('alert').waitFor();

  const kept = await page.evaluate(() => JSON.stringify({ ...sessionStorage, ...localStorage }) + document.cookie + location.href
    + document.documentElement.outerHTML + document.querySelector('#secret').value);
  assert.equal(kept.includes(internalSecret()), false);
  assert.equal(await page.evaluate(() => window.xss), undefined);
  await page.reload();
  await page.getByLabel('Internal secret').waitFor();
});

browserTest('the operator’s page at 320 pixels', async (world) => {
  const page = await open(world);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 320);
}, { context: { viewport: { width: 320, height: 640 } } });
