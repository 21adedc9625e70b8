// @ts-check
// The practice page's elements and how they are drawn. All text is set as text.
/** @import { UsageSession } from './usage-session.js' */
/** @import { Problem } from './practice-words.js' */

import { minutesText } from './usage-credit.js';
import { clockText, connectionText, endText, lengthText, takeoverText } from './practice-words.js';

const ACCOUNT_LINES_MAX = 50;
const DIFFICULTIES = { beginner: 'Beginner', intermediate: 'Intermediate', advanced: 'Advanced' };

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

const bar = /** @type {import('./usage-bar.js').UsageBar} */ (byId('bar'));
const warning = /** @type {import('./usage-warning.js').UsageWarning} */ (byId('warning'));
export const startButton = /** @type {HTMLButtonElement} */ (byId('start'));
export const endButton = /** @type {HTMLButtonElement} */ (byId('end'));
export const muteButton = /** @type {HTMLButtonElement} */ (byId('mute'));
export const quietButton = /** @type {HTMLButtonElement} */ (byId('quiet'));
export const setupForm = /** @type {HTMLFormElement} */ (byId('setup'));
export const topicField = /** @type {HTMLInputElement} */ (byId('topic'));
const title = byId('stage-title');
/** What the page says before the first session. */
const invitation = { title: title.textContent, lead: byId('lead').textContent };
const pageTitle = document.title;
/** From here on the clock is red. */
const LAST_SECONDS = 60;
let waitingForMicrophone = false;
/** @type {string | undefined} the plan that the session was started on */
let planAtStart;
let problemPasses = false;

export function chosenDifficulty() {
  const input = /** @type {HTMLInputElement | null} */ (document.querySelector('input[name="difficulty"]:checked'));
  return /** @type {import('./usage.js').Difficulty} */ (input?.value ?? 'beginner');
}

/** @param {{ topic?: string, difficulty?: import('./usage.js').Difficulty }} choice */
export function setChoice({ topic, difficulty }) {
  if (topic) topicField.value = topic;
  const input = difficulty && document.querySelector(`input[name="difficulty"][value="${difficulty}"]`);
  if (input instanceof HTMLInputElement) input.checked = true;
}

/** @param {boolean} waiting */
export function setWaitingForMicrophone(waiting) {
  waitingForMicrophone = waiting;
}

/** @param {UsageSession} session */
export function draw(session) {
  const { status, state } = session;
  if (status) {
    const shown = { ...status, secondsRemaining: session.secondsRemaining };
    bar.status = shown;
    warning.status = shown;
  }
  if (state === 'idle' || state === 'starting') planAtStart = status?.plan;
  const live = state === 'running' || state === 'ending';
  byId('setup').hidden = live;
  byId('live').hidden = !live;
  drawHeading(session);
  drawStart(session);
  drawTitle(session);
  if (live) drawLive(session);
}

/** @param {UsageSession} session */
function drawHeading({ state, status, summary, connected }) {
  const badge = byId('badge');
  const lead = byId('lead');
  badge.hidden = state === 'idle';
  badge.className = 'badge';
  lead.hidden = false;
  if (state === 'ended' && summary) {
    badge.textContent = 'Ended';
    badge.classList.add('ended');
    title.textContent = 'Your session is over';
    // A plan with minutes left, bought after the end, was not why.
    const planChanged = status?.plan !== planAtStart && status?.minutesRemaining === 0;
    lead.textContent = `${endText(summary, planChanged)} ${lengthText(summary)}`.trim();
  } else if (state === 'running' || state === 'ending' || state === 'starting') {
    const runs = connected ? 'Running' : 'Running, but no connection';
    badge.textContent = { running: runs, ending: 'Ending…', starting: 'Starting…' }[state];
    badge.classList.toggle('lost', !connected);
    if (state !== 'starting') {
      title.textContent = 'Session in progress';
      lead.hidden = true;
    }
  } else {
    badge.hidden = true;
    title.textContent = invitation.title;
    lead.textContent = invitation.lead;
  }
}

/**
 * Whether a session runs somewhere else: starting here then means to take over.
 * @param {UsageSession} session
 */
export function runsElsewhere({ state, status }) {
  return (state === 'idle' || state === 'ended') && status?.hasActiveSession === true;
}

/** @param {UsageSession} session */
function drawStart(session) {
  const elsewhere = runsElsewhere(session);
  const { status, state } = session;
  // Taking over stays possible in the last begun minute of a session that runs elsewhere.
  startButton.disabled = !(session.canStart || (elsewhere && (status?.secondsRemaining ?? 0) > 0));
  startButton.textContent = waitingForMicrophone ? 'Waiting for the microphone…'
    : state === 'starting' ? 'Starting…' : elsewhere ? 'Continue here' : 'Start';
  byId('start-why').textContent = waitingForMicrophone
    ? 'Answer the browser’s question; nothing is counted before.'
    : elsewhere && status
    ? takeoverText(status)
    : status && status.minutesRemaining <= 0
      ? `No minutes are left until ${dateText(status.periodEnd)}. Upgrade your plan to go on now.`
      : '';
}

/** @param {UsageSession} session */
function drawLive(session) {
  byId('live-topic').textContent = session.topic || 'Anything';
  byId('live-difficulty').textContent = DIFFICULTIES[session.difficulty ?? 'beginner'];
  endButton.disabled = session.state === 'ending';
  const words = session.state === 'running' ? connectionText(session.failure) : '';
  byId('connection').textContent = words;
  byId('connection').hidden = words === '';
  drawClock(session);
}

/** @param {UsageSession} session */
export function drawClock(session) {
  byId('clock').textContent = clockText(session.secondsRemaining);
  byId('clock').classList.toggle('low', session.secondsRemaining <= LAST_SECONDS);
  drawTitle(session);
}

/**
 * For those who have another tab in front.
 * @param {UsageSession} session
 */
function drawTitle(session) {
  const { state, connected, secondsRemaining } = session;
  const now = state === 'running'
    ? `${connected ? '' : 'No connection · '}${clockText(secondsRemaining)} left`
    : state === 'ended' ? 'Session over' : '';
  document.title = now ? `${now} · ${pageTitle}` : pageTitle;
}

/** @param {import('./voice.js').VoiceStatus} voice */
export function drawVoice(voice) {
  byId('voice').textContent = voice.text;
  muteButton.hidden = !voice.canMute;
  muteButton.setAttribute('aria-pressed', String(voice.muted));
  muteButton.textContent = voice.muted ? 'Unmute' : 'Mute';
  byId('silent').hidden = !voice.silent;
  const caption = byId('caption');
  caption.hidden = voice.caption === '';
  caption.textContent = voice.caption;
}

/** @param {Problem | undefined} problem */
export function drawProblem(problem) {
  const box = byId('problem');
  box.hidden = problem === undefined;
  problemPasses = problem?.passes ?? false;
  // Counting can be tried without a microphone, too.
  quietButton.hidden = !problem?.code.startsWith('microphone') || startButton.disabled;
  const set = (/** @type {string} */ name, /** @type {string} */ text) => {
    const node = box.querySelector(`.problem-${name}`);
    if (node) node.textContent = text;
  };
  set('what', problem?.what ?? '');
  set('next', problem?.next ?? '');
  set('code', problem?.code ? `Code: ${problem.code}` : '');
  if (problem) box.scrollIntoView({ block: 'nearest' });
}

/** The server answers again: what was only the want of an answer is no longer a problem. */
export function clearPassingProblem() {
  if (problemPasses) drawProblem(undefined);
}

/**
 * @param {string} now
 * @param {string} other
 * @param {() => void} onUse
 */
export function offerLink(now, other, onUse) {
  const notice = byId('other-link');
  byId('other-link-text').textContent = now === other
    ? `A new link for ${other} was opened. Use it if the old one is no longer valid.`
    : `You are ${now} in this tab, and the link that was just opened is for ${other}. Use it only if you know where it comes from.`;
  byId('use-link').onclick = onUse;
  byId('keep-link').onclick = () => (notice.hidden = true);
  notice.hidden = false;
}

/**
 * One line in “What happened”.
 * @param {string} text
 */
export function tell(text) {
  const list = byId('account');
  const now = new Date();
  const item = document.createElement('li');
  const time = document.createElement('time');
  time.dateTime = now.toISOString();
  time.textContent = now.toLocaleTimeString([], { hour12: false });
  const words = document.createElement('span');
  words.textContent = text;
  item.append(time, words);
  list.prepend(item);
  while (list.children.length > ACCOUNT_LINES_MAX) list.lastElementChild?.remove();
}

/**
 * Spoken by a screen reader, not shown.
 * @param {string} text
 */
export function announce(text) {
  byId('announce').textContent = text;
}

/**
 * The focused control may just have been hidden or disabled: its place is taken by what came instead.
 * @param {import('./usage-session.js').SessionState} state
 */
export function focusAfterChange(state) {
  const { activeElement } = document;
  const lost = activeElement === null || activeElement === document.body || activeElement.closest('[hidden]') !== null;
  // On a small screen the browser would scroll to the button, and the countdown away.
  const options = { preventScroll: true };
  if (lost && state === 'running') endButton.focus(options);
  if (lost && state === 'ended') title.focus(options);
  if (lost && state === 'idle') startButton.focus();
  if (state === 'running' || state === 'ended') showStage();
}

function showStage() {
  const stage = byId('stage').getBoundingClientRect();
  const needed = byId('live').hidden ? stage.top : endButton.getBoundingClientRect().bottom;
  if (stage.top < 0 || needed > innerHeight) byId('stage').scrollIntoView();
}

/** @param {UsageSession} session */
export function leftText({ status, secondsRemaining }) {
  const minutes = status?.minutesRemaining ?? 0;
  return minutes === 0 && secondsRemaining > 0 ? 'less than a minute' : minutesText(minutes);
}

/** @param {string} instant */
function dateText(instant) {
  const date = new Date(instant);
  return Number.isNaN(date.getTime()) ? 'the next period' : date.toLocaleDateString([], { day: 'numeric', month: 'long' });
}
