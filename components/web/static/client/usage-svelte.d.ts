// Makes the two elements known to Svelte: `import type {} from '$lib/talktime/usage-svelte.d.ts';` once in an app.
import type { HTMLAttributes } from 'svelte/elements';
import type { UsageBar } from './usage-bar.d.ts';
import type { UsageBarAttributes, UsageWarningAttributes } from './usage-elements.d.ts';
import type { UsageWarning } from './usage-warning.d.ts';

declare module 'svelte/elements' {
  interface SvelteHTMLElements {
    'usage-bar': HTMLAttributes<UsageBar> & UsageBarAttributes;
    'usage-warning': HTMLAttributes<UsageWarning> & UsageWarningAttributes;
  }
}
