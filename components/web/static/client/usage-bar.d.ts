import type { UsageStatus } from './usage.d.ts';

/**
 * `<usage-bar>`. Each value is a property and an attribute (`minutes-used`). Styled by `--usage-green`, `--usage-amber`,
 * `--usage-red`, `--usage-track`, `--usage-link` and by `::part(plan | amount | track | fill | state | upgrade)`.
 * The attribute `level` (`green`, `amber`, `red`) is set by the element.
 */
export class UsageBar extends HTMLElement {
  plan: string | undefined;
  minutesUsed: number | string | undefined;
  minutesLimit: number | string | undefined;
  /** Default: the limit less what is used. */
  minutesRemaining: number | string | undefined;
  /** Default: worked out from the minutes. */
  percentUsed: number | string | undefined;
  /** With it, the last begun minute is not shown as none left. */
  secondsRemaining: number | string | undefined;
  /** Default `/pricing`. Only http and https lead anywhere. */
  upgradeUrl: string | undefined;
  /** `_blank` opens the upgrade page in a new tab. */
  upgradeTarget: string | undefined;
  /** The name for screen readers. Default `Voice minutes used`. */
  label: string | undefined;
  /** Sets all the numbers at once. An `upgradeUrl` of the element's own stays; null and undefined clear them. */
  set status(status: UsageStatus | null | undefined);
}

declare global {
  interface HTMLElementTagNameMap {
    'usage-bar': UsageBar;
  }
}
