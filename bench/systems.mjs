// The systems that are measured: how each is started on a folder, how its alarms come due, and how it settles them.
import { existsSync, readdirSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { run, freePort, ServerProcess, sqlite } from './process.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const OBJECT = fileURLToPath(new URL('durable-object', import.meta.url));

/** The secret of what is started here; that of a base URL's host comes from outside. */
export const SECRET = (process.env.TALKTIME_INTERNAL_SECRET ??= 'bench-internal-secret-0123456789abcdef');

/** Minutes that no measurement uses up, alarms that come due by hand, and sessions that go on while nobody is heard. */
export const HOT = { planMinutes: 1_000_000, alarmSeconds: 600, staleSeconds: 7200 };

/** A system as it runs somewhere; of a host that somebody else started only the address is known. */
export class Running {
  constructor(system, url, server) {
    Object.assign(this, { system, url, server });
  }

  get name() {
    return this.system?.name ?? this.url;
  }

  /** So many users of it, or as many as it can have. */
  users(prefix, count) {
    return names(prefix, Math.min(count, this.system?.usersMax ?? count));
  }

  halt() {
    this.server?.halt();
  }

  resume() {
    this.server?.resume();
  }
}

export const names = (prefix, count) => Array.from({ length: count }, (_, number) => `${prefix}-${number + 1}`);

const STUCK_AFTER_MILLIS = 60_000;
const LOOK_EVERY_MILLIS = 200;

/** Talktime on the embedded host. */
export class Talktime {
  name = 'Talktime';
  usersMax = Infinity;

  async prepare() {
    this.binary = process.env.TALKTIME_BENCH_HOST;
    if (!this.binary) {
      await run('cargo', ['build', '--locked', '--profile', 'host', '--bin', 'talktime'], { cwd: ROOT });
      this.binary = path.join(ROOT, 'target/host/talktime');
    }
    if (process.env.TALKTIME_NO_BUILD !== '1') await run('cargo', ['build-components'], { cwd: ROOT });
    this.version = (await run(this.binary, ['--version'])).trim();
  }

  /** `sweeps` says whether the cron triggers fire. */
  async start(folder, { planMinutes, alarmSeconds, staleSeconds }, sweeps = true) {
    const listen = `127.0.0.1:${await freePort()}`;
    const manifest = sweeps ? 'spin.toml' : 'spin.no-cron.toml';
    const options = ['--no-build', '--quiet', '--manifest', manifest, '--listen', listen, '--data-dir', folder];
    const variables = {
      INTERNAL_API_SECRET: SECRET,
      PLANS: JSON.stringify({ free: { minutes: planMinutes } }),
      ALARM_INTERVAL_SECONDS: alarmSeconds,
      STALE_AFTER_SECONDS: staleSeconds,
      MAX_SESSION_MINUTES: 0,
    };
    const set = Object.entries(variables).map(([name, value]) => [`SPIN_VARIABLE_${name}`, String(value)]);
    const server = new ServerProcess(this.binary, options, { cwd: ROOT, env: { ...process.env, ...Object.fromEntries(set) } });
    await server.ready(() => answers(`http://${listen}/.well-known/spin/health`));
    return new Running(this, `http://${listen}`, server);
  }

  /** Makes the alarm of every running session due, while the host is down. */
  async makeDue(folder) {
    await sqlite(ledgerOf(folder), 'UPDATE users SET alarm_at = unixepoch() - 1 WHERE alarm_urgent = 1;');
  }

  /** Starts the host on the folder and settles what is due; resolves to how many users a second. */
  async settle(folder, settings, users) {
    const running = await this.start(folder, settings, false);
    const began = performance.now();
    const settled = await this.sweep(running);
    const rate = settled / ((performance.now() - began) / 1000);
    await running.server.stop();
    if (settled < users) throw new Error(`of ${users} users only ${settled} were due`);
    return rate;
  }

  /** Sweeps until none is due; resolves to how many were. */
  async sweep({ url }) {
    let [settled, remaining] = [0, 1];
    while (remaining > 0) {
      const response = await fetch(`${url}/api/internal/alarm`, { method: 'POST', headers: { 'x-internal-secret': SECRET } });
      const answer = await response.json();
      if (!response.ok || answer.failed > 0) throw new Error(`a sweep failed: ${JSON.stringify(answer)}`);
      settled += answer.swept;
      remaining = answer.remaining;
    }
    return settled;
  }
}

/** The ledger's file. */
export const ledgerOf = (folder) => path.join(folder, 'sqlite_db.db');

/** A Durable Object for each user, on workerd. */
export class DurableObject {
  name = 'Durable Object';
  /** With some 2,850 objects in memory, workerd's SQLite has none left (`SQLITE_NOMEM`). Callers take some of them. */
  usersMax = 2000;

  async prepare() {
    await run('npm', ['ci', '--silent'], { cwd: OBJECT });
    this.version = (await run(path.join(OBJECT, 'node_modules/.bin/workerd'), ['--version'])).trim();
  }

  async start(folder, settings) {
    const port = await freePort();
    const given = JSON.stringify({ port, folder, secret: SECRET, ...settings });
    const server = new ServerProcess(process.execPath, ['serve.mjs', given], { cwd: OBJECT });
    await server.ready(() => server.log.includes('ready http'));
    return new Running(this, `http://127.0.0.1:${port}`, server);
  }

  /** An alarm stands in the object's own file too, and only one that stands in both is fired. */
  async makeDue(folder) {
    const objects = path.join(folder, 'objects/usage-UserUsageObject');
    const due = `${Date.now() - 1000}000000`;
    const files = readdirSync(objects).filter((name) => name.endsWith('.sqlite') && name !== 'metadata.sqlite');
    const statements = files.map(
      (name) => `.open '${path.join(objects, name)}'\nPRAGMA synchronous = OFF; UPDATE _cf_METADATA SET value = ${due} WHERE key = 1;\n`,
    );
    await sqlite(path.join(objects, 'metadata.sqlite'), `UPDATE _cf_ALARM SET scheduled_time = ${due};\n${statements.join('')}`);
  }

  /** Its alarms fire by themselves while it starts; so the rate is of those that come after the first that are seen. */
  async settle(folder, settings, users) {
    const d1 = path.join(folder, 'd1/miniflare-D1DatabaseObject');
    const [ledger] = readdirSync(d1).filter((name) => name.endsWith('.sqlite') && name !== 'metadata.sqlite');
    const settled = async () => Number(await sqlite(path.join(d1, ledger), 'SELECT COUNT(*) FROM usage_periods;'));
    const watch = async () => {
      const seen = [{ count: 0, at: performance.now() }];
      while (seen.at(-1).count < users) {
        await sleep(LOOK_EVERY_MILLIS);
        const [count, at] = [await settled(), performance.now()];
        if (count > seen.at(-1).count) seen.push({ count, at });
        if (at - seen.at(-1).at > STUCK_AFTER_MILLIS) throw new Error(`of ${users} alarms only ${count} fire`);
      }
      return [seen[1], seen.at(-1)];
    };
    const [running, [first, last]] = await Promise.all([this.start(folder, settings), watch()]);
    await running.server.stop();
    if (first === last) throw new Error(`${users} alarms fire too fast to be measured: it takes more users`);
    return (last.count - first.count) / ((last.at - first.at) / 1000);
  }
}

/** A folder of its own for one start's data. */
export async function newFolder(work, name) {
  const folder = path.join(work, name);
  if (existsSync(folder)) throw new Error(`${folder} is there already`);
  await mkdir(folder, { recursive: true });
  return folder;
}

async function answers(url) {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false;
  }
}
