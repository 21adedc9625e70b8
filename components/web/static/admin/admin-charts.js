// @ts-check
// Two small charts in inline SVG, and tables. Every chart has its numbers as text beside it.

const SVG = 'http://www.w3.org/2000/svg';

/**
 * @param {string} tag
 * @param {Record<string, string | number>} [attributes]
 * @param {(Node | string)[]} children strings become text, never markup
 */
export function html(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  node.append(...children);
  return node;
}

/**
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 * @param {(Node | string)[]} children
 */
function svg(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  node.append(...children);
  return node;
}

/**
 * @param {string} name for screen readers
 * @param {string[]} head a leading `#` marks a column of numbers
 * @param {(string | number)[][]} rows
 * @param {string} empty what is said when there are none
 */
export function table(name, head, rows, empty) {
  if (rows.length === 0) return html('p', { class: 'empty' }, empty);
  const isCount = head.map((title) => title.startsWith('#'));
  const cell = (/** @type {string} */ tag, /** @type {string | number} */ value, /** @type {number} */ column) =>
    html(tag, isCount[column] ? { class: 'count' } : {}, String(value));
  const headRow = html('tr', {}, ...head.map((title, column) => {
    const header = cell('th', title.replace(/^#/, ''), column);
    header.setAttribute('scope', 'col');
    return header;
  }));
  const body = rows.map((row) => html('tr', {}, ...row.map((value, column) => cell('td', value, column))));
  return scroll(name, html('table', {}, html('thead', {}, headRow), html('tbody', {}, ...body)));
}

/**
 * What may be wider than the screen; focusable, so that the keyboard can scroll it, too.
 * @param {string} name
 * @param {Node} content
 */
function scroll(name, content) {
  return html('div', { class: 'scroll', tabindex: 0, role: 'group', 'aria-label': name }, content);
}

/**
 * Horizontal bars, one a line, each with its words and numbers.
 * @param {{ name: string, value: number, words: string }[]} items
 * @param {string} empty
 */
export function bars(items, empty) {
  if (items.length === 0) return html('p', { class: 'empty' }, empty);
  const most = Math.max(1, ...items.map(({ value }) => value));
  return html('ul', { class: 'bars' }, ...items.map(({ name, value, words }) => html('li', {},
    html('div', { class: 'words' }, html('span', {}, name), html('span', {}, words)),
    svg('svg', { 'aria-hidden': 'true', preserveAspectRatio: 'none', viewBox: '0 0 100 10' },
      svg('rect', { width: (value / most) * 100, height: 10 })))));
}

const WIDTH = 900;
const HEIGHT = 200;
const LEFT = 44;
const BOTTOM = 24;
const TOP = 10;

const DAY_MS = 24 * 3600 * 1000;
const DAYS = 30;

/**
 * A day in which nobody talked is a day, too.
 * @param {{ day: string, minutes: number }[]} days in order, with gaps
 * @param {string} serverTime
 */
export function withoutGaps(days, serverTime) {
  const minutes = new Map(days.map((day) => [day.day, day.minutes]));
  const last = Date.parse(serverTime.slice(0, 10));
  const first = Math.min(last - (DAYS - 1) * DAY_MS, Date.parse(days[0]?.day ?? serverTime.slice(0, 10)));
  const all = [];
  for (let at = first; at <= last; at += DAY_MS) {
    const day = new Date(at).toISOString().slice(0, 10);
    all.push({ day, minutes: minutes.get(day) ?? 0 });
  }
  return all;
}

/** @param {{ day: string, minutes: number }[]} days without gaps */
export function dailyChart(days) {
  if (days.every(({ minutes }) => minutes === 0)) return html('p', { class: 'empty' }, 'No minutes yet.');
  const most = niceCeiling(Math.max(...days.map(({ minutes }) => minutes)));
  const step = (WIDTH - LEFT) / days.length;
  const scale = (HEIGHT - TOP - BOTTOM) / most;
  const y = (/** @type {number} */ minutes) => HEIGHT - BOTTOM - minutes * scale;
  const lines = [0, most / 2, most].flatMap((value) => [
    svg('line', { class: 'grid', x1: LEFT, x2: WIDTH, y1: y(value), y2: y(value) }),
    svg('text', { x: LEFT - 8, y: y(value) + 4, 'text-anchor': 'end' }, String(value)),
  ]);
  const columns = days.map(({ day, minutes }, index) =>
    svg('rect', { x: LEFT + index * step + step * 0.15, y: y(minutes), width: step * 0.7, height: minutes * scale, rx: 2 },
      svg('title', {}, `${day}: ${minutes} minutes`)));
  const labels = days.flatMap(({ day }, index) => index % 7 === 0
    ? [svg('text', { x: LEFT + (index + 0.5) * step, y: HEIGHT - 6, 'text-anchor': 'middle' }, day.slice(5))]
    : []);
  const total = days.reduce((sum, { minutes }) => sum + minutes, 0);
  const busiest = days.reduce((best, day) => (day.minutes > best.minutes ? day : best));
  const summary = `${total} minutes in ${days.length} days; most on ${busiest.day}: ${busiest.minutes}`;
  const chart = svg('svg', { class: 'chart', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': summary },
    ...lines, ...columns, ...labels);
  const numbers = table('Minutes a day', ['Day', '#Minutes'], days.map(({ day, minutes }) => [day, minutes]), '');
  return html('div', {}, html('p', { class: 'hint' }, summary), scroll('Chart of the minutes a day', chart),
    html('details', {}, html('summary', {}, 'The numbers'), numbers));
}

/** @param {number} value the next of 2, 4, 6, 8, 10, 20, 40 …: its half is whole, too */
function niceCeiling(value) {
  for (let power = 1; power < 1e12; power *= 10) {
    const found = [2, 4, 6, 8, 10].find((factor) => factor * power >= value);
    if (found) return found * power;
  }
  return value;
}
