// What the numbers are of: the processor, the disk.
import { rmSync, readFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import path from 'node:path';
import { run, sqlite } from './process.mjs';

const COMMITS = 2000;
const USERS = 200;

/** Commits a second of 1 kB each by one writer, in SQLite's WAL mode, in that folder. */
export async function commitRate(folder) {
  const file = path.join(folder, 'disk.db');
  await sqlite(file, 'PRAGMA journal_mode = WAL; CREATE TABLE t (k INTEGER PRIMARY KEY, v BLOB);');
  const statement = (number) => `INSERT OR REPLACE INTO t VALUES (${number % USERS}, zeroblob(1000));\n`;
  const statements = Array.from({ length: COMMITS }, (_, number) => statement(number)).join('');
  const began = performance.now();
  await sqlite(file, `PRAGMA synchronous = FULL;\n${statements}`);
  const rate = COMMITS / ((performance.now() - began) / 1000);
  for (const end of ['', '-wal', '-shm']) rmSync(file + end, { force: true });
  return rate;
}

export async function describeMachine() {
  const processors = cpus();
  const memory = readFileSync('/proc/meminfo', 'utf8').match(/^MemTotal:\s*(\d+)/m)[1];
  const wrk = (await run('sh', ['-c', 'wrk --version 2>&1 || true'])).split(' ').slice(0, 2).join(' ');
  return {
    processor: `${processors.length} × ${processors[0].model.trim()}`,
    memory: `${Math.round(Number(memory) / 2 ** 20)} GiB`,
    kernel: `Linux ${release()}`,
    generator: `${wrk}, on the same machine`,
  };
}

/** The middle of some numbers. */
export function median(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** What happens, for whoever watches; the report goes to standard output. */
export const tell = (text) => console.error(text);
