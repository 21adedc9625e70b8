// Serves the Durable Object: `node serve.mjs '{"port": …, "folder": …, "secret": …, "planMinutes": …, "alarmSeconds": …,
// "staleSeconds": …}'`. All data is kept in the folder, on the disk. It prints the address once requests are answered there.
//
// Requests go to workerd's own socket, past Miniflare's entry worker, which would only make the object slower.
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Log, LogLevel, Miniflare } from 'miniflare';

const settings = JSON.parse(process.argv[2]);
const isNew = !existsSync(`${settings.folder}/d1`);
const own = (file) => fileURLToPath(new URL(file, import.meta.url));

const miniflare = new Miniflare({
  log: new Log(LogLevel.ERROR),
  durableObjectsPersist: `${settings.folder}/objects`,
  d1Persist: `${settings.folder}/d1`,
  workers: [
    {
      name: 'usage',
      modules: ['worker.mjs', 'user-usage-object.mjs'].map((file) => ({ type: 'ESModule', path: own(file) })),
      modulesRoot: own('.'),
      compatibilityDate: '2026-04-26',
      // `new_classes` in the replaced design, so not the SQL interface; on workerd's disk both are SQLite files.
      // Objects stay in memory between requests: the best that an object can have.
      durableObjects: { USER_USAGE: { className: 'UserUsageObject', useSQLite: false, unsafePreventEviction: true } },
      d1Databases: { DB: 'ledger' },
      bindings: {
        INTERNAL_API_SECRET: settings.secret,
        PLAN_MINUTES: settings.planMinutes,
        ALARM_SECONDS: settings.alarmSeconds,
        STALE_SECONDS: settings.staleSeconds,
      },
      unsafeDirectSockets: [{ host: '127.0.0.1', port: settings.port }],
    },
  ],
});
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, async () => {
    await miniflare.dispose();
    process.exit(0);
  });
}

// In a restart the alarms that are due come first, and what is asked through Miniflare would wait for them.
if (isNew) {
  await applySchema();
} else {
  await miniflare.ready;
}
console.log(`ready ${(await miniflare.unsafeGetDirectURL('usage')).origin}`);

async function applySchema() {
  const schema = readFileSync(own('schema.sql'), 'utf8').replaceAll(/^--.*$/gm, '');
  const statements = schema.split(/;$/m).map((statement) => statement.trim());
  const ledger = await miniflare.getD1Database('DB');
  await ledger.batch(statements.filter(Boolean).map((statement) => ledger.prepare(statement)));
}
