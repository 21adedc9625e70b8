// @ts-check
// <usage-warning>: nothing while there is plenty; a notice at five minutes; the way on when none are left.

import { LOW_MINUTES, minutesText } from './usage-credit.js';
import { UsageElement, define, element, sharedStyles, styleSheet } from './usage-element.js';

const STYLES = `${sharedStyles}
.box {
  display: flex; align-items: baseline; gap: 0.35em 0.75em; flex-wrap: wrap;
  padding: 0.7em 1em; border-radius: 0.6em;
  color: light-dark(#5c3500, #ffe0b0);
  background: light-dark(#fff3df, #3a2a10);
  border: 1px solid light-dark(#e0a85a, #8a6420);
}
:host([level="red"]) .box {
  color: light-dark(#7d101b, #ffd5d2);
  background: light-dark(#fdeced, #401a1d);
  border-color: light-dark(#e39aa0, #8f3a3f);
}
.mark { font-weight: 700; }
.message { flex: 1 1 12em; }
.upgrade { color: inherit; }
`;

/** @type {CSSStyleSheet | undefined} */
let sheet;

export class UsageWarning extends UsageElement {
  static values = ['minutesRemaining', 'secondsRemaining', 'showUpgradeLink', 'upgradeUrl', 'upgradeTarget'];

  /** @type {ReturnType<typeof build> | undefined} */
  #parts;

  set status(/** @type {import('./usage.js').UsageStatus | null | undefined} */ status) {
    this.set('minutesRemaining', status?.minutesRemaining);
    this.set('secondsRemaining', status?.secondsRemaining);
    this.statusUpgradeUrl = status?.upgradeUrl;
  }

  draw() {
    this.#parts ??= build(this);
    const { box, message, upgrade } = this.#parts;
    const remaining = this.number('minutesRemaining');
    const low = remaining !== undefined && remaining <= LOW_MINUTES;
    const lastMinute = remaining === 0 && (this.number('secondsRemaining') ?? 0) > 0;
    const exhausted = low && remaining <= 0 && !lastMinute;
    box.hidden = !low;
    this.toggleAttribute('active', low);
    if (!low) {
      this.removeAttribute('level');
      setText(message, '');
      return;
    }
    this.setAttribute('level', exhausted ? 'red' : 'amber');
    setText(message, textFor(remaining, lastMinute));
    upgrade.hidden = !(exhausted || this.#wantsLink());
    if (!upgrade.hidden) this.drawUpgradeLink(upgrade);
  }

  #wantsLink() {
    const value = this.get('showUpgradeLink');
    return value !== null && value !== undefined && value !== false && value !== 'false';
  }
}

/**
 * @param {number} remaining
 * @param {boolean} lastMinute
 */
function textFor(remaining, lastMinute) {
  if (lastMinute) return 'This is the last minute of your plan.';
  if (remaining <= 0) return 'You have used all the minutes of your plan.';
  return `Only ${minutesText(remaining)} left in your plan.`;
}

/**
 * A live region speaks whenever it is written to, so it is written to only when the words change.
 * @param {HTMLElement} node
 * @param {string} text
 */
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** @param {HTMLElement} host */
function build(host) {
  sheet ??= styleSheet(STYLES);
  const root = host.attachShadow({ mode: 'open' });
  root.adoptedStyleSheets = [sheet];
  // The region is there before its words are, or screen readers miss the first of them.
  const region = element('div', 'region');
  region.setAttribute('role', 'status');
  const box = element('div', 'box');
  const mark = element('span', 'mark');
  mark.setAttribute('aria-hidden', 'true');
  mark.textContent = '!';
  const message = element('span', 'message');
  const upgrade = element('a', 'upgrade');
  box.append(mark, message, upgrade);
  region.append(box);
  root.append(region);
  return { box, message, upgrade };
}

define(UsageWarning, 'usage-warning');
