// Talktime alone, with more and more users in its stores. Those that are asked for are as many each time, and stand evenly
// between the others.
import { fill, mebibytes, nameOf } from './fill.mjs';
import { callersFor, measure, population, seedCallers, startSessions } from './load.mjs';
import { commitRate, describeMachine, tell } from './machine.mjs';
import { stopAll } from './process.mjs';
import { HOT, names, newFolder, Talktime } from './systems.mjs';

const PHASES = ['heartbeat', 'status', 'sessions', 'overview'];

/** Measures it all; resolves to what the report is made of. */
export async function scale(plan) {
  const system = new Talktime();
  await system.prepare();
  const machine = await describeMachine();
  const disk = [await commitRate(plan.work)];
  try {
    const [measurements, sizes] = [[], []];
    for (const size of plan.sizes) {
      const folder = await newFolder(plan.work, `scale-${size}`);
      const began = performance.now();
      await fill(system, folder, size);
      tell(`${size} users: filled in ${((performance.now() - began) / 1000).toFixed(0)} s`);
      measurements.push(...(await measureCells(system, folder, size, plan)));
      sizes.push({ size, sweep: await measureSweep(system, folder, plan), mebibytes: mebibytes(folder) });
      tell(`${size} users: ${JSON.stringify(sizes.at(-1))}`);
    }
    disk.push(await commitRate(plan.work));
    return { plan, machine, disk, versions: [[system.name, system.version, plan.users]], measurements, sizes };
  } finally {
    await stopAll();
  }
}

/** So many names, evenly between those of the users that are there. */
function among(size, suffix, count) {
  return names(suffix, count).map((name, at) => `${nameOf(1 + Math.floor((at * size) / count))}-${name}`);
}

async function measureCells(system, folder, size, plan) {
  const running = await system.start(folder, HOT);
  const users = among(size, 'asked', plan.users);
  const callers = among(size, 'caller', callersFor(plan));
  const sessions = await startSessions(running.url, users);
  await seedCallers(running.url, callers);
  const asked = population(plan.work, `asked-${size}`, users, sessions);
  const populations = { sessions: population(plan.work, `callers-${size}`, callers) };
  const measurements = [];
  for (let round = 1; round <= plan.rounds; round += 1) {
    for (const what of PHASES) {
      for (const connections of plan.connections) {
        const { failed, cells } = await measure(running.url, what, populations[what] ?? asked, connections, plan.seconds);
        for (const [kind, cell] of Object.entries(cells)) measurements.push({ size, kind, connections, failed, ...cell });
        tell(`${size} users, round ${round}, ${connections} connections: ${JSON.stringify({ failed, ...cells })}`);
      }
    }
  }
  await running.server.stop();
  return measurements;
}

/** The sessions of all who are asked for come due at once, as after a restart. */
async function measureSweep(system, folder, plan) {
  await system.makeDue(folder);
  return system.settle(folder, HOT, plan.users);
}
