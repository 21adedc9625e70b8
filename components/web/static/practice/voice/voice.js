// @ts-check
// The voice of a session: OpenAI over WebRTC, Gemini over its socket, or none where no provider is configured.
// It lives inside a running session and never starts, bills or ends one. The microphone comes first: one that is refused
// costs neither a token nor a minute.
/** @import { UsageSession } from './usage-session.js' */
/** @import { RealtimeToken } from './usage.js' */

import { UsageError } from './usage.js';
import { withRetries } from './usage-retry.js';
import { connectGemini } from './voice-gemini.js';
import { connectOpenAi } from './voice-openai.js';

/** @typedef {{ text: string, silent: boolean, canMute: boolean, muted: boolean, caption: string }} VoiceStatus */
/** @typedef {{ close: () => void }} VoiceConnection */
/**
 * @typedef {object} VoiceRequest
 * @property {RealtimeToken} token
 * @property {MediaStream} microphone
 * @property {string} instructions
 * @property {(text: string) => void} onCaption
 * @property {() => void} onLost called once, when the connection breaks by itself
 */
/** @typedef {(request: VoiceRequest) => Promise<VoiceConnection>} Connect */

/** @type {Record<string, Connect>} by the method that the token's answer names */
const METHODS = { webrtc: connectOpenAi, access_token_query: connectGemini };

/** A token that the provider is too busy for: the user waits, and is not charged while none was handed out. */
const TOKEN_TRIES = 3;
/** Nobody watches “Connecting…” for longer. */
const LONGEST_TOKEN_WAIT_MS = 10_000;
const TIMER = {
  random: () => Math.random(),
  sleep: (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};
/** Together a good minute and a half: an outage of a minute is survived. */
const RECONNECT_WAITS_MS = [1000, 2000, 4000, 8000, 15_000, 15_000, 15_000, 30_000];

/** Fires `change` when `status` has changed, and `failed` (with the error) when there is no going on. */
export class Voice extends EventTarget {
  /** @type {VoiceStatus} */
  status = { text: '', silent: false, canMute: false, muted: false, caption: '' };
  #session;
  /** @type {VoiceConnection | undefined} */
  #connection;
  /** @type {MediaStream | undefined} */
  #microphone;
  /** No provider is configured, as far as this page has seen: then nobody needs a microphone. */
  #isSilent = false;
  /** Counts connects and disconnects, so that what belongs to an older one is seen to be late. */
  #turn = 0;

  /** @param {UsageSession} session */
  constructor(session) {
    super();
    this.#session = session;
  }

  /** Asks for the microphone, before anything is asked of the server. Fails with a `microphone…` code. */
  async prepare() {
    if (!this.#isSilent) await this.#openMicrophone(++this.#turn);
  }

  /** For a session in which nobody is to answer. */
  stayQuiet() {
    this.disconnect();
    this.#show({ text: 'None', silent: false, canMute: false, muted: false, caption: '' });
  }

  async connect() {
    const turn = ++this.#turn;
    this.#show({ text: 'Connecting…', silent: false, canMute: false, muted: false, caption: '' });
    try {
      await this.#open(turn, TOKEN_TRIES);
    } catch (error) {
      if (turn === this.#turn) this.#giveUp(error);
    }
  }

  disconnect() {
    this.#turn += 1;
    this.#connection?.close();
    this.#connection = undefined;
    this.#closeMicrophone();
  }

  #closeMicrophone() {
    for (const track of this.#microphone?.getTracks() ?? []) track.stop();
    this.#microphone = undefined;
  }

  toggleMute() {
    const muted = !this.status.muted;
    for (const track of this.#microphone?.getAudioTracks() ?? []) track.enabled = !muted;
    this.#show({ muted });
  }

  /**
   * @param {number} turn
   * @param {number} tokenTries
   */
  async #open(turn, tokenTries) {
    if (!this.#isSilent) await this.#openMicrophone(turn);
    if (turn !== this.#turn) return;
    const token = await this.#token(turn, tokenTries);
    if (!token || turn !== this.#turn) return;
    const connect = METHODS[token.connect.method];
    if (!connect) throw voiceError('voice_failed', `This page cannot speak ${token.connect.method}`);
    // Here already, unless the provider has been configured since this page was silent.
    const microphone = await this.#openMicrophone(turn);
    if (turn !== this.#turn) return;
    const connection = await connect({
      token,
      microphone,
      instructions: instructionsFor(this.#session),
      onCaption: (caption) => turn === this.#turn && this.#show({ caption }),
      onLost: () => turn === this.#turn && void this.#reconnect(turn),
    });
    if (turn !== this.#turn) {
      connection.close();
      return;
    }
    this.#connection = connection;
    this.#show({ text: `Connected to ${nameOf(token.provider)}`, canMute: true });
  }

  /**
   * @param {number} turn
   * @param {number} tries
   * @returns {Promise<RealtimeToken | undefined>} undefined: there is no provider, or it is no longer wanted
   */
  async #token(turn, tries) {
    const isUnwanted = () => turn !== this.#turn;
    try {
      return await withRetries(() => this.#session.realtimeToken(), tries, TIMER, isUnwanted, LONGEST_TOKEN_WAIT_MS);
    } catch (error) {
      if (!(error instanceof UsageError) || error.code !== 'provider_not_configured') throw error;
      if (isUnwanted()) return undefined;
      this.#isSilent = true;
      this.#closeMicrophone();
      this.#show({ text: 'Silent mode', silent: true });
      return undefined;
    }
  }

  /** @param {number} turn */
  async #openMicrophone(turn) {
    if (this.#microphone) return this.#microphone;
    let stream;
    try {
      if (!navigator.mediaDevices) throw new DOMException('Not a secure context', 'SecurityError');
      stream = await navigator.mediaDevices.getUserMedia({
        audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
      });
    } catch (cause) {
      throw voiceError(microphoneCode(cause), 'The microphone could not be opened', cause);
    }
    // The session may be over by the time that the user has answered the browser's question.
    if (turn !== this.#turn) for (const track of stream.getTracks()) track.stop();
    else this.#microphone = stream;
    return stream;
  }

  /** @param {number} turn */
  async #reconnect(turn) {
    this.#connection?.close();
    this.#connection = undefined;
    this.#show({ text: 'The voice broke off; connecting again…' });
    /** @type {unknown} */
    let last;
    for (const wait of RECONNECT_WAITS_MS) {
      await new Promise((resolve) => setTimeout(resolve, wait));
      if (turn !== this.#turn) return;
      try {
        await this.#open(turn, 1);
        return;
      } catch (error) {
        last = error;
        // The server says no (the session is over, or about to be): no waiting helps.
        if (error instanceof UsageError && !error.retryable) break;
      }
    }
    if (turn === this.#turn) this.#giveUp(last);
  }

  /** @param {unknown} error */
  #giveUp(error) {
    this.disconnect();
    const known = error instanceof UsageError;
    const detail = known ? error : voiceError('voice_failed', 'The voice connection failed', error);
    this.dispatchEvent(new CustomEvent('failed', { detail }));
  }

  /** @param {Partial<VoiceStatus>} change */
  #show(change) {
    this.status = { ...this.status, ...change };
    this.dispatchEvent(new Event('change'));
  }
}

/** @param {unknown} cause */
function microphoneCode(cause) {
  switch (cause instanceof Error ? cause.name : '') {
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'microphone_missing';
    case 'NotReadableError':
    case 'AbortError':
      return 'microphone_busy';
    case 'SecurityError':
      return 'microphone_insecure';
    default:
      return 'microphone';
  }
}

/**
 * @param {string} code
 * @param {string} message
 * @param {unknown} [cause]
 */
function voiceError(code, message, cause) {
  return new UsageError({ status: 0, code, message, cause });
}

/** @param {string} provider */
function nameOf(provider) {
  return { openai: 'OpenAI', gemini: 'Gemini' }[provider] ?? provider;
}

/** @param {UsageSession} session */
function instructionsFor({ topic, difficulty }) {
  const manner = {
    beginner: 'Speak slowly, in short sentences, with simple words.',
    intermediate: 'Speak at an everyday speed.',
    advanced: 'Speak naturally, with idioms.',
  }[difficulty ?? 'beginner'];
  // The topic is the learner's own text, so it is quoted as one string, not pasted in as an instruction.
  const about = topic ? `The learner wants to talk about this topic: ${JSON.stringify(topic)}.` : '';
  return `You are a friendly partner for language practice. ${manner} ${about} Keep turns short and ask questions.`;
}
