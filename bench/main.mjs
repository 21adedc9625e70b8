// What `bench/run` does, by its options.
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { compare } from './compare.mjs';
import { scale } from './scale.mjs';
import { stopAll } from './process.mjs';
import { comparison, failures, scaling } from './report.mjs';

const USAGE = `usage: bench/run [OPTIONS] [BASE_URL]

Without BASE_URL: Talktime on the embedded host and a Durable Object of the same hot path, in turn. With it: only what runs
there, whose secret is in TALKTIME_INTERNAL_SECRET, and whose free plan must have a million minutes.

  --seconds N          how long each cell is measured, 5 if not given
  --rounds N           how often; the report has the medians, 2 if not given
  --users N            users with a running session, 5000 if not given: more than heartbeats are answered in a second
  --connections LIST   1,16,50,200 if not given
  --scale              measures Talktime alone, with stores of so many users as --sizes says
  --sizes LIST         100,10000,1000000 if not given
  --work FOLDER        where the data is kept meanwhile: the disk that is measured; the system's temporary folder if not given
  --output FILE        writes the report there too

TALKTIME_BENCH_HOST is the command \`talktime\` to measure; without it, it is built in the profile \`host\`. With
TALKTIME_NO_BUILD=1 the components are taken as they are.`;

const OPTIONS = {
  seconds: { type: 'string', default: '5' },
  rounds: { type: 'string', default: '2' },
  users: { type: 'string', default: '5000' },
  connections: { type: 'string' },
  scale: { type: 'boolean', default: false },
  sizes: { type: 'string', default: '100,10000,1000000' },
  work: { type: 'string', default: tmpdir() },
  output: { type: 'string' },
  help: { type: 'boolean', default: false },
};

/** A whole number above zero. */
function count(text) {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new Error(`${text} is no whole number above zero`);
  return number;
}

const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true });
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}
const work = await mkdtemp(path.join(values.work, 'talktime-bench-'));
const plan = {
  work,
  url: positionals[0],
  seconds: count(values.seconds),
  rounds: count(values.rounds),
  users: count(values.users),
  connections: (values.connections ?? (values.scale ? '1,16' : '1,16,50,200')).split(',').map(count),
  sizes: values.sizes.split(',').map(count),
};
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    await stopAll();
    await rm(work, { recursive: true, force: true });
    process.exit(1);
  });
}
try {
  const result = values.scale ? await scale(plan) : await compare(plan);
  const report = values.scale ? scaling(result) : comparison(result);
  console.log(report);
  if (values.output) writeFileSync(values.output, report);
  if (failures(result) > 0) throw new Error(`${failures(result)} requests failed`);
} finally {
  await rm(work, { recursive: true, force: true });
}
