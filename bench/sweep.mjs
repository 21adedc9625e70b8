// Sweeps: so many users have an alarm that is due, and nobody comes by. How many are settled a second, until none is left?
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { names, startSessions } from './load.mjs';
import { tell } from './machine.mjs';
import { HOT, newFolder } from './systems.mjs';

/** A session that is silent for more than one interval, the least that can be set, is over. */
const STALE_SECONDS = 31;

/** What is found of each user: a session that goes on and is brought to the ledger, or one that fell silent and is ended. */
const KINDS = {
  running: { settings: HOT, waitSeconds: 0 },
  silent: { settings: { ...HOT, staleSeconds: STALE_SECONDS }, waitSeconds: STALE_SECONDS + 1 },
};

/** Users a second, by system and kind, in each round. */
export async function measureSweeps(systems, plan) {
  const measured = [];
  for (let round = 1; round <= plan.rounds; round += 1) {
    for (const [kind, { settings, waitSeconds }] of Object.entries(KINDS)) {
      for (const system of systems) {
        const folder = await newFolder(plan.work, path.join('sweeps', `${kind}-${round}-${systems.indexOf(system)}`));
        const before = await system.start(folder, settings, false);
        await startSessions(before.url, names('swept', plan.users));
        await before.server.stop();
        await sleep(waitSeconds * 1000);
        await system.makeDue(folder);
        const rate = await system.settle(folder, settings, plan.users);
        measured.push({ system: system.name, kind, rate });
        tell(`round ${round}, sweep of ${kind} sessions, ${system.name}: ${rate.toFixed(0)} users a second`);
      }
    }
  }
  return measured;
}
