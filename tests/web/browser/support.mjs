// What the browser tests share: one Chromium, a fresh user a test, and the two ways in (a token, the internal secret).
import crypto from 'node:crypto';
import { after, test } from 'node:test';
import { chromium } from 'playwright-core';

const env = process.env;
export const BASE = env.TALKTIME_BASE_URL?.replace(/\/$/, '');
const CHROMIUM = env.TALKTIME_CHROMIUM ?? '/usr/bin/chromium';
/** Another host, with the same secrets, whose free plan is one minute. */
export const ONE_MINUTE_BASE = env.TALKTIME_ONE_MINUTE_BASE_URL?.replace(/\/$/, '');
/** One like that, whose `openai_base_url` is `TALKTIME_CALL_PROVIDER_URL`, where the test that needs it answers. */
export const CALL_BASE = env.TALKTIME_CALL_BASE_URL?.replace(/\/$/, '');
/** Longer than the host's heartbeat interval (30 s unless configured) and an answer. */
export const HEARTBEAT_MS = 40_000;

const LAUNCH = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream',
];

const launched = new Map();
/** With its back/forward cache, as people have it, or without, as Playwright has it. */
function browser(withCache = false) {
  const options = { executablePath: CHROMIUM, args: LAUNCH, ...(withCache ? { ignoreDefaultArgs: ['--disable-back-forward-cache'] } : {}) };
  if (!launched.has(withCache)) launched.set(withCache, chromium.launch(options));
  return launched.get(withCache);
}
after(() => Promise.all([...launched.values()].map(async (one) => (await one).close())));

/**
 * A test with a browser context and a user of its own. Console errors and page errors that it does not expect fail it.
 * @param {string} name
 * @param {(world: World) => Promise<void>} body
 */
export function browserTest(name, body, options = {}) {
  const base = 'base' in options ? options.base : BASE;
  const { context: contextOptions, timeout = 60_000, withCache } = options;
  test(name, { skip: base ? false : 'the address of its host is not set', timeout }, async () => {
    const context = await (await browser(withCache)).newContext(contextOptions);
    const world = new World(context, base);
    try {
      await body(world);
      if (world.problems.length > 0) throw new Error(`The page complained: ${world.problems.join('; ')}`);
    } finally {
      // A route that is still waiting for the server must not fail a test that is over.
      for (const page of context.pages()) await page.unrouteAll({ behavior: 'ignoreErrors' });
      await context.close();
    }
  });
}

export class World {
  userId = `browser-${crypto.randomUUID()}`;
  /** Uncaught errors and violations of the Content-Security-Policy. */
  problems = [];

  constructor(context, base) {
    this.context = context;
    this.base = base;
    this.token = mint(this.userId);
  }

  async newPage() {
    const page = await this.context.newPage();
    page.on('pageerror', (error) => this.problems.push(error.message));
    page.on('console', (message) => {
      if (/Content Security Policy/i.test(message.text())) this.problems.push(message.text());
    });
    return page;
  }

  /** Opens the practice page by the link that the host prints, and waits for the usage. */
  async practice(page) {
    const opened = page ?? (await this.newPage());
    await opened.goto(`${this.base}/practice#token=${this.token}`);
    await opened.locator('#account li').first().waitFor();
    return opened;
  }

  api(method, path, body) {
    return request(method, `${this.base}/api/session/${path}`, body, { Authorization: `Bearer ${this.token}` });
  }

  status() {
    return this.api('GET', 'status');
  }

  plan(plan, more = {}) {
    const body = { userId: this.userId, plan, action: 'upgrade', ...more };
    return request('POST', `${this.base}/api/internal/update-plan`, body, { 'X-Internal-Secret': internalSecret() });
  }
}

export const internalSecret = () => env.TALKTIME_INTERNAL_SECRET ?? '';

async function request(method, url, body, headers) {
  const response = await fetch(url, {
    method,
    headers: { ...headers, 'Content-Type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${JSON.stringify(answer)}`);
  return answer;
}

export function mint(sub) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ sub, iat: now, exp: now + 3600 })}`;
  const mac = crypto.createHmac('sha256', env.TALKTIME_JWT_SECRET ?? '').update(signed);
  return `${signed}.${mac.digest('base64url')}`;
}

/** Changes what the real server answers on one route. */
export async function alter(page, route, change) {
  await page.route(`**/api/session/${route}`, async (intercepted) => {
    const response = await intercepted.fetch();
    const body = await response.json();
    await intercepted.fulfill({ response, json: response.ok() ? change(body) : body });
  });
}

/** A refusal as the API gives it. */
export function problem(status, code, error) {
  return {
    status,
    contentType: 'application/problem+json',
    body: JSON.stringify({ type: `urn:talktime:problem:${code}`, title: code, status, code, error }),
  };
}

export const start = (page) => page.getByRole('button', { name: 'Start', exact: true });
export const end = (page) => page.getByRole('button', { name: 'End session' });
export const topicField = (page) => page.getByRole('textbox', { name: 'Topic' });
export const title = (page) => page.locator('#stage-title');

export async function startSession(page) {
  const [response] = await Promise.all([page.waitForResponse('**/api/session/start'), start(page).click()]);
  await end(page).waitFor();
  return response.json();
}

/** Waits until `look` gives something true. */
export async function until(look, what, ms = 10_000) {
  const deadline = Date.now() + ms;
  while (Date.now() < deadline) {
    const found = await look();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`Not in ${ms} ms: ${what}`);
}
