// A browser for UsageSession: its clock, network, storage, locks and events are the test's.
import { UsageSession } from '../../../components/web/static/client/usage-session.js';

export const STATUS = {
  plan: 'free',
  minutesUsed: 0,
  minutesRemaining: 10,
  minutesLimit: 10,
  percentUsed: 0,
  secondsRemaining: 600,
  periodStart: '2026-11-01T00:00:00Z',
  periodEnd: '2026-12-01T00:00:00Z',
  hasActiveSession: false,
  activeSessionMinutes: 0,
  serverTime: '2026-11-25T03:00:00Z',
};
export const STARTED = {
  sessionId: 's1',
  startedAt: '2026-11-25T03:00:00Z',
  minutesRemaining: 9,
  secondsRemaining: 600,
  heartbeatIntervalSeconds: 30,
};
export const BEAT = { minutesUsed: 1, totalMinutesUsed: 1, minutesRemaining: 9, secondsRemaining: 570 };
export const ENDED = {
  sessionMinutes: 1,
  totalMinutesUsed: 1,
  minutesRemaining: 9,
  endReason: 'user_ended',
  endedAt: '2026-11-25T03:01:00Z',
};

export function problem(status, code, more = {}) {
  const body = { type: `urn:talktime:problem:${code}`, title: code, status, code, error: `About ${code}`, ...more };
  return Response.json(body, { status, headers: { 'Content-Type': 'application/problem+json' } });
}

/** Answers by route: a value, a Response, an Error (no network), or a function of the request; a list is used up. */
export class FakeServer {
  calls = [];
  answers = {
    status: STATUS,
    start: STARTED,
    heartbeat: BEAT,
    end: ENDED,
    'realtime-token': () => problem(503, 'provider_not_configured'),
    'realtime-call': () => problem(503, 'provider_not_configured'),
  };

  fetch = async (url, init) => {
    const route = url.split('/').at(-1);
    const call = { route, url, ...init, body: init.body ? JSON.parse(init.body) : undefined };
    this.calls.push(call);
    let answer = this.answers[route];
    if (Array.isArray(answer)) answer = answer.length > 1 ? answer.shift() : answer[0];
    if (typeof answer === 'function') answer = await answer(call);
    if (answer instanceof Error) throw answer;
    return answer instanceof Response ? answer.clone() : Response.json(answer);
  };

  of(route) {
    return this.calls.filter((call) => call.route === route);
  }
}

export class FakeBrowser {
  now = 1_000_000;
  visible = true;
  reloading = false;
  records = new Map();
  events = new EventTarget();
  channel = Object.assign(new EventTarget(), { sent: [], close() {}, postMessage(m) { this.sent.push(m); } });
  heldLocks = new Set();
  #lockWaiters = [];
  #ticks = new Set();
  #sleepers = [];
  #timers = new Set();

  environment() {
    let ids = 0;
    return {
      now: () => this.now,
      sleep: (ms) => new Promise((resolve) => this.#sleepers.push({ at: this.now + ms, resolve })),
      setTimer: (ms, callback) => {
        const timer = { at: this.now + ms, callback };
        this.#timers.add(timer);
        return () => this.#timers.delete(timer);
      },
      random: () => 1,
      randomUuid: () => `key-${(ids += 1)}`,
      startTicker: (tick) => {
        this.#ticks.add(tick);
        return () => this.#ticks.delete(tick);
      },
      storage: {
        getItem: (key) => this.records.get(key) ?? null,
        setItem: (key, value) => this.records.set(key, value),
        removeItem: (key) => this.records.delete(key),
      },
      locks: {
        request: async (name, options, held) => {
          const aborted = new Promise((_, reject) => options.signal.addEventListener('abort', () => reject(options.signal.reason)));
          aborted.catch(() => undefined);
          while (this.heldLocks.has(name)) await Promise.race([aborted, new Promise((free) => this.#lockWaiters.push(free))]);
          this.heldLocks.add(name);
          await held({ name });
          this.heldLocks.delete(name);
          for (const free of this.#lockWaiters.splice(0)) free();
        },
      },
      channel: this.channel,
      events: this.events,
      isVisible: () => this.visible,
      isReloading: () => this.reloading,
    };
  }

  /** What would still happen by itself. */
  get pending() {
    return { ticks: this.#ticks.size, timers: this.#timers.size, locks: this.heldLocks.size };
  }

  leave() {
    this.events.dispatchEvent(new Event('pagehide'));
  }

  /** The browser announces a reload, and the page is gone. */
  reload() {
    this.reloading = true;
    this.leave();
    this.reloading = false;
    this.events = new EventTarget();
    this.heldLocks.clear();
    this.#ticks.clear();
    this.#timers.clear();
    this.#sleepers = [];
  }

  /** Back from the back/forward cache. */
  comeBack() {
    this.events.dispatchEvent(Object.assign(new Event('pageshow'), { persisted: true }));
  }

  /** Lets everything that is ready run. */
  async settle() {
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }

  /** Time passes, with the ticks of a page that is awake. */
  async pass(seconds) {
    for (let half = 0; half < seconds * 2; half += 1) {
      this.now += 500;
      await this.#wake();
    }
    await this.settle();
  }

  /** Time passes, the machine asleep: one tick at the end. */
  async asleep(seconds) {
    this.now += seconds * 1000;
    await this.#wake();
    await this.settle();
  }

  async #wake() {
    const due = this.#sleepers.filter(({ at }) => at <= this.now);
    this.#sleepers = this.#sleepers.filter(({ at }) => at > this.now);
    for (const { resolve } of due) resolve();
    for (const timer of [...this.#timers].filter(({ at }) => at <= this.now)) {
      this.#timers.delete(timer);
      timer.callback();
    }
    for (const tick of this.#ticks) tick();
    for (let turn = 0; turn < 4; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A page with a session on it; `heard` lists what it told the page. */
export async function open({ browser = new FakeBrowser(), server = new FakeServer(), ...options } = {}) {
  const session = new UsageSession({ fetch: server.fetch, environment: browser.environment(), ...options });
  const heard = [];
  for (const type of ['warning', 'ended', 'error', 'resumed', 'settled']) {
    session.addEventListener(type, (event) => heard.push(event.detail ? [type, event.detail] : [type]));
  }
  return { browser, server, session, heard };
}

export async function running(options) {
  const page = await open(options);
  await page.session.refresh();
  await page.session.start({ topic: 'Tea', difficulty: 'advanced' });
  return page;
}
