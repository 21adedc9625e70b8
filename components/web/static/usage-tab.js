// @ts-check
// What one tab remembers and holds for its session: the record that survives a reload, the lock that keeps a
// duplicated tab (which copies sessionStorage) from running the same session, and the word to the other tabs.
/** @import { Environment } from './usage-session.js' */
/** @import { Difficulty } from './usage.js' */

/**
 * @typedef {object} SavedSession
 * @property {string} sessionId
 * @property {string} [topic]
 * @property {Difficulty} [difficulty]
 * @property {boolean} warned
 * @property {number} heartbeatIntervalSeconds
 * @property {string} [endKey] the end was asked for, under this key, and may not have arrived
 * @property {'user_ended' | 'error'} [endReason]
 */

const RECORD = 'talktime.session';
/** Longer than a reload takes to let go of its lock. */
const LOCK_WAIT_MS = 3000;

export class Tab {
  /** @type {(() => void) | undefined} */
  #unlock;
  #environment;

  /** @param {Environment} environment */
  constructor(environment) {
    this.#environment = environment;
  }

  /** @returns {SavedSession | undefined} */
  get saved() {
    try {
      const value = JSON.parse(this.#environment.storage?.getItem(RECORD) ?? 'null');
      return typeof value?.sessionId === 'string' ? value : undefined;
    } catch {
      return undefined;
    }
  }

  /** @param {SavedSession | undefined} record */
  save(record) {
    try {
      if (record) this.#environment.storage?.setItem(RECORD, JSON.stringify(record));
      else this.#environment.storage?.removeItem(RECORD);
    } catch {
      // A full or forbidden storage costs the resume after a reload, nothing else.
    }
  }

  /**
   * @param {string} sessionId
   * @returns {Promise<boolean>} false: another tab holds it
   */
  lock(sessionId) {
    const { locks } = this.#environment;
    if (!locks) return Promise.resolve(true);
    return new Promise((resolve) => {
      const held = () => new Promise((/** @type {(value?: unknown) => void} */ unlock) => {
        this.#unlock = unlock;
        resolve(true);
      });
      const signal = AbortSignal.timeout(LOCK_WAIT_MS);
      locks.request(`talktime-session:${sessionId}`, { signal }, held).catch(() => resolve(false));
    });
  }

  unlock() {
    this.#unlock?.();
    this.#unlock = undefined;
  }

  /** Makes the user's other tabs look again. */
  tellOthers() {
    this.#environment.channel?.postMessage('changed');
  }
}
