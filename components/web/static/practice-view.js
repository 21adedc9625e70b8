// @ts-check
// The practice page's elements and how they are drawn. All text is set as text.
/** @import { UsageSession } from './usage-session.js' */
/** @import { Problem } from './practice-words.js' */

import { minutesText } from './usage-credit.js';
import { clockText, endText, lengthText } from './practice-words.js';

const ACCOUNT_LINES_MAX = 50;
const DIFFICULTIES = { beginner: 'Beginner', intermediate: 'Intermediate', advanced: 'Advanced' };

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

const bar = /** @type {import('./usage-bar.js').UsageBar} */ (byId('bar'));
const warning = /** @type {import('./usage-warning.js').UsageWarning} */ (byId('warning'));
export const startButton = /** @type {HTMLButtonElement} */ (byId('start'));
export const endButton = /** @type {HTMLButtonElement} */ (byId('end'));
export const muteButton = /** @type {HTMLButtonElement} */ (byId('mute'));
export const topicField = /** @type {HTMLInputElement} */ (byId('topic'));
const title = byId('stage-title');
/** What the page says before the first session. */
const invitation = { title: title.textContent, lead: byId('lead').textContent };

/** @param {string} url */
export function setUpgradeUrl(url) {
  for (const element of [bar, warning]) {
    element.upgradeUrl = url;
    // A session that runs would end if this page were left.
    element.upgradeTarget = '_blank';
  }
}

export function chosenDifficulty() {
  const input = /** @type {HTMLInputElement | null} */ (document.querySelector('input[name="difficulty"]:checked'));
  return /** @type {import('./usage.js').Difficulty} */ (input?.value ?? 'beginner');
}

/** @param {UsageSession} session */
export function draw(session) {
  const { status, state } = session;
  if (status) {
    const shown = { ...status, secondsRemaining: session.secondsRemaining };
    bar.status = shown;
    warning.status = shown;
  }
  const live = state === 'running' || state === 'ending';
  byId('setup').hidden = live;
  byId('live').hidden = !live;
  drawHeading(session);
  drawStart(session);
  if (live) drawLive(session);
}

/** @param {UsageSession} session */
function drawHeading({ state, summary }) {
  const badge = byId('badge');
  const lead = byId('lead');
  badge.hidden = state === 'idle';
  badge.className = 'badge';
  lead.hidden = false;
  if (state === 'ended' && summary) {
    badge.textContent = 'Ended';
    badge.classList.add('ended');
    title.textContent = 'Your session is over';
    lead.textContent = `${endText(summary)} ${lengthText(summary)}`.trim();
  } else if (state === 'running' || state === 'ending' || state === 'starting') {
    badge.textContent = { running: 'Running', ending: 'Ending…', starting: 'Starting…' }[state];
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
  startButton.textContent = state === 'starting' ? 'Starting…' : elsewhere ? 'Continue here' : 'Start';
  byId('start-why').textContent = elsewhere
    ? 'A session of yours is running in another tab or on another device. Continuing here ends that one.'
    : status && status.minutesRemaining <= 0
      ? `No minutes are left until ${dateText(status.periodEnd)}. Upgrade your plan to go on now.`
      : '';
}

/** @param {UsageSession} session */
function drawLive(session) {
  byId('live-topic').textContent = session.topic || 'Anything';
  byId('live-difficulty').textContent = DIFFICULTIES[session.difficulty ?? 'beginner'];
  endButton.disabled = session.state === 'ending';
  drawClock(session);
}

/** @param {UsageSession} session */
export function drawClock(session) {
  byId('clock').textContent = clockText(session.secondsRemaining);
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
  const set = (/** @type {string} */ name, /** @type {string} */ text) => {
    const node = box.querySelector(`.problem-${name}`);
    if (node) node.textContent = text;
  };
  set('what', problem?.what ?? '');
  set('next', problem?.next ?? '');
  set('code', problem?.code ? `Code: ${problem.code}` : '');
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
  if (!lost) return;
  if (state === 'running') endButton.focus();
  if (state === 'ended') title.focus();
  if (state === 'idle') startButton.focus();
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
