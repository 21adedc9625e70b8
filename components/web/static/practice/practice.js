// @ts-check
// The practice page: the reference integration of usage-session.js, the two elements and a voice provider.
import './usage-bar.js';
import './usage-warning.js';
import { takeToken, useToken, userOf } from './page-token.js';
import { rememberChoice, rememberedChoice } from './practice-form.js';
import { connectionText, endText, lengthText, NO_TOKEN, problemOf } from './practice-words.js';
import * as view from './practice-view.js';
import { UsageSession } from './usage-session.js';
import { Voice } from './voice.js';

/** Told to those who do not look at the clock. */
const LAST_SECONDS = [60, 30, 10];

const { token, offered } = takeToken();
const request = { getToken: () => token };
const session = new UsageSession(request);
const voice = new Voice(session, request);
/** The state that was drawn last: focus and the account of events follow changes of it. */
let shownState = session.state;
let wasConnected = true;
/** @type {string | undefined} the plan that was known last */
let plan;
/** The usage has been told once. */
let introduced = false;
/** The browser asks for the microphone, or the server for the session. */
let starting = false;
/**
 * The minutes that the account of events told last; undefined until it has told of the start.
 * @type {number | undefined}
 */
let minutesTold;

session.addEventListener('change', () => {
  view.draw(session);
  if (session.connected !== wasConnected) tellConnection();
  if (minutesTold !== undefined) tellMinutes();
  if (!introduced && session.status) introduce();
  tellPlan();
  if (session.state === shownState) return;
  shownState = session.state;
  view.focusAfterChange(shownState);
});
session.addEventListener('tick', () => {
  view.drawClock(session);
  const left = session.secondsRemaining;
  if (LAST_SECONDS.includes(left)) view.announce(`${left} seconds left.`);
});
session.addEventListener('warning', () => {
  view.tell(`Warning: ${view.leftText(session)} left in this period.`);
});
session.addEventListener('resumed', () => running('Session resumed after the page was reloaded'));
session.addEventListener('ended', ({ detail }) => {
  voice.disconnect();
  minutesTold = undefined;
  const words = `The session ended. ${endText(detail)} ${lengthText(detail)}`.trim();
  view.tell(words);
  view.announce(words);
});
session.addEventListener('settled', ({ detail }) => {
  view.tell(`The server has heard of the end. ${endText(detail)} ${lengthText(detail)}`);
});
session.addEventListener('error', ({ detail }) => fail(detail, session.state === 'ended' ? 'end' : 'open'));

voice.addEventListener('change', () => view.drawVoice(voice.status));
voice.addEventListener('failed', (event) => {
  const error = /** @type {CustomEvent} */ (event).detail;
  // The session may have ended under the voice; then that has been told already.
  if (session.state !== 'running' || error.code === 'not_running') return;
  fail(error, 'talk');
  void session.end('error');
});

view.setupForm.addEventListener('submit', (event) => {
  event.preventDefault();
  void start(true);
});
view.quietButton.addEventListener('click', () => void start(false));
view.endButton.addEventListener('click', () => {
  voice.disconnect();
  void session.end();
});
view.muteButton.addEventListener('click', () => voice.toggleMute());
for (const chip of document.querySelectorAll('.chip')) {
  chip.addEventListener('click', () => {
    view.topicField.value = chip.textContent ?? '';
    view.topicField.focus();
  });
}
// Another link of the host's, opened in this tab, changes only the fragment.
addEventListener('hashchange', () => {
  const { token: now, offered: other } = takeToken();
  if (other) offer(other);
  else if (now !== token) switchTo(now);
});
addEventListener('pagehide', () => voice.disconnect());

/** @param {boolean} withVoice */
async function start(withVoice) {
  if (starting || view.startButton.disabled) return;
  view.drawProblem(undefined);
  const topic = view.topicField.value.trim();
  const choice = { ...(topic ? { topic } : {}), difficulty: view.chosenDifficulty() };
  rememberChoice(choice);
  const takeover = view.runsElsewhere(session);
  let awaitsCall = false;
  starting = true;
  try {
    view.setWaitingForMicrophone(withVoice);
    view.draw(session);
    // Before the server is asked for anything: a refused microphone must cost nothing.
    awaitsCall = withVoice && (await voice.prepare());
    view.setWaitingForMicrophone(false);
    await session.start({ ...choice, ...(awaitsCall ? { awaitsCall } : {}), ...(takeover ? { takeover } : {}) });
  } catch (error) {
    voice.disconnect();
    fail(error, 'start');
    return;
  } finally {
    starting = false;
    view.setWaitingForMicrophone(false);
    view.draw(session);
  }
  running(takeover ? 'Session taken over from the other tab or device' : 'Session started', withVoice, awaitsCall);
}

/**
 * @param {string} what
 * @param {boolean} [withVoice]
 * @param {boolean} [awaitsCall]
 */
function running(what, withVoice = true, awaitsCall = false) {
  const left = view.leftText(session);
  introduced = true;
  view.drawProblem(undefined);
  view.tell(`${what}.`);
  tellMinutes();
  view.announce(`${what}. ${left} left.`);
  if (withVoice) void voice.connect(awaitsCall);
  else voice.stayQuiet();
}

function introduce() {
  introduced = true;
  if (session.state !== 'idle' && session.state !== 'ended') return;
  view.tell(`Plan ${session.status?.plan}: ${view.leftText(session)} left in this period.`);
}

function tellMinutes() {
  const { minutesUsed = 0, minutesLimit = 0 } = session.status ?? {};
  if (session.state !== 'running' || minutesUsed === minutesTold) return;
  minutesTold = minutesUsed;
  view.tell(`${minutesUsed} of ${minutesLimit} minutes used; ${view.leftText(session)} left.`);
}

/** It may be why a session was ended. */
function tellPlan() {
  const now = session.status?.plan;
  if (plan !== undefined && now !== plan) view.tell(`Your plan changed from ${plan} to ${now}.`);
  plan = now;
}

function tellConnection() {
  wasConnected = session.connected;
  if (wasConnected) view.clearPassingProblem();
  const talking = session.state === 'running';
  const words = wasConnected ? 'The server answers again.' : talking ? connectionText(session.failure) : 'The server does not answer.';
  view.tell(words);
  if (talking) view.announce(words);
}

/**
 * @param {unknown} error
 * @param {import('./practice-words.js').Step} step
 */
function fail(error, step) {
  // Nobody is there any more to read it.
  if (/** @type {{ code?: string }} */ (error).code === 'abandoned') return;
  const problem = problemOf(error, step);
  view.drawProblem(problem);
  view.tell(problem.what);
}

/** @param {string} other the token of another link */
function offer(other) {
  view.offerLink(userOf(token ?? ''), userOf(other), () => switchTo(other));
}

/** @param {string | undefined} other */
function switchTo(other) {
  if (other) useToken(other);
  session.dispose();
  location.reload();
}

view.setChoice(rememberedChoice());
view.draw(session);
if (offered) offer(offered);
if (token) void session.open();
else view.drawProblem(NO_TOKEN);
