// @ts-check
// What one tab remembers and holds for its session: the record that survives a reload, the ends that have not arrived,
// the lock that keeps a duplicated tab (which copies sessionStorage) from running the same session, and the word to
// the other tabs.
/** @import { Environment } from './usage-session.js' */
/** @import { Difficulty } from './usage.js' */

/**
 * @typedef {object} SavedSession
 * @property {string} sessionId
 * @property {string | undefined} topic
 * @property {Difficulty | undefined} difficulty
 * @property {boolean} warned
 * @property {number} heartbeatIntervalSeconds
 */

/**
 * @typedef {object} SavedEnd
 * @property {string} sessionId
 * @property {string} key each try is sent under this one, so that one that did arrive is not repeated
 * @property {'user_ended' | 'error'} reason
 */

const SESSION = 'talktime.session';
const ENDS = 'talktime.ends';
/** Longer than a reload takes to let go of its lock. */
const LOCK_WAIT_MS = 3000;

export class Tab {
  #environment;
  /** @type {Map<string, string | undefined>} for what the storage does not take */ #memory = new Map();
  /** @type {Set<() => void>} */ #letGo = new Set();

  /** @param {Environment} environment */
  constructor(environment) {
    this.#environment = environment;
  }

  /** @returns {SavedSession | undefined} */
  get saved() {
    const value = this.#read(SESSION);
    return typeof value?.sessionId === 'string' ? value : undefined;
  }

  /** @param {SavedSession | undefined} record */
  save(record) {
    this.#write(SESSION, record);
  }

  /** @param {string} sessionId a new session may have begun meanwhile, and its record stays */
  forget(sessionId) {
    if (this.saved?.sessionId === sessionId) this.save(undefined);
  }

  /** @returns {SavedEnd[]} */
  get ends() {
    const ends = this.#read(ENDS);
    return Array.isArray(ends) ? ends.filter((end) => typeof end?.sessionId === 'string') : [];
  }

  /** @param {SavedEnd} end */
  addEnd(end) {
    this.#setEnds([...this.ends.filter(({ sessionId }) => sessionId !== end.sessionId), end]);
  }

  /** @param {string} sessionId */
  dropEnd(sessionId) {
    this.#setEnds(this.ends.filter((end) => end.sessionId !== sessionId));
  }

  /**
   * @param {string} sessionId
   * @returns {Promise<(() => void) | undefined>} lets go of it; undefined: another tab holds it, or this one is closed
   */
  lock(sessionId) {
    const { locks, setTimer } = this.#environment;
    if (!locks) return Promise.resolve(() => undefined);
    return new Promise((resolve) => {
      const waiting = new AbortController();
      const giveUp = () => waiting.abort();
      this.#letGo.add(giveUp);
      const stopTimer = setTimer(LOCK_WAIT_MS, giveUp);
      const done = () => {
        stopTimer();
        this.#letGo.delete(giveUp);
      };
      const held = () => new Promise((/** @type {(value?: unknown) => void} */ release) => {
        done();
        const letGo = () => {
          this.#letGo.delete(letGo);
          release();
        };
        this.#letGo.add(letGo);
        resolve(letGo);
      });
      locks.request(`talktime-session:${sessionId}`, { signal: waiting.signal }, held).catch(() => {
        done();
        resolve(undefined);
      });
    });
  }

  /** Makes the user's other tabs look again. */
  tellOthers() {
    this.#environment.channel?.postMessage('changed');
  }

  /** Lets go of all that is held or waited for. */
  close() {
    for (const letGo of [...this.#letGo]) letGo();
    this.#environment.channel?.close();
  }

  /** @param {SavedEnd[]} ends */
  #setEnds(ends) {
    this.#write(ENDS, ends.length > 0 ? ends : undefined);
  }

  /** @param {string} key */
  #read(key) {
    try {
      const stored = this.#memory.has(key) ? this.#memory.get(key) : this.#environment.storage?.getItem(key);
      return JSON.parse(stored ?? 'null');
    } catch {
      return null;
    }
  }

  /**
   * @param {string} key
   * @param {unknown} value
   */
  #write(key, value) {
    const { storage } = this.#environment;
    const text = value === undefined ? undefined : JSON.stringify(value);
    this.#memory.set(key, text);
    if (!storage) return;
    try {
      if (text === undefined) storage.removeItem(key);
      else storage.setItem(key, text);
      this.#memory.delete(key);
    } catch {
      // A full or forbidden storage costs what is wanted after a reload; this page still knows.
    }
  }
}
