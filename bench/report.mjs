// The reports, as Markdown.
import { median } from './machine.mjs';

const KINDS = [
  ['heartbeat', 'Heartbeats'],
  ['status', 'Statuses'],
  ['start', 'Starts'],
  ['end', 'Ends'],
];
const WRITTEN_APART_SECONDS = 1;

function table(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n');
}

const whole = (number) => Math.round(number).toLocaleString('en');
const millis = (number) => (number < 10 ? number.toFixed(2) : number.toFixed(0));

/** The medians over the rounds of a cell; failures are summed. */
function middle(measurements, wanted) {
  const same = measurements.filter((one) => Object.entries(wanted).every(([name, value]) => one[name] === value));
  const of = (name) => median(same.map((one) => one[name]));
  return { rate: of('rate'), p50: of('p50'), p99: of('p99'), failed: same.reduce((sum, { failed }) => sum + failed, 0) };
}

function ground({ plan, machine, disk, versions }) {
  const rates = disk.map(whole).join(' before, ');
  return [
    `- ${machine.processor}, ${machine.memory}, ${machine.kernel}`,
    `- the disk: ${rates} after: commits a second of 1 kB, SQLite in WAL mode, one writer`,
    ...versions.map(([name, version, users]) => `- ${name}: ${version}, ${whole(users)} users with a running session`),
    `- load: ${machine.generator}; ${plan.seconds} s a cell, the median of ${plan.rounds} rounds`,
  ].join('\n');
}

/** A kind of request on all systems, with the ratio of the first to the second. */
function requests(kind, title, { plan, systems, measurements }) {
  const columns = systems.flatMap((name) => [`${name}: a second`, 'p50 ms', 'p99 ms', 'failed']);
  const isPair = systems.length === 2;
  const rows = plan.connections.map((connections) => {
    const cells = systems.map((system) => middle(measurements, { system, kind, connections }));
    const shown = cells.flatMap(({ rate, p50, p99, failed }) => [whole(rate), millis(p50), millis(p99), failed]);
    return [connections, ...shown, ...(isPair ? [`${(cells[0].rate / cells[1].rate).toFixed(2)} ×`] : [])];
  });
  const head = ['connections', ...columns, ...(isPair ? ['ratio'] : [])];
  return `## ${title}\n\n${table(head, rows)}${kind === 'heartbeat' ? unwritten(plan, measurements) : ''}`;
}

/** Talktime does not write a heartbeat that comes within a second of the last; here each should be written. */
function unwritten(plan, measurements) {
  const fastest = Math.max(
    ...measurements.filter(({ kind, system }) => kind === 'heartbeat' && system !== 'Durable Object').map(({ rate }) => rate),
  );
  const apart = plan.users / fastest;
  const says = `\n\nEach user of Talktime was heard every ${apart.toFixed(1)} seconds or more`;
  if (apart >= WRITTEN_APART_SECONDS) return `${says}, so each heartbeat was written.`;
  return `${says}: **not each heartbeat was written**. It takes more users than ${whole(plan.users)} for that.`;
}

function sweeps(names, measured) {
  if (measured.length === 0) return [];
  const kinds = { running: 'sessions that go on: brought to the ledger', silent: 'sessions that fell silent: ended and billed' };
  const rows = Object.entries(kinds).map(([kind, title]) => {
    const rates = names.map((system) =>
      median(measured.filter((one) => one.system === system && one.kind === kind).map(({ rate }) => rate)),
    );
    return [title, ...rates.map(whole), `${(rates[0] / rates[1]).toFixed(2)} ×`];
  });
  const head = ['all alarms due', ...names.map((name) => `${name}: users a second`), 'ratio'];
  return [`## Sweep after a restart\n\n${table(head, rows)}`];
}

function memory(systems) {
  const rows = systems.flatMap(([name, processes]) => processes.map((one) => [name, `\`${one.name}\``, whole(one.mebibytes)]));
  return rows.length ? [`## Memory\n\n${table(['system', 'process', 'most resident, MiB'], rows)}`] : [];
}

/** The report of a comparison, or of one address. */
export function comparison(result) {
  return [
    `# ${result.systems.join(' and ')}`,
    ground(result),
    ...KINDS.map(([kind, title]) => requests(kind, title, result)),
    ...sweeps(result.systems, result.sweeps),
    ...memory(result.memory),
    '',
  ].join('\n\n');
}

/** The report of Talktime with ever more users in its stores. */
export function scaling(result) {
  const { plan, measurements, sizes } = result;
  const kinds = [...KINDS, ['overview', 'Overviews']];
  const rows = kinds.flatMap(([kind, title]) =>
    plan.connections.map((connections) => {
      const cells = plan.sizes.map((size) => middle(measurements, { size, kind, connections }));
      return [
        `${title}, ${connections} connections`,
        ...cells.map(({ rate, p50, p99 }) => `${whole(rate)}/s, p50 ${millis(p50)}, p99 ${millis(p99)} ms`),
      ];
    }),
  );
  rows.push(['Sweep, users a second', ...sizes.map(({ sweep }) => whole(sweep))]);
  rows.push(['Stores, MiB', ...sizes.map(({ mebibytes }) => whole(mebibytes))]);
  const failed = measurements.reduce((sum, one) => sum + one.failed, 0);
  const head = ['', ...plan.sizes.map((size) => `${whole(size)} users`)];
  const asked = `Asked for are ${whole(plan.users)} users with a running session, besides those.`;
  return [
    '# Talktime with more and more users',
    ground(result),
    table(head, rows),
    `${asked}${unwritten(plan, measurements)}`,
    `Failed requests: ${failed}.`,
    '',
  ].join('\n\n');
}

/** The requests that failed: a report with any is no measurement. */
export const failures = ({ measurements }) => measurements.reduce((sum, { failed }) => sum + failed, 0);
