// Makes the two elements known to JSX: `import type {} from './talktime/usage-react.d.ts';` once in an app.
import type { DetailedHTMLProps, HTMLAttributes } from 'react';
import type { UsageBar } from './usage-bar.d.ts';
import type { UsageBarAttributes, UsageWarningAttributes } from './usage-elements.d.ts';
import type { UsageWarning } from './usage-warning.d.ts';

declare module 'react' {
  namespace JSX {
    interface IntrinsicElements {
      'usage-bar': DetailedHTMLProps<HTMLAttributes<UsageBar>, UsageBar> & UsageBarAttributes;
      'usage-warning': DetailedHTMLProps<HTMLAttributes<UsageWarning>, UsageWarning> & UsageWarningAttributes;
    }
  }
}
