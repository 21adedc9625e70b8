// Reloads, closed tabs, several tabs.
import assert from 'node:assert/strict';
import { BASE, browserTest, end, mint, start, startSession, title, topicField, until } from './support.mjs';

browserTest('a reload that the page hears of resumes the session', async (world) => {
  const page = await world.practice();
  const { sessionId } = await startSession(page);
  await Promise.all([page.waitForEvent('load'), page.evaluate(() => location.reload())]);
  await page.getByText('Session resumed').first().waitFor();
  await end(page).waitFor();
  const status = await world.status();
  assert.equal(status.activeSession.sessionId, sessionId);
  assert.equal(status.minutesUsed, 1);
  await end(page).click();
  await title(page).getByText('Your session is over').waitFor();
});

browserTest('a reload by the browser’s button locks nobody out', async (world) => {
  const page = await world.practice();
  await startSession(page);
  await page.reload();
  await page.getByText('Leaving or reloading the page ended it.').first().waitFor();
  assert.equal((await world.status()).hasActiveSession, false);
  await startSession(page);
  const status = await world.status();
  assert.equal(status.hasActiveSession, true);
});

browserTest('closing the tab ends the session', async (world) => {
  const page = await world.practice();
  await startSession(page);
  await page.close();
  await until(async () => !(await world.status()).hasActiveSession, 'the session ends');
  assert.equal((await world.status()).lastSession.endReason, 'user_ended');
});

browserTest('leaving for another page ends the session; coming back shows it', async (world) => {
  const page = await world.practice();
  await startSession(page);
  await page.goto(`${BASE}/admin`);
  await until(async () => !(await world.status()).hasActiveSession, 'the session ends');
  await page.goBack();
  await until(() => start(page).isEnabled(), 'a start is possible');
});

browserTest('back from the back/forward cache: nothing dead is on show', async (world) => {
  const page = await world.practice();
  await startSession(page);
  await page.evaluate(() => (window.same = true));
  await page.goto(`${BASE}/pricing`);
  await until(async () => !(await world.status()).hasActiveSession, 'the session ends');
  // Somebody else's session, which the page cannot know of.
  await world.api('POST', 'start', {});
  // A page that was kept does not load again.
  await page.goBack({ waitUntil: 'commit' });
  assert.equal(await page.evaluate(() => window.same), true, 'it is the page itself that is back');
  await page.getByRole('button', { name: 'Continue here' }).waitFor();
  await title(page).getByText('Your session is over').waitFor();
  await page.getByText('Leaving or reloading the page ended it. 1 minute counted.').first().waitFor();
}, { withCache: true });

browserTest('a link for another user is offered, not taken', async (world) => {
  const page = await world.practice();
  const other = mint('somebody-else');
  await page.goto(`${BASE}/practice#token=${other}`);
  const notice = page.locator('#other-link');
  await notice.getByText('somebody-else').waitFor();
  assert.equal(new URL(page.url()).hash, '');
  await page.getByRole('button', { name: 'Stay as I am' }).click();
  assert.equal(await notice.isVisible(), false);
  assert.equal(await page.evaluate(() => sessionStorage.getItem('talktime.token')), world.token);
  await page.goto(`${BASE}/practice#token=${other}`);
  await Promise.all([page.waitForEvent('load'), page.getByRole('button', { name: 'Use the new link' }).click()]);
  assert.equal(await page.evaluate(() => sessionStorage.getItem('talktime.token')), other);
});

browserTest('what was chosen survives a reload', async (world) => {
  const page = await world.practice();
  await topicField(page).fill('Tea');
  await page.getByRole('radio', { name: /Advanced/ }).check();
  // Enter starts, as in any form.
  await topicField(page).press('Enter');
  await end(page).waitFor();
  await page.reload();
  await start(page).waitFor();
  assert.equal(await topicField(page).inputValue(), 'Tea');
  assert.equal(await page.getByRole('radio', { name: /Advanced/ }).isChecked(), true);
});

browserTest('two tabs: one session, taken over with a click', async (world) => {
  const first = await world.practice();
  const { sessionId } = await startSession(first);
  const second = await world.practice();
  const takeOver = second.getByRole('button', { name: 'Continue here' });
  await second.getByText(/1 minute of it is counted so far.*first minute counts at once/).waitFor();
  await takeOver.click();
  await end(second).waitFor();
  const { activeSession, lastSession } = await world.status();
  assert.equal(lastSession.sessionId, sessionId);
  assert.notEqual(activeSession.sessionId, sessionId);
  await title(first).getByText('Your session is over').waitFor();
  await first.getByText(/in another tab or on another device/).first().waitFor();
  await first.close();
  assert.equal((await world.status()).activeSession.sessionId, activeSession.sessionId, 'the other tab takes nothing with it');
});

browserTest('two tabs that start at once: one starts, the other is told and may take over', async (world) => {
  const [first, second] = await Promise.all([world.practice(), world.practice()]);
  await second.evaluate(() => (BroadcastChannel.prototype.postMessage = () => undefined));
  await startSession(second);
  const stale = start(first);
  if (await stale.isVisible()) await stale.click();
  await first.getByRole('button', { name: 'Continue here' }).waitFor();
});

browserTest('a duplicated tab does not run the same session a second time', async (world) => {
  const first = await world.practice();
  const { sessionId } = await startSession(first);
  // `window.open` copies sessionStorage, as duplicating a tab does.
  const [copy] = await Promise.all([
    world.context.waitForEvent('page'),
    first.evaluate(() => void window.open('/practice', '_blank')),
  ]);
  await copy.getByRole('button', { name: 'Continue here' }).waitFor();
  await copy.close();
  assert.equal((await world.status()).activeSession.sessionId, sessionId);
});
