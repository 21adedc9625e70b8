// @ts-check
// What happens to the page: it is left, comes back, is looked at again, has network again, hears from another tab.
/** @import { Environment } from './usage-session.js' */

/**
 * @typedef {object} PageHooks
 * @property {() => void} lookAgain what is shown may be out of date
 * @property {() => boolean} isFresh whether coming back to the tab need not ask
 * @property {() => void} otherTab another tab has changed something
 * @property {() => void} leave the page may be gone after this
 */

export class PageEvents {
  #environment;
  #hooks;

  /**
   * @param {Environment} environment
   * @param {PageHooks} hooks
   */
  constructor(environment, hooks) {
    this.#environment = environment;
    this.#hooks = hooks;
    const { events, channel } = environment;
    events.addEventListener('online', hooks.lookAgain);
    events.addEventListener('visibilitychange', this.#onVisibility, true);
    events.addEventListener('pagehide', hooks.leave);
    events.addEventListener('pageshow', this.#onPageShow);
    channel?.addEventListener('message', hooks.otherTab);
  }

  stop() {
    const { events, channel } = this.#environment;
    events.removeEventListener('online', this.#hooks.lookAgain);
    events.removeEventListener('visibilitychange', this.#onVisibility, true);
    events.removeEventListener('pagehide', this.#hooks.leave);
    events.removeEventListener('pageshow', this.#onPageShow);
    channel?.removeEventListener('message', this.#hooks.otherTab);
  }

  #onVisibility = () => {
    if (this.#environment.isVisible() && !this.#hooks.isFresh()) this.#hooks.lookAgain();
  };

  /** Back from the browser's back/forward cache, where time stood still: what is shown may be long out of date. */
  #onPageShow = (/** @type {Event} */ event) => {
    if (/** @type {PageTransitionEvent} */ (event).persisted) this.#hooks.lookAgain();
  };
}
