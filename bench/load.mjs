// Load: sessions that are started by the API beforehand, and cells that wrk measures.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { run } from './process.mjs';
import { SECRET } from './systems.mjs';

const SCRIPT = fileURLToPath(new URL('load.lua', import.meta.url));
const AT_ONCE = 16;
const WARM_UP_SECONDS = 1;

/** One request for a user; anything but success is an error. */
export async function ask(url, user, method, route, body) {
  const headers = { 'x-internal-secret': SECRET, 'x-user-id': user, 'content-type': 'application/json' };
  const response = await fetch(`${url}/api/session/${route}`, { method, headers, body: body && JSON.stringify(body) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${route} for ${user}: ${response.status} ${text}`);
  return JSON.parse(text);
}

/** Does something for each, some at once. */
async function each(items, action) {
  const left = items.values();
  const worker = async () => {
    for (const item of left) await action(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

/** How many users start and end sessions: some for each connection. */
export const callersFor = ({ connections }) => 2 * Math.max(...connections);

/** Starts a session for each user; resolves to the sessions' ids in the same order. */
export async function startSessions(url, users) {
  const sessions = new Map();
  await each(users, async (user) => {
    sessions.set(user, (await ask(url, user, 'POST', 'start', {})).sessionId);
  });
  return users.map((user) => sessions.get(user));
}

/** Users that have ended a session. */
export async function seedCallers(url, users) {
  await each(users, async (user) => {
    const { sessionId } = await ask(url, user, 'POST', 'start', {});
    await ask(url, user, 'POST', 'end', { sessionId });
  });
}

/** Ends what a cell left running when its time was over, answers that were on their way included. */
async function endSessions(url, users) {
  await sleep(200);
  await each(users, async (user) => {
    const { activeSession } = await ask(url, user, 'GET', 'status');
    if (activeSession) await ask(url, user, 'POST', 'end', { sessionId: activeSession.sessionId });
  });
}

/** The file in which wrk's script finds its users. */
export function population(work, name, users, sessions = []) {
  const file = path.join(work, `${name}.population`);
  writeFileSync(file, users.map((user, at) => `${user} ${sessions[at] ?? '-'}\n`).join(''));
  return { file, users };
}

/**
 * Measures one cell: `what` is `status`, `heartbeat`, `sessions` or `overview`. Resolves to the failures, and to the rate a
 * second and the percentiles in milliseconds of each kind of request.
 */
export async function measure(url, what, { file, users }, connections, seconds) {
  // Nothing is written by a warm-up, so that what is measured comes first.
  await wrk(url, what === 'overview' ? what : 'status', file, connections, WARM_UP_SECONDS);
  const measured = await wrk(url, what, file, connections, seconds);
  if (what === 'sessions') await endSessions(url, users);
  return measured;
}

async function wrk(url, what, file, connections, seconds) {
  const threads = what === 'sessions' ? connections : Math.min(2, connections);
  const options = [`-t${threads}`, `-c${connections}`, `-d${seconds}s`, '--timeout', '30s', '--latency', '-s', SCRIPT];
  const out = await run('wrk', [...options, url, '--', what, file, String(threads)]);
  return JSON.parse(out.trim().split('\n').at(-1));
}
