// @ts-check
// <usage-bar>: how many minutes are left, at a glance.

import { levelOf, minutesText, percentOf } from './usage-credit.js';
import { UsageElement, define, element, sharedStyles, styleSheet } from './usage-element.js';

const STYLES = `${sharedStyles}
.row { display: flex; align-items: baseline; justify-content: space-between; gap: 0.25em 0.75em; flex-wrap: wrap; }
.plan { font-weight: 650; text-transform: capitalize; overflow-wrap: anywhere; min-width: 0; }
.amount { font-variant-numeric: tabular-nums; }
.track {
  height: 0.6em; margin: 0.35em 0 0.3em; border-radius: 1em; overflow: hidden; background: var(--_track);
}
.fill { height: 100%; border-radius: inherit; background: var(--_level); transition: width 400ms ease-out; }
.state { font-size: 0.875em; display: inline-flex; align-items: baseline; gap: 0.4em; }
.mark { color: var(--_level); font-size: 0.8em; line-height: 1; }
.upgrade { font-size: 0.875em; }
:host([level="green"]) { --_level: var(--_green); }
:host([level="amber"]) { --_level: var(--_amber); }
:host([level="red"]) { --_level: var(--_red); }
@media (prefers-reduced-motion: reduce) { .fill { transition: none; } }
@media (forced-colors: active) {
  .track { border: 1px solid CanvasText; }
  .fill { background: Highlight; forced-color-adjust: none; }
}
`;

/** A shape and a word for each level, because a colour alone says nothing to many people. */
const MARKS = { green: '●', amber: '▲', red: '■' };
const WORDS = { green: 'left', amber: 'left, running low', red: 'left, almost used up' };

/** @type {CSSStyleSheet | undefined} */
let sheet;

export class UsageBar extends UsageElement {
  static values = [
    'plan',
    'minutesUsed',
    'minutesLimit',
    'minutesRemaining',
    'percentUsed',
    'secondsRemaining',
    'upgradeUrl',
    'upgradeTarget',
    'label',
  ];

  /** @type {ReturnType<typeof build> | undefined} */
  #parts;

  /** Everything at once, from a status answer. */
  set status(/** @type {import('./usage.js').UsageStatus | null | undefined} */ status) {
    const names = /** @type {const} */ (['plan', 'minutesUsed', 'minutesLimit', 'minutesRemaining', 'percentUsed', 'secondsRemaining']);
    // Without one (the user has signed out) nothing of the last one stays.
    for (const name of names) this.set(name, status?.[name]);
    this.statusUpgradeUrl = status?.upgradeUrl;
  }

  draw() {
    this.#parts ??= build(this);
    const { plan, amount, track, fill, mark, words, upgrade } = this.#parts;
    const used = this.number('minutesUsed');
    const limit = this.number('minutesLimit');
    const known = used !== undefined && limit !== undefined;
    const remaining = this.number('minutesRemaining') ?? (known ? Math.max(0, limit - used) : undefined);
    const percent = clamp(this.number('percentUsed') ?? (known ? percentOf(used, limit) : 0));
    const level = levelOf(percent);
    // In the last, begun minute none is left to start, and yet the user may talk on.
    const lastMinute = remaining === 0 && (this.number('secondsRemaining') ?? 0) > 0;

    plan.textContent = this.text('plan') || (known ? '' : 'Usage');
    amount.textContent = known ? `${used}/${limit} minutes` : '';
    fill.style.width = `${known ? percent : 0}%`;
    mark.textContent = known ? MARKS[level] : '';
    words.textContent = !known ? 'Not known yet' : wordsFor(remaining ?? 0, level, lastMinute);
    const exhausted = known && remaining !== undefined && remaining <= 0 && !lastMinute;
    upgrade.hidden = !exhausted;
    if (exhausted) this.drawUpgradeLink(upgrade);
    if (known) this.setAttribute('level', level);
    else this.removeAttribute('level');

    track.setAttribute('aria-label', this.text('label') || 'Voice minutes used');
    if (known) {
      track.setAttribute('aria-valuenow', String(percent));
      track.setAttribute('aria-valuetext', `${used} of ${minutesText(limit)} used, ${words.textContent.toLowerCase()}`);
    } else {
      track.removeAttribute('aria-valuenow');
      track.setAttribute('aria-valuetext', 'Not known yet');
    }
  }
}

/**
 * @param {number} remaining
 * @param {'green' | 'amber' | 'red'} level
 * @param {boolean} lastMinute
 */
function wordsFor(remaining, level, lastMinute) {
  if (lastMinute) return 'Last minute';
  if (remaining <= 0) return 'No minutes left';
  return `${minutesText(remaining)} ${WORDS[level]}`;
}

/** @param {number} percent */
const clamp = (percent) => Math.min(100, Math.max(0, Math.round(percent)));

/** @param {HTMLElement} host */
function build(host) {
  sheet ??= styleSheet(STYLES);
  const root = host.attachShadow({ mode: 'open' });
  root.adoptedStyleSheets = [sheet];
  const top = element('div', 'row');
  const plan = element('span', 'plan');
  const amount = element('span', 'amount');
  top.append(plan, amount);
  const track = element('div', 'track');
  track.setAttribute('role', 'progressbar');
  track.setAttribute('aria-valuemin', '0');
  track.setAttribute('aria-valuemax', '100');
  const fill = element('div', 'fill');
  track.append(fill);
  const bottom = element('div', 'row');
  const state = element('span', 'state');
  const mark = element('span', 'mark');
  mark.setAttribute('aria-hidden', 'true');
  const words = element('span', 'words');
  state.append(mark, words);
  const upgrade = element('a', 'upgrade');
  bottom.append(state, upgrade);
  root.append(top, track, bottom);
  return { plan, amount, track, fill, mark, words, upgrade };
}

define(UsageBar, 'usage-bar');
