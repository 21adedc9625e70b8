// @ts-check
// Ends that the server may not have heard of. Each is remembered before it is first sent, and sent under one key until
// it is answered: an end that got lost would go on being paid for.
/** @import { SessionSummary } from './usage-session.js' */
/** @import { Tab, SavedEnd } from './usage-tab.js' */
/** @import { EndedSession, EndOptions, RequestOptions, UsageError } from './usage.js' */

import { endSession } from './usage.js';
import { mayPass } from './usage-retry.js';

export class PendingEnds {
  #tab;
  #request;
  #randomUuid;

  /**
   * @param {Tab} tab
   * @param {RequestOptions} request
   * @param {() => string} randomUuid
   */
  constructor(tab, request, randomUuid) {
    this.#tab = tab;
    this.#request = request;
    this.#randomUuid = randomUuid;
  }

  get any() {
    return this.#tab.ends.length > 0;
  }

  /**
   * @param {string} sessionId
   * @param {SavedEnd['reason']} reason
   */
  remember(sessionId, reason) {
    const end = { sessionId, reason, key: this.#randomUuid() };
    this.#tab.addEnd(end);
    return end;
  }

  /**
   * @param {SavedEnd} end
   * @param {EndOptions} [more]
   * @returns {Promise<EndedSession>}
   */
  async send({ sessionId, reason, key }, more = {}) {
    try {
      const answer = await endSession(sessionId, { ...this.#request, reason, idempotencyKey: key, ...more });
      this.#tab.dropEnd(sessionId);
      return answer;
    } catch (error) {
      if (!mayPass(/** @type {UsageError} */ (error))) this.#tab.dropEnd(sessionId);
      throw error;
    }
  }

  /**
   * Sends all that are left, and fails with the first that may still arrive.
   * @param {(sessionId: string, answer: EndedSession) => void} onAnswer
   */
  async deliver(onAnswer) {
    for (const end of this.#tab.ends) {
      try {
        onAnswer(end.sessionId, await this.send(end));
      } catch (error) {
        // What is refused for good (the session is not known any more) is no longer owed.
        if (mayPass(/** @type {UsageError} */ (error))) throw error;
      }
    }
  }
}

/**
 * What a page shows once an end has arrived late. Undefined: it shows another session, which stays.
 * @param {SessionSummary | undefined} shown
 * @param {string} sessionId
 * @param {EndedSession} answer
 * @returns {SessionSummary | undefined}
 */
export function summaryAfter(shown, sessionId, { endReason, sessionMinutes }) {
  if (shown && shown.sessionId !== sessionId) return undefined;
  // The page stopped at the limit that it knew; the server only heard that the user stopped.
  const atLimit = shown?.endReason === 'limit_reached' && endReason === 'user_ended';
  return { sessionId, endReason: atLimit ? 'limit_reached' : endReason, sessionMinutes, endedBy: shown?.endedBy ?? 'unload' };
}
