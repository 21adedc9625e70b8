// Takes the examples out of docs/web.md, so that what is written there is what is checked.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { compile } from 'svelte/compiler';

const MODULES = '../../../../components/web/static/client/';
const text = await readFile(new URL('../../../docs/web.md', import.meta.url), 'utf8');

function example(language) {
  const [, code] = text.match(new RegExp(`\`\`\`${language}\n([^]*?)\n\`\`\``)) ?? [];
  if (!code) throw new Error(`docs/web.md has no ${language} example`);
  return code;
}

const folder = new URL('examples/', import.meta.url);
await mkdir(folder, { recursive: true });
await writeFile(new URL('react.tsx', folder), example('tsx').replaceAll('./talktime/', MODULES));

const svelte = example('svelte');
const { warnings } = compile(svelte, { filename: 'Practice.svelte' });
if (warnings.length > 0) throw new Error(warnings.map(({ message }) => message).join('\n'));
// The script alone: `$props` and `$state` are known by Svelte's own types, and the names are used by the markup.
const [, script] = svelte.match(/<script lang="ts">\n([^]*?)\n<\/script>/);
const used = 'export const markup = { start, shown, problem };\n';
await writeFile(new URL('svelte.ts', folder), `${script.replaceAll('$lib/talktime/', MODULES)}\n${used}`);
