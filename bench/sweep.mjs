// Sweeps: so many users have an alarm that is due, and nobody comes by. How many are settled a second, until none is left?
import { cp, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { startSessions } from './load.mjs';
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
  const cases = [];
  for (const [kind, { settings, waitSeconds }] of Object.entries(KINDS)) {
    for (const system of systems) {
      const folder = await newFolder(plan.work, `sweep-${kind}-${systems.indexOf(system)}`);
      const running = await system.start(folder, settings, false);
      const users = running.users('swept', plan.users);
      tell(`${system.name}: ${users.length} sessions start, to be swept`);
      await startSessions(running.url, users);
      await running.server.stop();
      cases.push({ kind, settings, system, folder, users: users.length, dueFrom: Date.now() + waitSeconds * 1000 });
    }
  }
  const measured = [];
  for (let round = 1; round <= plan.rounds; round += 1) {
    for (const { kind, settings, system, folder, users, dueFrom } of cases) {
      await sleep(Math.max(0, dueFrom - Date.now()));
      const copy = `${folder}-${round}`;
      await cp(folder, copy, { recursive: true });
      await system.makeDue(copy);
      const rate = await system.settle(copy, settings, users);
      await rm(copy, { recursive: true });
      measured.push({ system: system.name, kind, rate });
      tell(`round ${round}, sweep of ${kind} sessions, ${system.name}: ${rate.toFixed(0)} users a second`);
    }
  }
  return measured;
}
