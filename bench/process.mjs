// Processes that the measurement starts: run to their end, or kept as servers that can be halted while others are measured.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const READY_WITHIN_MILLIS = 180_000;

/** Runs a command to its end and returns what it printed; `input` goes to its standard input. */
export async function run(command, commandArguments, { input, ...options } = {}) {
  const child = spawn(command, commandArguments, { stdio: ['pipe', 'pipe', 'pipe'], ...options });
  const [out, err] = [[], []];
  child.stdout.on('data', (piece) => out.push(piece));
  child.stderr.on('data', (piece) => err.push(piece));
  // A command that ends early takes no more; its exit code tells.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const [code, signal] = await once(child, 'close');
  if (code !== 0) throw new Error(`${command} failed (${signal ?? code}): ${Buffer.concat(err)}${Buffer.concat(out)}`);
  return Buffer.concat(out).toString();
}

/** Statements on a SQLite file, and what they select. */
export const sqlite = (file, statements) => run('sqlite3', ['-bail', '-cmd', '.timeout 10000', file], { input: statements });

/** A port that nobody listens on. */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** A server and its children. */
export class ServerProcess {
  #child;
  #log = [];

  constructor(command, commandArguments, options) {
    this.#child = spawn(command, commandArguments, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    const keep = (piece) => this.#log.push(piece.toString());
    this.#child.stdout.on('data', keep);
    this.#child.stderr.on('data', keep);
    STARTED.add(this);
  }

  get log() {
    return this.#log.join('');
  }

  /** Waits until `isReady` says so; it is asked again and again. */
  async ready(isReady) {
    const until = Date.now() + READY_WITHIN_MILLIS;
    while (!(await isReady())) {
      if (this.#child.exitCode !== null || Date.now() > until) throw new Error(`a server does not come up:\n${this.log}`);
      await sleep(50);
    }
  }

  /** Nothing of it runs until `resume`, so that the processors are another's. */
  halt() {
    for (const pid of this.#pids()) process.kill(pid, 'SIGSTOP');
  }

  resume() {
    for (const pid of this.#pids()) process.kill(pid, 'SIGCONT');
  }

  /** The most memory that each process had, by name, in MiB. */
  memory() {
    return this.#pids().map((pid) => {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      const field = (name) => status.match(new RegExp(`^${name}:\\s*(\\S+)`, 'm'))[1];
      return { name: field('Name'), mebibytes: Number(field('VmHWM')) / 1024 };
    });
  }

  async stop() {
    STARTED.delete(this);
    if (this.#child.exitCode !== null) return;
    this.resume();
    const closed = once(this.#child, 'close');
    this.#child.kill('SIGTERM');
    await closed;
  }

  #pids() {
    const parents = readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map((pid) => [Number(pid), parentOf(pid)]);
    const found = [this.#child.pid];
    // The list grows while it is gone through.
    for (const pid of found) found.push(...parents.filter(([, parent]) => parent === pid).map(([child]) => child));
    return found;
  }
}

/** Those that are to be stopped, whatever happens. */
const STARTED = new Set();

export async function stopAll() {
  await Promise.all([...STARTED].map((server) => server.stop()));
}

function parentOf(pid) {
  try {
    return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')[1]);
  } catch {
    // It has ended meanwhile.
    return null;
  }
}
