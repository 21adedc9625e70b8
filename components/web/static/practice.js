// @ts-check
// The practice page: the reference integration of usage-session.js, the two elements and a voice provider.
import './usage-bar.js';
import './usage-warning.js';
import { takeToken } from './page-token.js';
import { endText, lengthText, NO_TOKEN, problemOf } from './practice-words.js';
import * as view from './practice-view.js';
import { safeUrl } from './usage-credit.js';
import { UsageSession } from './usage-session.js';
import { Voice } from './voice.js';

const token = takeToken();
const session = new UsageSession({ getToken: () => token });
const voice = new Voice(session);
/** The state that was drawn last: focus and the account of events follow changes of it. */
let shownState = session.state;
let wasConnected = true;
/**
 * The minutes that the account of events told last; undefined until it has told of the start.
 * @type {number | undefined}
 */
let minutesTold;

session.addEventListener('change', () => {
  view.draw(session);
  if (session.connected !== wasConnected) {
    wasConnected = session.connected;
    view.tell(wasConnected ? 'The server answers again.' : 'The server does not answer. Counting goes on; trying again.');
  }
  if (minutesTold !== undefined) tellMinutes();
  if (session.state === shownState) return;
  shownState = session.state;
  view.focusAfterChange(shownState);
});
session.addEventListener('tick', () => view.drawClock(session));
session.addEventListener('warning', () => {
  view.tell(`Warning: ${view.leftText(session)} left in this period.`);
});
session.addEventListener('ended', ({ detail }) => {
  voice.disconnect();
  minutesTold = undefined;
  const words = `The session ended. ${endText(detail)} ${lengthText(detail)}`.trim();
  view.tell(words);
  view.announce(words);
});
session.addEventListener('error', ({ detail }) => fail(detail));

voice.addEventListener('change', () => view.drawVoice(voice.status));
voice.addEventListener('failed', (event) => {
  const error = /** @type {CustomEvent} */ (event).detail;
  // The session may have ended under the voice; then that has been told already.
  if (session.state !== 'running') return;
  fail(error);
  void session.end('error');
});

view.startButton.addEventListener('click', async () => {
  view.drawProblem(undefined);
  const topic = view.topicField.value.trim();
  const takeover = view.runsElsewhere(session);
  try {
    await session.start({
      ...(topic ? { topic } : {}),
      ...(takeover ? { takeover } : {}),
      difficulty: view.chosenDifficulty(),
    });
  } catch (error) {
    fail(error);
    return;
  }
  running(takeover ? 'Session taken over from the other tab or device' : 'Session started');
});
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
  session.dispose();
  location.reload();
});
// A visit that could not read the usage tries again when the network is back.
addEventListener('online', () => void open());

/** @param {string} what */
function running(what) {
  const left = view.leftText(session);
  view.tell(`${what}.`);
  tellMinutes();
  view.announce(`${what}. ${left} left.`);
  void voice.connect();
}

function tellMinutes() {
  const { minutesUsed = 0, minutesLimit = 0 } = session.status ?? {};
  if (session.state !== 'running' || minutesUsed === minutesTold) return;
  minutesTold = minutesUsed;
  view.tell(`${minutesUsed} of ${minutesLimit} minutes used; ${view.leftText(session)} left.`);
}

/** @param {unknown} error */
function fail(error) {
  const problem = problemOf(error);
  view.drawProblem(problem);
  view.tell(problem.what);
}

async function open() {
  if (session.status) return;
  try {
    const resumed = await session.resume();
    if (resumed) running('Session resumed after the page was reloaded');
    else {
      const { plan } = session.status ?? (await session.refresh());
      view.tell(`Plan ${plan}: ${view.leftText(session)} left in this period.`);
      if (session.summary) view.tell(`Your session is over. ${endText(session.summary)} ${lengthText(session.summary)}`);
    }
    view.drawProblem(undefined);
  } catch (error) {
    fail(error);
  }
}

async function loadUpgradeUrl() {
  try {
    const { upgradeUrl } = await (await fetch('/config.json')).json();
    if (safeUrl(upgradeUrl)) view.setUpgradeUrl(upgradeUrl);
  } catch {
    view.setUpgradeUrl('/pricing');
  }
}

void loadUpgradeUrl();
view.draw(session);
if (token) void open();
else view.drawProblem(NO_TOKEN);
