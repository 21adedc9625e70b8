// @ts-check
// The operator's page. The secret lives in one variable and goes nowhere but into a request header.
/** @import { FoundUser, Overview, Sweep } from './admin-api.js' */

import { bars, dailyChart, html, table } from './admin-charts.js';
import { minutesText } from './usage-credit.js';

const TIMEOUT_MS = 20_000;
const REASONS = /** @type {Record<string, string>} */ ({
  user_ended: 'Ended by the user',
  limit_reached: 'Limit reached',
  timeout: 'Longest session',
  error: 'Error',
  stale: 'Went silent',
});

let secret = '';

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
  const response = await fetch(`/api/internal/${path}`, {
    method,
    headers: { 'X-Internal-Secret': secret, Accept: 'application/json' },
    credentials: 'omit',
    cache: 'no-store',
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const body = await response.json().catch(() => ({}));
  if (response.ok) return body;
  const said = typeof body.error === 'string' ? body.error : `The server answered ${response.status}`;
  throw Object.assign(new Error(said), { status: response.status });
}

/**
 * Runs what a button does: the button waits, and a failure is told.
 * @param {HTMLButtonElement | null} button
 * @param {() => Promise<void>} work
 */
async function attempt(button, work) {
  const problem = byId('problem');
  problem.hidden = true;
  if (button) button.disabled = true;
  try {
    await work();
  } catch (error) {
    const { status, message } = /** @type {Error & { status?: number }} */ (error);
    if (status === 401) leave();
    problem.textContent = status === undefined ? `The server could not be reached (${message})` : message;
    problem.hidden = false;
  } finally {
    if (button) button.disabled = false;
  }
}

async function showOverview() {
  /** @type {Overview} */
  const overview = await call('GET', 'overview');
  draw(overview);
  const first = byId('overview').hidden;
  byId('sign-in').hidden = true;
  byId('overview').hidden = false;
  byId('tools').hidden = false;
  byId('as-of').textContent = `As of ${time(overview.serverTime)}`;
  if (first) byId('overview-title').focus();
}

/** @param {Overview} overview */
function draw(overview) {
  const { activeSessions, minutesByPlan, endedByReason, unmappedWebhooks, alarms, dailyMinutes } = overview;
  const minutes = minutesByPlan.reduce((sum, plan) => sum + plan.minutesUsed, 0);
  byId('tiles').replaceChildren(
    tile(activeSessions.length, activeSessions.length === 1 ? 'active session' : 'active sessions', false),
    tile(minutes, 'minutes used this period', false),
    tile(unmappedWebhooks.length, 'webhooks without a user', unmappedWebhooks.length > 0),
    tile(alarms.failing, 'sweeps failing', alarms.failing > 0),
  );
  byId('daily').replaceChildren(dailyChart(dailyMinutes));
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
  byId('active').replaceChildren(table(
    ['User', 'Started (UTC)', 'Topic', 'Difficulty', '#Minutes'],
    activeSessions.map((one) => [one.userId, time(one.startedAt), one.topic ?? '', one.difficulty ?? '', one.minutesUsed]),
    'Nobody is talking.',
  ));
  byId('webhooks').replaceChildren(table(
    ['Event', 'Type', 'Received (UTC)', 'Detail'],
    unmappedWebhooks.map((one) => [one.id, one.type, time(one.receivedAt), one.detail ?? '']),
    'None: every webhook had a user.',
  ));
  const age = alarms.due > 0 && alarms.oldestDueSeconds ? `, the oldest for ${alarms.oldestDueSeconds} seconds` : '';
  byId('alarms').textContent = `${alarms.due} due now${age}; ${alarms.failing} failing and being retried.`;
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
  /** @type {Sweep} */
  const result = await call('POST', 'alarm');
  byId('swept').textContent =
    `${result.swept} of ${result.due} swept: ${result.ended} ended, ${result.archived} archived, ` +
    `${result.failed} failed, ${result.remaining} left for the next sweep.`;
  await showOverview();
}

async function lookUp() {
  const found = byId('found');
  found.replaceChildren();
  /** @type {FoundUser} */
  const { status, sessions, periods } = await call('GET', `users/${encodeURIComponent(field('user').value.trim())}`);
  const running = status.hasActiveSession ? `running now, ${minutesText(status.activeSessionMinutes)}` : 'not talking';
  found.replaceChildren(
    html('p', {}, `Plan ${status.plan}: ${status.minutesUsed} of ${minutesText(status.minutesLimit)} used, ` +
      `${status.minutesRemaining} left until ${time(status.periodEnd)}; ${running}.`),
    html('h3', {}, 'Sessions'),
    table(
      ['Started (UTC)', 'Ended (UTC)', '#Minutes', 'Reason', 'Topic', 'Difficulty', 'Id'],
      sessions.map((one) => [time(one.startedAt), one.endedAt ? time(one.endedAt) : 'running', one.minutesUsed,
        REASONS[one.endReason ?? ''] ?? one.endReason ?? '', one.topic ?? '', one.difficulty ?? '', one.sessionId]),
      'No sessions.',
    ),
    html('h3', {}, 'Periods'),
    table(
      ['From (UTC)', 'To (UTC)', 'Plan', '#Used', '#Limit', 'Written (UTC)', 'State'],
      periods.map((one) => [time(one.periodStart), time(one.periodEnd), one.plan, one.minutesUsed, one.minutesLimit,
        one.syncedAt ? time(one.syncedAt) : 'not yet', one.archived ? 'archived' : 'current']),
      'No periods.',
    ),
  );
}

function leave() {
  secret = '';
  byId('overview').hidden = true;
  byId('tools').hidden = true;
  byId('found').replaceChildren();
  byId('sign-in').hidden = false;
  field('secret').focus();
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
  return showOverview();
});
onSubmit('look-up', lookUp);
for (const [id, work] of /** @type {const} */ ([['refresh', showOverview], ['sweep', sweep]])) {
  const button = /** @type {HTMLButtonElement} */ (byId(id));
  button.addEventListener('click', () => void attempt(button, work));
}
byId('leave').addEventListener('click', leave);
