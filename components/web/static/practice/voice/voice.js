// @ts-check
// The voice of a session: a call of OpenAI's, a conversation over Gemini's socket, or none where no provider is configured.
// It lives inside a running session and never starts, bills or ends one. The microphone comes first: one that is refused
// costs neither a call nor a minute.
/** @import { UsageSession } from './usage-session.js' */
/** @import { RealtimeToken, RequestOptions } from './usage.js' */

import { getRealtimeToken, UsageError } from './usage.js';
import { randomUuid } from './usage-random.js';
import { withRetries } from './usage-retry.js';
import { connectVoice } from './usage-voice.js';
import { connectGemini } from './voice-gemini.js';

/** @typedef {{ text: string, silent: boolean, canMute: boolean, muted: boolean, caption: string }} VoiceStatus */
/** @typedef {{ close: () => void }} VoiceConnection */

/** A token that the provider is too busy for: the user waits, and is not charged while none was handed out. */
const TOKEN_TRIES = 3;
/** Nobody watches “Connecting…” for longer. */
const LONGEST_TOKEN_WAIT_MS = 10_000;
const TIMER = {
  random: () => Math.random(),
  sleep: (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};

/** Fires `change` when `status` has changed, and `failed` (with the error) when there is no going on. */
export class Voice extends EventTarget {
  /** @type {VoiceStatus} */
  status = { text: '', silent: false, canMute: false, muted: false, caption: '' };
  #session;
  #request;
  /** @type {VoiceConnection | undefined} */
  #connection;
  /** @type {MediaStream | undefined} */
  #microphone;
  /** No provider is configured, as far as this page has seen: then nobody needs a microphone. */
  #isSilent = false;
  /** No provider of calls is, which leaves Gemini. */
  #hasNoCalls = false;
  /** Counts connects and disconnects, so that what belongs to an older one is seen to be late. */
  #turn = 0;

  /**
   * @param {UsageSession} session
   * @param {RequestOptions} [request]
   */
  constructor(session, request = {}) {
    super();
    this.#session = session;
    this.#request = request;
  }

  /**
   * Asks for the microphone, before anything is asked of the server. Fails with a `microphone…` code.
   * @returns {Promise<boolean>} whether somebody will answer, so that the session costs nothing before
   */
  async prepare() {
    const turn = ++this.#turn;
    if (!this.#isSilent) await this.#openMicrophone(turn);
    this.#isSilent = !(await hasProvider(this.#request));
    if (this.#isSilent) this.#closeMicrophone();
    else await this.#openMicrophone(turn);
    return !this.#isSilent;
  }

  /** For a session in which nobody is to answer. */
  stayQuiet() {
    this.disconnect();
    this.#show({ text: 'None', silent: false, canMute: false, muted: false, caption: '' });
  }

  /** @param {boolean} [mustAnswer] the session waits for a voice, so silence is a failure */
  async connect(mustAnswer = false) {
    const turn = ++this.#turn;
    this.#show({ text: 'Connecting…', silent: false, canMute: false, muted: false, caption: '' });
    try {
      await this.#open(turn);
    } catch (error) {
      if (turn !== this.#turn) return;
      if (isNotConfigured(error)) this.#isSilent = true;
      if (isNotConfigured(error) && !mustAnswer) this.#beSilent();
      else this.#giveUp(error);
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

  #beSilent() {
    this.#closeMicrophone();
    this.#show({ text: 'Silent mode', silent: true });
  }

  /** @param {number} turn */
  async #open(turn) {
    if (this.#isSilent) return this.#beSilent();
    const microphone = await this.#openMicrophone(turn);
    if (turn !== this.#turn) return;
    const connection = await this.#connectTo(turn, microphone);
    if (turn !== this.#turn) connection?.close();
    else this.#connection = connection;
  }

  /**
   * @param {number} turn
   * @param {MediaStream} microphone
   * @returns {Promise<VoiceConnection | undefined>} undefined: it is no longer wanted
   */
  async #connectTo(turn, microphone) {
    if (!this.#hasNoCalls) {
      try {
        const call = await connectVoice(this.#session, this.#options(turn, microphone, 'OpenAI'));
        this.#tellConnected(turn, 'OpenAI');
        return call;
      } catch (error) {
        if (!isNotConfigured(error)) throw error;
        this.#hasNoCalls = true;
      }
    }
    const token = await this.#token(turn);
    if (turn !== this.#turn) return undefined;
    const options = this.#options(turn, microphone, 'Gemini');
    const conversation = await connectGemini({ ...options, session: this.#session, token });
    this.#tellConnected(turn, 'Gemini');
    return conversation;
  }

  /**
   * @param {number} turn
   * @param {MediaStream} microphone
   * @param {string} name
   */
  #options(turn, microphone, name) {
    const isWanted = () => turn === this.#turn;
    return {
      microphone,
      instructions: instructionsFor(this.#session),
      onCaption: (/** @type {string} */ caption) => isWanted() && this.#show({ caption }),
      onBroken: () => isWanted() && this.#show({ text: 'The voice broke off; connecting again…' }),
      onRestored: () => this.#tellConnected(turn, name),
      onLost: (/** @type {unknown} */ error) => isWanted() && this.#giveUp(error),
    };
  }

  /**
   * @param {number} turn
   * @param {string} name
   */
  #tellConnected(turn, name) {
    if (turn === this.#turn) this.#show({ text: `Connected to ${name}`, canMute: true });
  }

  /**
   * @param {number} turn
   * @returns {Promise<RealtimeToken>}
   */
  #token(turn) {
    const attempt = () => this.#session.realtimeToken({ provider: 'gemini' });
    const isShort = (/** @type {UsageError} */ _, /** @type {number} */ wait) => wait <= LONGEST_TOKEN_WAIT_MS;
    return withRetries(attempt, TOKEN_TRIES, TIMER, () => turn !== this.#turn, isShort);
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

/** @param {unknown} error */
function isNotConfigured(error) {
  return error instanceof UsageError && error.code === 'provider_not_configured';
}

/**
 * Whether the server has a provider at all: that is looked at first, so a token for a session of nobody tells.
 * @param {RequestOptions} request
 */
async function hasProvider(request) {
  try {
    await getRealtimeToken({ sessionId: randomUuid() }, request);
    return true;
  } catch (error) {
    return !isNotConfigured(error);
  }
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
