// @ts-check
// The operator's page. The secret lives in one variable and goes nowhere but into a request header.
/** @import { OverviewAnswer, SweepAnswer, UserAnswer } from './usage-wire.js' */

import { bars, dailyChart, html, table, withoutGaps } from './admin-charts.js';
import { minutesText } from './usage-credit.js';

const TIMEOUT_MS = 20_000;
const REASONS = /** @type {Record<string, string>} */ ({
  user_ended: 'Ended by the user',
  limit_reached: 'Limit reached',
  timeout: 'Longest session',
  error: 'Error',
  stale: 'Went silent',
});

/** An operator who walks away leaves the page open. */
const IDLE_MS = 15 * 60_000;

/** What was asked with one secret; all of it is over when the secret is forgotten. @type {Set<AbortController>} */
let visit = new Set();
let secret = '';
/** @type {ReturnType<typeof setTimeout> | undefined} */
let idleTimer;
let usedAt = 0;

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
/** @param {string} id */
const field = (id) => /** @type {HTMLInputElement} */ (byId(id));

/**
 * @param {'GET' | 'POST'} method
 * @param {string} path
 * @returns {Promise<any>}
 */
async function call(method, path) {
  const mine = visit;
  const controller = new AbortController();
  mine.add(controller);
  const timer = setTimeout(() => controller.abort(new Error('no answer in time')), TIMEOUT_MS);
  try {
    const response = await fetch(`/api/internal/${path}`, {
      method,
      headers: { 'X-Internal-Secret': secret, Accept: 'application/json' },
      credentials: 'omit',
      cache: 'no-store',
      signal: controller.signal,
    });
    const body = await response.json().catch(() => ({}));
    if (mine !== visit) throw new Error('forgotten');
    if (response.ok) return body;
    const said = typeof body.error === 'string' ? body.error : `The server answered ${response.status}`;
    throw Object.assign(new Error(said), { status: response.status });
  } finally {
    clearTimeout(timer);
    mine.delete(controller);
  }
}

/**
 * Runs what a button does: the button waits, keeping the focus, and a failure is told.
 * @param {HTMLElement | null} button
 * @param {() => Promise<void>} work
 */
async function attempt(button, work) {
  if (button?.getAttribute('aria-disabled') === 'true') return;
  const mine = visit;
  const problem = byId('problem');
  problem.hidden = true;
  button?.setAttribute('aria-disabled', 'true');
  try {
    await work();
  } catch (error) {
    // Nothing of what was under way when the secret was forgotten is shown.
    if (mine !== visit) return;
    const { status, message } = /** @type {Error & { status?: number }} */ (error);
    if (status === 401) {
      leave('');
      field('secret').focus();
    }
    problem.textContent = status === undefined ? `The server could not be reached (${message})` : message;
    problem.hidden = false;
    problem.scrollIntoView({ block: 'nearest' });
  } finally {
    button?.removeAttribute('aria-disabled');
  }
}

async function showOverview() {
  /** @type {OverviewAnswer} */
  const overview = await call('GET', 'overview');
  draw(overview);
  const first = byId('overview').hidden;
  byId('sign-in').hidden = true;
  byId('overview').hidden = false;
  byId('tools').hidden = false;
  byId('as-of').textContent = `As of ${time(overview.serverTime)} UTC`;
  if (first) byId('overview-title').focus();
}

/** @param {OverviewAnswer} overview */
function draw(overview) {
  const { activeSessions, minutesByPlan, endedByReason, unmappedWebhooks, alarms, calls, dailyMinutes } = overview;
  const minutes = minutesByPlan.reduce((sum, plan) => sum + plan.minutesUsed, 0);
  const running = overview.activeSessionsTotal;
  const webhooks = overview.unmappedWebhooksTotal;
  byId('tiles').replaceChildren(
    tile(running, running === 1 ? 'active session' : 'active sessions', false),
    tile(minutes, 'minutes used this period', false),
    tile(webhooks, webhooks === 1 ? 'webhook without a user' : 'webhooks without a user', webhooks > 0),
    tile(alarms.failing, 'sweeps failing', alarms.failing > 0),
    tile(calls.failing.length, calls.failing.length === 1 ? 'call not hung up' : 'calls not hung up', calls.failing.length > 0),
  );
  byId('daily').replaceChildren(dailyChart(withoutGaps(dailyMinutes, overview.serverTime)));
  byId('reasons').replaceChildren(bars(
    endedByReason.map(({ reason, sessions, minutes: value }) => ({
      name: REASONS[reason] ?? reason,
      value: sessions,
      words: `${sessions} ${sessions === 1 ? 'session' : 'sessions'}, ${minutesText(value)}`,
    })),
    'No session has ended yet.',
  ));
  byId('plans').replaceChildren(bars(
    minutesByPlan.map(({ plan, users, minutesUsed }) => ({
      name: plan,
      value: minutesUsed,
      words: `${minutesText(minutesUsed)}, ${users} ${users === 1 ? 'user' : 'users'}`,
    })),
    'Nobody has used a minute yet.',
  ));
  drawShown('active-shown', activeSessions.length, running);
  byId('active').replaceChildren(table(
    'Active sessions',
    ['User', 'Started (UTC)', 'Topic', 'Difficulty', '#Minutes'],
    activeSessions.map((one) => [one.userId, time(one.startedAt), one.topic ?? '', one.difficulty ?? '', one.minutesUsed]),
    'Nobody is talking.',
  ));
  drawShown('webhooks-shown', unmappedWebhooks.length, webhooks);
  byId('webhooks').replaceChildren(table(
    'Webhooks without a user',
    ['Event', 'Type', 'Received (UTC)', 'Detail'],
    unmappedWebhooks.map((one) => [one.id, one.type, time(one.receivedAt), one.detail ?? '']),
    'None: every webhook had a user.',
  ));
  const late = calls.overdue > 0 ? `; ${calls.overdue} overdue: is anything hanging up?` : '';
  const users = calls.watched === 1 ? 'user has a call or is' : 'users have a call or are';
  byId('calls-watched').textContent = `${calls.watched} ${users} about to have one${late}.`;
  byId('calls').replaceChildren(table(
    'Calls not hung up',
    ['User', '#Tries', 'Next try (UTC)'],
    calls.failing.map((one) => [one.userId, one.tries, time(one.nextTryAt)]),
    'None: every call that was to end has ended.',
  ));
  const age = alarms.due > 0 && alarms.oldestDueSeconds ? `, the oldest for ${alarms.oldestDueSeconds} seconds` : '';
  byId('alarms').textContent = `${alarms.due} due now${age}; ${alarms.failing} failing and being retried.`;
}

/**
 * @param {string} id
 * @param {number} shown
 * @param {number} all
 */
function drawShown(id, shown, all) {
  byId(id).hidden = shown >= all;
  byId(id).textContent = shown >= all ? '' : `${shown.toLocaleString('en')} of ${all.toLocaleString('en')} are listed.`;
}

/**
 * @param {number} count
 * @param {string} words
 * @param {boolean} bad
 */
function tile(count, words, bad) {
  return html('p', { class: bad ? 'tile bad' : 'tile' }, html('b', {}, count.toLocaleString('en')), html('span', {}, words));
}

async function sweep() {
  /** @type {SweepAnswer} */
  const result = await call('POST', 'alarm');
  byId('swept').textContent =
    `${result.swept} of ${result.due} swept: ${result.ended} ended, ${result.archived} archived, ` +
    `${result.failed} failed, ${result.remaining} left for the next sweep.`;
  await showOverview();
}

async function lookUp() {
  const found = byId('found');
  found.replaceChildren();
  const id = field('user').value.trim();
  try {
    drawUser(await call('GET', `users/${encodeURIComponent(id)}`));
  } catch (error) {
    if (/** @type {{ status?: number }} */ (error).status !== 404) throw error;
    found.replaceChildren(html('p', {}, `No user “${id}” is known. An id is compared letter by letter.`));
  }
}

/** @param {UserAnswer} user */
function drawUser({ status, sessions, periods }) {
  const running = status.hasActiveSession ? `running now, ${minutesText(status.activeSessionMinutes)}` : 'not talking';
  // The rows are as they were written last; what runs is as it is now.
  const isRunning = (/** @type {{ sessionId: string }} */ one) => one.sessionId === status.activeSession?.sessionId;
  const isCurrent = (/** @type {{ periodStart: string }} */ one) => one.periodStart === status.periodStart;
  byId('found').replaceChildren(
    html('p', {}, `Plan ${status.plan}: ${status.minutesUsed} of ${minutesText(status.minutesLimit)} used, ` +
      `${status.minutesRemaining} left until ${time(status.periodEnd)} UTC; ${running}.`),
    html('h3', {}, 'Sessions'),
    table(
      'Sessions',
      ['Started (UTC)', 'Ended (UTC)', '#Minutes', 'Reason', 'Topic', 'Difficulty', 'Id'],
      sessions.map((one) => [time(one.startedAt), one.endedAt ? time(one.endedAt) : 'running',
        isRunning(one) ? status.activeSessionMinutes : one.minutesUsed,
        REASONS[one.endReason ?? ''] ?? one.endReason ?? '', one.topic ?? '', one.difficulty ?? '', one.sessionId]),
      'No sessions.',
    ),
    html('h3', {}, 'Periods'),
    table(
      'Periods',
      ['From (UTC)', 'To (UTC)', 'Plan', '#Used', '#Limit', 'Written (UTC)', 'State'],
      periods.map((one) => [time(one.periodStart), time(one.periodEnd), one.plan,
        isCurrent(one) ? status.minutesUsed : one.minutesUsed, one.minutesLimit,
        time(one.syncedAt), one.archived ? 'archived' : 'current']),
      'No periods.',
    ),
  );
}

/**
 * Forgets the secret and all that it opened.
 * @param {string} why
 */
function leave(why) {
  const over = visit;
  visit = new Set();
  secret = '';
  clearTimeout(idleTimer);
  for (const controller of over) controller.abort(new Error('forgotten'));
  for (const id of ['tiles', 'daily', 'reasons', 'plans', 'active', 'active-shown', 'webhooks', 'webhooks-shown', 'alarms', 'swept', 'found', 'as-of']) {
    byId(id).replaceChildren();
  }
  for (const id of ['user', 'secret']) field(id).value = '';
  byId('problem').hidden = true;
  byId('problem').replaceChildren();
  byId('overview').hidden = true;
  byId('tools').hidden = true;
  byId('sign-in').hidden = false;
  byId('forgotten').textContent = why;
}

/** Timers stand still while the machine sleeps, so the time is looked at, too. */
function forgetWhenIdle() {
  if (secret === '') return;
  const left = usedAt + IDLE_MS - Date.now();
  clearTimeout(idleTimer);
  if (left > 0) idleTimer = setTimeout(forgetWhenIdle, left);
  else leave('The secret was forgotten after 15 minutes without use.');
}

function used() {
  // The first sign of somebody after a long sleep must not count as one in time.
  forgetWhenIdle();
  usedAt = Date.now();
}

/** @param {string} instant */
function time(instant) {
  return instant.replace('T', ' ').replace(/(:\d\d)?(\.\d+)?Z$/, '');
}

/**
 * @param {string} id
 * @param {() => Promise<void>} work
 */
function onSubmit(id, work) {
  byId(id).addEventListener('submit', (event) => {
    event.preventDefault();
    void attempt(byId(id).querySelector('button'), work);
  });
}

onSubmit('sign-in', () => {
  secret = field('secret').value;
  field('secret').value = '';
  byId('forgotten').textContent = '';
  usedAt = Date.now();
  forgetWhenIdle();
  return showOverview();
});
onSubmit('look-up', lookUp);
for (const [id, work] of /** @type {const} */ ([['refresh', showOverview], ['sweep', sweep]])) {
  const button = /** @type {HTMLButtonElement} */ (byId(id));
  button.addEventListener('click', () => void attempt(button, work));
}
byId('leave').addEventListener('click', () => {
  leave('');
  field('secret').focus();
});
for (const type of ['pointerdown', 'keydown', 'wheel']) addEventListener(type, used, { capture: true, passive: true });
document.addEventListener('visibilitychange', forgetWhenIdle);
// The page may be kept whole for the way back.
addEventListener('pagehide', () => leave(''));
