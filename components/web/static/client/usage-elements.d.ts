import type { UsageStatus } from './usage.d.ts';

/** What the two elements take in a template (React 19, Svelte 5, Vue 3): the properties, and the attributes for those who write attributes. */
interface Shared {
  status?: UsageStatus | null | undefined;
  upgradeUrl?: string | undefined;
  upgradeTarget?: string | undefined;
  minutesRemaining?: number | string | undefined;
  secondsRemaining?: number | string | undefined;
  'upgrade-url'?: string | undefined;
  'upgrade-target'?: string | undefined;
  'minutes-remaining'?: number | string | undefined;
  'seconds-remaining'?: number | string | undefined;
}

export interface UsageBarAttributes extends Shared {
  plan?: string | undefined;
  minutesUsed?: number | string | undefined;
  minutesLimit?: number | string | undefined;
  percentUsed?: number | string | undefined;
  label?: string | undefined;
  'minutes-used'?: number | string | undefined;
  'minutes-limit'?: number | string | undefined;
  'percent-used'?: number | string | undefined;
}

export interface UsageWarningAttributes extends Shared {
  showUpgradeLink?: boolean | string | undefined;
  'show-upgrade-link'?: boolean | string | undefined;
}
