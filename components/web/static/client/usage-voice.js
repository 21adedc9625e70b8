// @ts-check
// A metered voice call. The browser talks to the provider over WebRTC, but its offer goes through Talktime, which can
// therefore hang up. The call lives inside a running session, and neither starts nor ends one.
/** @import * as Api from './usage-voice.js' */
/** @import { UsageSession } from './usage-session.js' */

import { UsageError } from './usage.js';
import { untilBack } from './usage-retry.js';

/** Candidates that take longer are not waited for: the provider finds the browser by the checks that it sends. */
const GATHER_MS = 1000;
/** After `disconnected` ICE often recovers by itself; after this long it is taken as failed. */
const RECOVER_MS = 8000;
const CONNECT_MS = 15_000;

/** @type {typeof Api.connectVoice} */
export async function connectVoice(session, options = {}) {
  const microphone = options.microphone ?? (await navigator.mediaDevices.getUserMedia({ audio: true }));
  const call = new VoiceCall(session, microphone, options);
  try {
    await call.open();
  } catch (error) {
    call.close();
    throw error;
  }
  return call;
}

/** @implements {Api.VoiceCall} */
class VoiceCall {
  #session;
  #sessionId;
  #microphone;
  #options;
  #audio = new Audio();
  #closing = new AbortController();
  /** @type {RTCPeerConnection | undefined} */
  #peer;

  /**
   * @param {UsageSession} session
   * @param {MediaStream} microphone
   * @param {Api.VoiceOptions} options
   */
  constructor(session, microphone, options) {
    this.#session = session;
    this.#sessionId = session.sessionId;
    this.#microphone = microphone;
    this.#options = options;
    this.#audio.autoplay = true;
    session.addEventListener('change', this.#follow);
  }

  /** Offers a connection of its own; the one before, if there was one, is closed by then. */
  async open() {
    const { provider, model, voice } = this.#options;
    const peer = (this.#peer = new RTCPeerConnection());
    peer.ontrack = ({ streams }) => (this.#audio.srcObject = streams[0] ?? null);
    for (const track of this.#microphone.getAudioTracks()) peer.addTrack(track, this.#microphone);
    const channel = peer.createDataChannel('oai-events');
    channel.onmessage = ({ data }) => this.#hear(data);
    try {
      await peer.setLocalDescription(await peer.createOffer());
      await gathered(peer);
      const wish = { ...(provider ? { provider } : {}), ...(model ? { model } : {}), ...(voice ? { voice } : {}) };
      const answer = await this.#session.call({ ...wish, sdp: peer.localDescription?.sdp ?? '' });
      channel.onopen = () => this.#greet(channel, answer.provider);
      await peer.setRemoteDescription({ type: 'answer', sdp: answer.sdp });
      await connected(peer, this.#closing.signal);
    } catch (error) {
      peer.close();
      throw error instanceof UsageError ? error : failed(error);
    }
    this.#watch(peer, channel);
  }

  close() {
    if (this.#closing.signal.aborted) return;
    this.#session.removeEventListener('change', this.#follow);
    this.#peer?.close();
    this.#closing.abort(new Error('The call was closed'));
    this.#audio.srcObject = null;
    // One that the page opened is the page's.
    if (!this.#options.microphone) for (const track of this.#microphone.getTracks()) track.stop();
  }

  /** The session is over, for whatever reason: at once, not when the provider's end is noticed. */
  #follow = () => {
    if (this.#session.sessionId !== this.#sessionId) this.close();
  };

  /**
   * @param {RTCDataChannel} channel
   * @param {string} provider
   */
  #greet(channel, provider) {
    // The other one takes its instructions from the server alone.
    if (provider !== 'openai') return;
    const { instructions } = this.#options;
    if (instructions) channel.send(JSON.stringify({ type: 'session.update', session: { type: 'realtime', instructions } }));
    // The partner speaks first, so that the user hears that it works.
    channel.send(JSON.stringify({ type: 'response.create' }));
  }

  /**
   * What the partner says, as text, for those who hear little or learn better by reading.
   * @param {unknown} data
   */
  #hear(data) {
    if (typeof data !== 'string') return;
    try {
      const event = JSON.parse(data);
      if (event.type === 'response.output_audio_transcript.done' && typeof event.transcript === 'string') {
        this.#options.onCaption?.(event.transcript);
      }
    } catch {
      // Not JSON: not for us.
    }
  }

  /**
   * @param {RTCPeerConnection} peer
   * @param {RTCDataChannel} channel
   */
  #watch(peer, channel) {
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let recovery;
    const broken = () => {
      clearTimeout(recovery);
      // Closed here, or broken before.
      if (peer.signalingState === 'closed') return;
      peer.close();
      void this.#reopen();
    };
    channel.onclose = broken;
    peer.onconnectionstatechange = () => {
      clearTimeout(recovery);
      if (peer.connectionState === 'failed') broken();
      if (peer.connectionState === 'disconnected') recovery = setTimeout(broken, RECOVER_MS);
    };
    // It may have broken while nobody watched.
    if (channel.readyState === 'closed' || peer.connectionState === 'failed') broken();
  }

  /**
   * One new offer for the same session. Whether the session is over, and was hung up on, its answer tells; while there
   * is no network, there is no offer either, and it is waited for.
   */
  async #reopen() {
    const { signal } = this.#closing;
    this.#options.onBroken?.();
    try {
      const isOutage = (/** @type {unknown} */ error) => error instanceof UsageError && NOT_OFFERED.has(error.code);
      await untilBack(() => this.open(), isOutage, signal);
      this.#options.onRestored?.();
    } catch (error) {
      if (signal.aborted) return;
      this.close();
      this.#options.onLost?.(/** @type {UsageError} */ (error));
    }
  }
}

/** What is said of an offer that no provider has answered, and that may be made a little later. */
const NOT_OFFERED = new Set(['network', 'timeout', 'sign_in', 'busy', 'rate_limited']);

/** @param {RTCPeerConnection} peer */
async function gathered(peer) {
  if (peer.iceGatheringState === 'complete') return;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  await new Promise((resolve) => {
    timer = setTimeout(resolve, GATHER_MS);
    peer.onicegatheringstatechange = () => peer.iceGatheringState === 'complete' && resolve(undefined);
  });
  clearTimeout(timer);
  peer.onicegatheringstatechange = null;
}

/**
 * @param {RTCPeerConnection} peer
 * @param {AbortSignal} closing
 */
function connected(peer, closing) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('No WebRTC connection in time')), CONNECT_MS);
    const stop = () => {
      clearTimeout(timer);
      reject(closing.reason);
    };
    const look = () => {
      if (peer.connectionState === 'connected') resolve(undefined);
      else if (peer.connectionState === 'failed') reject(new Error('The WebRTC connection failed'));
      else return;
      clearTimeout(timer);
      closing.removeEventListener('abort', stop);
    };
    closing.addEventListener('abort', stop, { once: true });
    peer.onconnectionstatechange = look;
    look();
  });
}

/** @param {unknown} cause */
function failed(cause) {
  return new UsageError({ status: 0, code: 'voice_failed', message: 'The voice connection failed', cause });
}
