// What is shown: levels and colours, names for screen readers, the keyboard, narrow screens, markup as text.
import assert from 'node:assert/strict';
import { alter, BASE, browserTest, end, problem, start, startSession, title, topicField, until } from './support.mjs';

const used = (minutesUsed) => (status) => ({
  ...status, minutesUsed, minutesLimit: 100, minutesRemaining: 100 - minutesUsed, percentUsed: minutesUsed,
  secondsRemaining: (100 - minutesUsed) * 60,
});

/** The contrast of the bar's fill against its track, and of its words against the page. */
const contrasts = () => {
  const canvas = document.createElement('canvas').getContext('2d');
  const luminance = (colour) => {
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const root = document.querySelector('usage-bar').shadowRoot;
  const style = (part) => getComputedStyle(root.querySelector(part));
  const page = getComputedStyle(document.body).backgroundColor;
  return {
    fill: ratio(style('.fill').backgroundColor, style('.track').backgroundColor),
    words: ratio(style('.state').color, page),
    colour: style('.fill').backgroundColor,
  };
};

for (const colorScheme of ['light', 'dark']) {
  browserTest(`the bar at 74, 75, 90 and 91 percent, ${colorScheme}`, async (world) => {
    const seen = {};
    for (const [minutes, level, words] of [
      [74, 'green', '26 minutes left'],
      [75, 'amber', '25 minutes left, running low'],
      [90, 'amber', '10 minutes left, running low'],
      [91, 'red', '9 minutes left, almost used up'],
    ]) {
      const page = await world.newPage();
      await alter(page, 'status', used(minutes));
      await world.practice(page);
      const bar = page.locator('usage-bar');
      await bar.getByText(`${minutes}/100 minutes`).waitFor();
      assert.equal(await bar.getAttribute('level'), level);
      await bar.getByText(words, { exact: true }).waitFor();
      const { fill, words: text, colour } = await page.evaluate(contrasts);
      assert.ok(fill >= 3, `${level}: fill to track ${fill}`);
      assert.ok(text >= 4.5, `${level}: words to page ${text}`);
      seen[level] ??= colour;
      assert.equal(colour, seen[level]);
      await page.unrouteAll({ behavior: 'ignoreErrors' });
      await page.close();
    }
    assert.equal(new Set(Object.values(seen)).size, 3);
  }, { context: { colorScheme } });
}

browserTest('warns at five minutes, not at six', async (world) => {
  const page = await world.practice();
  let minutesRemaining = 6;
  await alter(page, 'heartbeat', (answer) => ({ ...answer, totalMinutesUsed: 10 - minutesRemaining, minutesRemaining }));
  await startSession(page);
  const beat = () => Promise.all([
    page.waitForResponse('**/api/session/heartbeat'),
    page.evaluate(() => dispatchEvent(new Event('online'))),
  ]);
  await beat();
  await page.locator('usage-bar').getByText('4/10 minutes').waitFor();
  assert.equal(await page.locator('usage-warning[active]').count(), 0);
  minutesRemaining = 5;
  await beat();
  await page.locator('usage-warning').getByRole('status').getByText('Only 5 minutes left').waitFor();
});

browserTest('nothing left: “Upgrade Plan”, and no start', async (world) => {
  const page = await world.newPage();
  await alter(page, 'status', used(100));
  await world.practice(page);
  for (const place of ['usage-bar', 'usage-warning']) {
    const link = page.locator(place).getByRole('link', { name: /Upgrade Plan/ });
    assert.match(await link.getAttribute('href'), /^https?:\/\//);
    assert.equal(await link.getAttribute('rel'), 'noopener');
  }
  assert.equal(await start(page).isDisabled(), true);
  await page.getByText(/No minutes are left until/).waitFor();
});

browserTest('by keyboard alone', async (world) => {
  const page = await world.practice();
  const focused = () => page.evaluate(() => {
    const { activeElement: element } = document;
    return element.id || element.textContent.trim() || element.value || element.className;
  });
  const order = [];
  for (let press = 0; press < 7; press += 1) {
    await page.keyboard.press('Tab');
    order.push(await focused());
  }
  assert.deepEqual(order, [
    'Skip to the practice', 'topic', 'Ordering coffee', 'A job interview', 'Plans for the weekend', 'beginner', 'start',
  ]);
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('ArrowDown');
  assert.equal(await page.getByRole('radio', { name: /Intermediate/ }).isChecked(), true);
  await page.keyboard.press('Tab');
  await page.route('**/api/session/start', (route) => route.fulfill(problem(400, 'bad', 'Refused once')), { times: 1 });
  await page.keyboard.press('Enter');
  await page.getByRole('alert').getByText('Refused once').waitFor();
  await until(async () => (await focused()) === 'start', 'a refusal leaves the focus where it was');
  await page.keyboard.press('Enter');
  await end(page).waitFor();
  assert.equal(await focused(), 'end', 'the focus follows to what took the place');
  await page.keyboard.press('Enter');
  await title(page).getByText('Your session is over').waitFor();
  assert.equal(await focused(), 'stage-title');
});

browserTest('the screen reader’s tree', async (world) => {
  const page = await world.newPage();
  await alter(page, 'status', used(80));
  await world.practice(page);
  const bar = page.getByRole('progressbar', { name: 'Voice minutes used' });
  assert.equal(await bar.getAttribute('aria-valuenow'), '80');
  assert.equal(await bar.getAttribute('aria-valuetext'), '80 of 100 minutes used, 20 minutes left, running low');
  const devtools = await world.context.newCDPSession(page);
  for (const step of ['before', 'during']) {
    if (step === 'during') await startSession(page);
    const { nodes } = await devtools.send('Accessibility.getFullAXTree');
    const focusable = nodes.filter((node) => !node.ignored
      && node.role?.value !== 'RootWebArea'
      && node.properties?.some(({ name, value }) => name === 'focusable' && value.value));
    const nameless = focusable.filter((node) => !node.name?.value).map((node) => node.role.value);
    assert.deepEqual(nameless, [], step);
    assert.ok(focusable.length >= 3, step);
  }
  assert.equal(await page.getByRole('timer').count(), 1);
  assert.equal(await page.getByRole('heading', { level: 1 }).count(), 1);
});

browserTest('320 pixels wide: nothing sticks out', async (world) => {
  const page = await world.practice();
  await topicField(page).fill('x'.repeat(200));
  const widest = () => page.evaluate(() => document.documentElement.scrollWidth);
  assert.equal(await widest(), 320);
  await startSession(page);
  assert.equal(await widest(), 320);
}, { context: { viewport: { width: 320, height: 640 } } });

for (const [name, viewport] of [['a phone', { width: 360, height: 640 }], ['a phone on its side', { width: 740, height: 360 }]]) {
  browserTest(`${name}: countdown and End are in sight after Start`, async (world) => {
    const page = await world.practice();
    await start(page).scrollIntoViewIfNeeded();
    await startSession(page);
    for (const part of [page.locator('#clock'), end(page)]) {
      const { y, height } = await part.boundingBox();
      assert.ok(y >= 0 && y + height <= viewport.height, `${y} to ${y + height} of ${viewport.height}`);
    }
  }, { context: { viewport } });
}

browserTest('the last minute: a red clock, the title, the last seconds said', async (world) => {
  const page = await world.newPage();
  await alter(page, 'start', (answer) => ({ ...answer, secondsRemaining: 32 }));
  await world.practice(page);
  await startSession(page);
  await page.locator('#clock.low').waitFor();
  await until(async () => /^00:\d\d left · Practice/.test(await page.title()), 'the time in the title');
  await page.locator('#announce').getByText('30 seconds left.').waitFor({ state: 'attached' });
});

browserTest('reduced motion: nothing moves', async (world) => {
  const page = await world.practice();
  const moving = await page.evaluate(() => {
    const fill = document.querySelector('usage-bar').shadowRoot.querySelector('.fill');
    const all = [fill, ...document.querySelectorAll('button, .level')];
    return all.filter((node) => getComputedStyle(node).transitionDuration !== '0s').length;
  });
  assert.equal(moving, 0);
}, { context: { reducedMotion: 'reduce' } });

const MARKUP = '<img src=x onerror="window.xss=1"><script>window.xss=2</script>';

browserTest('markup in a topic, a plan name, an error and a link is text', async (world) => {
  const page = await world.newPage();
  await alter(page, 'status', (status) => ({ ...status, plan: MARKUP, upgradeUrl: 'javascript:window.xss=3' }));
  await world.practice(page);
  await page.locator('usage-bar').getByText(MARKUP).waitFor();
  await topicField(page).fill(MARKUP);
  await page.route('**/api/session/start', (route) => route.fulfill(problem(400, MARKUP, MARKUP)), { times: 1 });
  await start(page).click();
  await page.getByRole('alert').getByText(MARKUP).first().waitFor();
  await startSession(page);
  await page.locator('#live-topic').getByText(MARKUP).waitFor();
  await alter(page, 'status', used(100));
  await end(page).click();
  await title(page).getByText('Your session is over').waitFor();
  const found = await page.evaluate(() => ({
    xss: window.xss,
    markup: [document, ...[...document.querySelectorAll('usage-bar, usage-warning')].map((node) => node.shadowRoot)]
      .reduce((sum, root) => sum + root.querySelectorAll('img[src="x"], script:not([src])').length, 0),
    links: [...document.querySelectorAll('usage-bar, usage-warning')].map((node) => node.shadowRoot.querySelector('a').href),
  }));
  assert.equal(found.xss, undefined);
  assert.equal(found.markup, 0);
  for (const href of found.links) assert.doesNotMatch(href, /^javascript/);
});

browserTest('without a token the page says how to get one', async (world) => {
  const page = await world.newPage();
  await page.goto(`${BASE}/`);
  await page.getByRole('alert').getByText('Open your practice link').waitFor();
  assert.equal(new URL(page.url()).pathname, '/practice');
  assert.equal(await start(page).isDisabled(), true);
});

browserTest('a server that is down is told in plain words, and tried again', async (world) => {
  const page = await world.newPage();
  await page.route('**/api/session/status', (route) => route.abort());
  await page.goto(`${BASE}/practice#token=${world.token}`);
  await page.getByRole('alert').getByText('The server could not be reached.').waitFor();
  await page.unroute('**/api/session/status');
  await page.evaluate(() => dispatchEvent(new Event('online')));
  await page.locator('usage-bar').getByText('0/10 minutes').waitFor();
  assert.equal(await page.getByRole('alert').isVisible(), false);
});

browserTest('the elements in plain HTML: either spelling, and properties set before they are defined', async (world) => {
  const page = await world.newPage();
  await page.route('**/blank', (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html><body>' }));
  await page.goto(`${BASE}/blank`);
  const texts = await page.evaluate(async () => {
    document.body.innerHTML = `<usage-bar plan="pro" minutes-used="410" minutes-limit="500"></usage-bar>
      <usage-bar plan="basic" minutesused="99" minuteslimit="100"></usage-bar><usage-bar></usage-bar>
      <usage-warning minutes-remaining="5"></usage-warning><usage-warning minutes-remaining="6"></usage-warning>
      <usage-warning minutes-remaining="0" upgrade-url="https://shop.example/"></usage-warning>`;
    const early = document.createElement('usage-bar');
    Object.assign(early, { minutesUsed: 1, minutesLimit: 4, plan: 'early' });
    document.body.append(early);
    await Promise.all([import('/usage-bar.js'), import('/usage-warning.js')]);
    const shown = (node) => [...node.shadowRoot.querySelectorAll('.plan, .amount, .words, .message, .upgrade')]
      .filter((part) => part.checkVisibility()).map((part) => part.textContent).filter(Boolean).join('|');
    document.querySelector('usage-bar').setAttribute('minutes-used', '10');
    await Promise.resolve();
    return [...document.querySelectorAll('usage-bar, usage-warning')].map(shown);
  });
  assert.deepEqual(texts, [
    'pro|10/500 minutes|490 minutes left',
    'basic|99/100 minutes|1 minute left, almost used up',
    'Usage|Not known yet',
    'Only 5 minutes left in your plan.',
    '',
    'You have used all the minutes of your plan.|Upgrade Plan',
    'early|1/4 minutes|3 minutes left',
  ]);
});

browserTest('the elements: an upgrade address of their own stays, a status that is gone is gone', async (world) => {
  const page = await world.newPage();
  await page.route('**/blank', (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html><body>' }));
  await page.goto(`${BASE}/blank`);
  const seen = await page.evaluate(async () => {
    await Promise.all([import('/usage-bar.js'), import('/usage-warning.js')]);
    const status = { plan: 'free', minutesUsed: 10, minutesLimit: 10, minutesRemaining: 0, percentUsed: 100, secondsRemaining: 0, upgradeUrl: 'https://theirs.example/' };
    const found = [];
    for (const tag of ['usage-bar', 'usage-warning']) {
      for (const own of ['https://own.example/', undefined]) {
        const node = document.createElement(tag);
        if (own) node.setAttribute('upgrade-url', own);
        document.body.append(node);
        node.status = status;
        await Promise.resolve();
        found.push(node.shadowRoot.querySelector('a').href);
        node.status = null;
        await Promise.resolve();
        found.push([...node.shadowRoot.querySelectorAll('.plan, .amount, .words, .message')].map((part) => part.textContent).join('|'));
      }
    }
    return found;
  });
  assert.deepEqual(seen, [
    'https://own.example/', 'Usage||Not known yet', 'https://theirs.example/', 'Usage||Not known yet',
    'https://own.example/', '', 'https://theirs.example/', '',
  ]);
});

browserTest('the elements on a page that runs from right to left', async (world) => {
  const page = await world.newPage();
  const body = '<!doctype html><html dir="rtl"><body><usage-bar plan="free" minutes-used="6" minutes-limit="10"></usage-bar>';
  await page.route('**/blank', (route) => route.fulfill({ contentType: 'text/html', body }));
  await page.goto(`${BASE}/blank`);
  const order = await page.evaluate(async () => {
    await import('/usage-bar.js');
    const text = document.querySelector('usage-bar').shadowRoot.querySelector('.amount').firstChild;
    const left = (from, to) => {
      const range = document.createRange();
      range.setStart(text, from);
      range.setEnd(text, to);
      return range.getBoundingClientRect().left;
    };
    return { text: text.data, number: left(0, 4), word: left(5, 12) };
  });
  assert.equal(order.text, '6/10 minutes');
  assert.ok(order.number < order.word, 'the number comes before its word');
});
