import type { UsageStatus } from './usage.d.ts';

/**
 * `<usage-warning>`: shown at five minutes or less, spoken by screen readers when its words change. Styled by
 * `--usage-link` and `::part(box | message | upgrade)`. The attributes `active` and `level` are set by the element.
 */
export class UsageWarning extends HTMLElement {
  minutesRemaining: number | string | undefined;
  /** With it, the last begun minute is not shown as none left. */
  secondsRemaining: number | string | undefined;
  /** Show the upgrade link while there are minutes left, too. It is always there when none are. */
  showUpgradeLink: boolean | string | undefined;
  /** Default `/pricing`. */
  upgradeUrl: string | undefined;
  upgradeTarget: string | undefined;
  /** Sets the numbers at once. An `upgradeUrl` of the element's own stays; null and undefined clear them. */
  set status(status: UsageStatus | null | undefined);
}

declare global {
  interface HTMLElementTagNameMap {
    'usage-warning': UsageWarning;
  }
}
