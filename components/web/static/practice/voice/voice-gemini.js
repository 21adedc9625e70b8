// @ts-check
// Gemini's live voice over its socket, with a token that lives for ten minutes at most: a long conversation goes from one
// connection to the next, with the handle by which Gemini knows it again. Each new token is asked of Talktime, which
// refuses it once the session is over.
/** @import { UsageSession } from './usage-session.js' */
/** @import { RealtimeToken } from './usage.js' */

import { UsageError } from './usage.js';
import { untilBack } from './usage-retry.js';
import { listen, Player, UP_HZ } from './voice-audio.js';

const SETUP_MS = 15_000;
/** What a socket that never opened is closed with; any other code is the provider's word. */
const ABNORMAL_CLOSURE = 1006;

/**
 * @typedef {object} GeminiOptions
 * @property {Pick<UsageSession, 'realtimeToken'>} session
 * @property {RealtimeToken} token the first one
 * @property {MediaStream} microphone
 * @property {string} instructions
 * @property {(text: string) => void} onCaption
 * @property {() => void} onBroken it broke off, and is being made anew
 * @property {() => void} onRestored
 * @property {(error: unknown) => void} onLost there is no going on
 */

/** @param {GeminiOptions} options */
export async function connectGemini(options) {
  const conversation = new Conversation(options);
  try {
    await conversation.begin();
  } catch (error) {
    conversation.close();
    throw error;
  }
  return conversation;
}

class Conversation {
  #options;
  #player = new Player();
  #closing = new AbortController();
  /** @type {WebSocket | undefined} never more than one: two would hear the user twice */
  #socket;
  /** @type {string | undefined} */
  #handle;
  #renewing = false;
  #captionText = '';

  /** @param {GeminiOptions} options */
  constructor(options) {
    this.#options = options;
  }

  async begin() {
    await this.#connect(this.#options.token);
    const stop = await listen(this.#options.microphone, (data) => {
      this.#send({ realtimeInput: { audio: { data, mimeType: `audio/pcm;rate=${UP_HZ}` } } });
    });
    const { signal } = this.#closing;
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
    this.#send({ clientContent: { turns: [{ role: 'user', parts: [{ text: 'Hello!' }] }], turnComplete: true } });
  }

  close() {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(new Error('The conversation was closed'));
    this.#hangUp();
    this.#player.close();
  }

  #hangUp() {
    this.#socket?.close();
    this.#socket = undefined;
  }

  /** @param {object} message */
  #send(message) {
    // Between two connections nobody listens.
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  /** @param {RealtimeToken} token */
  async #connect(token) {
    this.#hangUp();
    const url = new URL(token.connect.url);
    // A browser cannot set headers on a socket, so the provider takes its one-time token here.
    url.searchParams.set('access_token', token.token);
    const socket = (this.#socket = new WebSocket(url));
    socket.binaryType = 'arraybuffer';
    await this.#setUp(socket, token.model);
    socket.onmessage = ({ data }) => socket === this.#socket && this.#hear(read(data));
    socket.onclose = () => {
      if (socket !== this.#socket) return;
      this.#socket = undefined;
      void this.#renew();
    };
  }

  /**
   * @param {WebSocket} socket
   * @param {string} model
   */
  async #setUp(socket, model) {
    const setup = {
      model: model.startsWith('models/') ? model : `models/${model}`,
      generationConfig: { responseModalities: ['AUDIO'] },
      systemInstruction: { parts: [{ text: this.#options.instructions }] },
      outputAudioTranscription: {},
      // Or Gemini would end the conversation after a quarter of an hour.
      contextWindowCompression: { slidingWindow: {} },
      sessionResumption: this.#handle ? { handle: this.#handle } : {},
    };
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    try {
      await new Promise((resolve, reject) => {
        timer = setTimeout(() => reject(new Error('Gemini did not answer in time')), SETUP_MS);
        socket.onopen = () => socket.send(JSON.stringify({ setup }));
        socket.onclose = ({ code }) => {
          // It does not take the conversation up again, but it may begin another.
          if (code !== ABNORMAL_CLOSURE) this.#handle = undefined;
          reject(new Error(`Gemini closed the socket (${code})`));
        };
        socket.onmessage = ({ data }) => read(data).setupComplete && resolve(undefined);
        this.#closing.signal.addEventListener('abort', () => reject(this.#closing.signal.reason), { once: true });
      });
    } catch (error) {
      socket.onclose = null;
      if (socket === this.#socket) this.#hangUp();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** @param {any} message */
  #hear({ serverContent, sessionResumptionUpdate, goAway }) {
    const { newHandle, resumable } = sessionResumptionUpdate ?? {};
    if (resumable && newHandle) this.#handle = newHandle;
    if (goAway) void this.#renew();
    if (!serverContent) return;
    // The user spoke: what was still to be played is no longer wanted.
    if (serverContent.interrupted) this.#player.flush();
    for (const part of serverContent.modelTurn?.parts ?? []) {
      if (part.inlineData?.data) this.#player.play(part.inlineData.data);
    }
    this.#captionText += serverContent.outputTranscription?.text ?? '';
    if (this.#captionText) this.#options.onCaption(this.#captionText);
    if (serverContent.turnComplete) this.#captionText = '';
  }

  /** The connection is at its end, or past it. Until there is a new token, the old one is talked on. */
  async #renew() {
    if (this.#renewing || this.#closing.signal.aborted) return;
    this.#renewing = true;
    let told = false;
    try {
      await untilBack(async () => {
        if (!this.#socket && !told) {
          told = true;
          this.#options.onBroken();
        }
        const token = await this.#options.session.realtimeToken({ provider: 'gemini' });
        this.#closing.signal.throwIfAborted();
        await this.#connect(token);
      }, mayPass, this.#closing.signal);
      if (told) this.#options.onRestored();
    } catch (error) {
      this.#giveUp(error);
    } finally {
      this.#renewing = false;
    }
  }

  /** @param {unknown} error */
  #giveUp(error) {
    if (this.#closing.signal.aborted) return;
    // Too little is left for another connection, not for the last words on this one.
    if (this.#socket && error instanceof UsageError && error.code === 'session_ending') return;
    this.close();
    this.#options.onLost(error);
  }
}

/**
 * What the server refuses for good (the session is over, or about to be) no waiting helps.
 * @param {unknown} error
 */
function mayPass(error) {
  return !(error instanceof UsageError) || error.retryable;
}

/** @param {unknown} data text, or bytes of UTF-8 */
function read(data) {
  try {
    const text = typeof data === 'string' ? data : new TextDecoder().decode(/** @type {ArrayBuffer} */ (data));
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}
