// Fills Talktime's stores with users. One user is made through the API and swept; its document and its rows are multiplied,
// each copy with ids of its own, and with its session somewhere in the current month.
import { statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask } from './load.mjs';
import { sqlite } from './process.mjs';
import { HOT, ledgerOf } from './systems.mjs';

const MODEL = 'model-of-the-bench';
const MODEL_ALARM_SECONDS = 1;
/** Of a session's id the last twelve digits are counted; the rest stays, so that it remains a UUID. */
const COUNTED_DIGITS = 12;

const documentsOf = (folder) => path.join(folder, 'sqlite_key_value.db');

/** The name of a user by its number: in this order all users stand in the stores. */
export const nameOf = (number) => `user-${String(number).padStart(7, '0')}`;

/** Fills new stores in a folder. */
export async function fill(system, folder, count) {
  const session = await makeModel(system, folder);
  const numbers = `WITH RECURSIVE numbers (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM numbers WHERE n < ${count})`;
  const sources = { count, session, numbers };
  await Promise.all([fillDocuments(folder, sources), fillLedger(folder, sources)]);
}

/** What the stores take on the disk, in MiB. */
export function mebibytes(folder) {
  return [documentsOf(folder), ledgerOf(folder)].reduce((sum, file) => sum + statSync(file).size / 2 ** 20, 0);
}

/** A user whose session is over and whose rows are written, so that nothing waits; resolves to the session as the document has it. */
async function makeModel(system, folder) {
  const running = await system.start(folder, { ...HOT, alarmSeconds: MODEL_ALARM_SECONDS }, false);
  const { sessionId } = await ask(running.url, MODEL, 'POST', 'start', { topic: 'Ordering coffee' });
  await ask(running.url, MODEL, 'POST', 'end', { sessionId });
  // Alarms are of whole seconds.
  await sleep((MODEL_ALARM_SECONDS + 1) * 1000);
  await system.sweep(running);
  await running.server.stop();
  const [document] = JSON.parse(
    await sqlite(documentsOf(folder), `.mode json\nSELECT CAST(value AS TEXT) AS text FROM spin_key_value WHERE key = 'user:${MODEL}';`),
  );
  const { session, outbox, ended } = JSON.parse(document.text);
  if (session || outbox || ended.length !== 1) throw new Error(`the model is not at rest: ${document.text}`);
  return { ...ended[0], periodStart: JSON.parse(document.text).period.bounds.start };
}

/** Milliseconds by which the session of user `n` was earlier than the model's: spread over the period up to now. */
const shift = ({ count, session }) => `(n * ${session.started_at - session.periodStart} / ${count + 1} / 1000 * 1000)`;
const sessionId = ({ session }) => `'${session.id.slice(0, -COUNTED_DIGITS)}' || printf('%0${COUNTED_DIGITS}x', n)`;
const user = `printf('user-%07d', n)`;

async function fillDocuments(folder, sources) {
  const { numbers, session } = sources;
  const replaced = [
    [`'${MODEL}'`, user],
    [`'${session.id}'`, sessionId(sources)],
    [`'"started_at":${session.started_at}'`, `'"started_at":' || (${session.started_at} - ${shift(sources)})`],
    [`'"ended_at":${session.ended_at}'`, `'"ended_at":' || (${session.ended_at} - ${shift(sources)})`],
  ];
  const text = replaced.reduce((inner, [from, to]) => `replace(${inner}, ${from}, ${to})`, 'CAST(value AS TEXT)');
  await inBulk(
    documentsOf(folder),
    `INSERT INTO spin_key_value (store, key, value)
     ${numbers} SELECT store, 'user:' || ${user}, CAST(${text} AS BLOB) FROM numbers, spin_key_value WHERE key = 'user:${MODEL}';`,
  );
}

async function fillLedger(folder, sources) {
  const { numbers } = sources;
  const earlier = `${shift(sources)} / 1000`;
  const kept = (columns) => columns.map((name) => [name, name]);
  const tables = {
    users: [
      ['id', user],
      ...kept(['created_at', 'seed_token', 'seed_lease_until', 'alarm_at', 'alarm_token', 'lease_until', 'failures', 'alarm_urgent']),
    ],
    usage_periods: [
      ['id', `replace(id, '${MODEL}', ${user})`],
      ['user_id', user],
      ...kept(['period_start', 'period_end', 'plan', 'minutes_used', 'minutes_limit', 'synced_at', 'version', 'archived', 'created_at']),
    ],
    usage_sessions: [
      ['id', sessionId(sources)],
      ['user_id', user],
      ['started_at', `started_at - ${earlier}`],
      ['ended_at', `ended_at - ${earlier}`],
      ...kept(['minutes_used', 'topic', 'difficulty', 'end_reason']),
    ],
  };
  const statements = Object.entries(tables).map(([table, columns]) => {
    const [into, values] = [columns.map(([name]) => name), columns.map(([, value]) => value)];
    const ofModel = table === 'users' ? 'id' : 'user_id';
    return `INSERT INTO ${table} (${into}) ${numbers} SELECT ${values} FROM numbers, ${table} WHERE ${ofModel} = '${MODEL}';`;
  });
  await inBulk(ledgerOf(folder), statements.join('\n'));
}

/** One transaction without a journal: a file that is damaged by a crash is thrown away. */
async function inBulk(file, statements) {
  const mode = (await sqlite(file, 'PRAGMA journal_mode;')).trim();
  const before = 'PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -500000; BEGIN;';
  const now = (await sqlite(file, `${before}\n${statements}\nCOMMIT;\nPRAGMA journal_mode = ${mode};`)).trim().split('\n').at(-1);
  if (now !== mode) throw new Error(`${file} is left in the mode ${now}`);
}
