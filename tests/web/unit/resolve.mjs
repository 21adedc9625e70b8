// How Node finds what a module of the pages imports: by its address, which is a file's name, whichever folder the file
// lies in (components/web/src/assets.rs). Needed by modules that import one of another folder.
import { readdirSync } from 'node:fs';
import { basename } from 'node:path';

const STATIC = new URL('../../../components/web/static/', import.meta.url);
const files = readdirSync(STATIC, { recursive: true });

export function resolve(specifier, context, next) {
  if (!specifier.startsWith('./') || !context.parentURL?.startsWith(STATIC.href)) return next(specifier, context);
  const file = files.find((path) => basename(path) === specifier.slice(2));
  return next(file ? new URL(file, STATIC).href : specifier, context);
}
