// Talktime and the Durable Object in turn: each cell is measured on the one while the other is halted, round after round, so
// that a slow minute of the machine hits both.
import { callersFor, measure, population, seedCallers, startSessions } from './load.mjs';
import { commitRate, describeMachine, tell } from './machine.mjs';
import { stopAll } from './process.mjs';
import { measureSweeps } from './sweep.mjs';
import { DurableObject, HOT, names, newFolder, Running, Talktime } from './systems.mjs';

const PHASES = ['heartbeat', 'status', 'sessions'];

/** Measures it all; resolves to what the report is made of. */
export async function compare(plan) {
  const systems = plan.url ? [] : [new Talktime(), new DurableObject()];
  for (const system of systems) await system.prepare();
  const machine = await describeMachine();
  const disk = [await commitRate(plan.work)];
  try {
    const running = plan.url ? [new Running(null, plan.url, null)] : await startAll(systems, plan);
    const measurements = await measureCells(running, plan);
    const memory = running.map((one) => [one.name, one.server?.memory() ?? []]);
    await stopAll();
    const sweeps = await measureSweeps(systems, plan);
    disk.push(await commitRate(plan.work));
    const versions = running.map((one) => [one.name, one.system?.version ?? 'as it runs there', one.users('', plan.users).length]);
    return { plan, machine, disk, versions, systems: running.map(({ name }) => name), measurements, sweeps, memory };
  } finally {
    await stopAll();
  }
}

async function startAll(systems, plan) {
  const running = [];
  for (const system of systems) {
    const folder = await newFolder(plan.work, `hot-${running.length}`);
    const one = await system.start(folder, HOT);
    running.push(one);
    one.halt();
  }
  return running;
}

async function measureCells(running, plan) {
  const callers = names(`bench-caller-${process.pid}`, callersFor(plan));
  const populations = new Map();
  for (const [at, one] of running.entries()) {
    const users = one.users(`bench-${process.pid}`, plan.users);
    tell(`${one.name}: ${users.length} sessions start`);
    one.resume();
    const sessions = await startSessions(one.url, users);
    await seedCallers(one.url, callers);
    one.halt();
    const seeded = population(plan.work, `users-${at}`, users, sessions);
    populations.set(one, { heartbeat: seeded, status: seeded, sessions: population(plan.work, `callers-${at}`, callers) });
  }
  const measurements = [];
  for (let round = 1; round <= plan.rounds; round += 1) {
    for (const what of PHASES) {
      for (const connections of plan.connections) {
        for (const one of running) {
          one.resume();
          const { failed, cells } = await measure(one.url, what, populations.get(one)[what], connections, plan.seconds);
          one.halt();
          for (const [kind, cell] of Object.entries(cells)) {
            measurements.push({ system: one.name, kind, connections, failed, ...cell });
          }
          tell(`round ${round}, ${connections} connections, ${one.name}: ${JSON.stringify({ failed, ...cells })}`);
        }
      }
    }
  }
  return measurements;
}
