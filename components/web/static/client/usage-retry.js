// @ts-check
/** @import { Environment } from './usage-session.js' */
/** @import { UsageError } from './usage.js' */

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30_000;
/** What broke off is tried again at once, then for a good minute and a half: an outage of a minute is survived. */
const OUTAGE_WAITS_MS = [0, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000, 30_000];

/**
 * The wait before the next try, after `failures` of them: doubling, with a random half, so that clients that were
 * cut off together do not come back together.
 * @param {number} failures at least 1
 * @param {number | undefined} retryAfterSeconds what the server asked for
 * @param {() => number} random
 */
export function waitMs(failures, retryAfterSeconds, random) {
  const full = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (failures - 1));
  const wait = full * (0.5 + random() / 2);
  return Math.max(wait, Math.min(LONGEST_WAIT_MS, (retryAfterSeconds ?? 0) * 1000));
}

/**
 * A refused sign-in may pass, too: the provider gives a fresh token a little later.
 * @param {UsageError} error
 */
export function mayPass({ retryable, status }) {
  return retryable || status === 401;
}

/**
 * Tries `attempt` up to `tries` times while its failure may pass.
 * @template T
 * @param {() => Promise<T>} attempt
 * @param {number} tries
 * @param {Pick<Environment, 'sleep' | 'random'>} environment
 * @param {() => boolean} [isUnwanted] nobody waits for it any more
 * @param {(error: UsageError, waitMs: number) => boolean} [isWorthIt] whether to wait so long and try again
 * @returns {Promise<T>}
 */
export async function withRetries(attempt, tries, environment, isUnwanted = () => false, isWorthIt = () => true) {
  for (let failures = 1; ; failures += 1) {
    try {
      return await attempt();
    } catch (error) {
      const failure = /** @type {UsageError} */ (error);
      if (!failure.retryable || failures >= tries) throw error;
      const wait = waitMs(failures, failure.retryAfterSeconds, environment.random);
      if (!isWorthIt(failure, wait)) throw error;
      await environment.sleep(wait);
      if (isUnwanted()) throw error;
    }
  }
}

/**
 * Brings back what broke off, while its failures are only those of an outage.
 * @param {() => Promise<void>} attempt
 * @param {(error: unknown) => boolean} isOutage
 * @param {AbortSignal} unwanted nobody waits for it any more
 */
export async function untilBack(attempt, isOutage, unwanted) {
  /** @type {unknown} */
  let last;
  for (const wait of OUTAGE_WAITS_MS) {
    await new Promise((resolve) => setTimeout(resolve, wait));
    unwanted.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      last = error;
      if (!isOutage(error)) break;
    }
  }
  throw last;
}
