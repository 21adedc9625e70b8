// @ts-check
// Gemini's live voice over its socket: 16 kHz PCM up, 24 kHz PCM down.
/** @import { Connect } from './voice.js' */

const UP_HZ = 16_000;
const DOWN_HZ = 24_000;
const SETUP_MS = 15_000;

/** @type {Connect} */
export async function connectGemini({ token, microphone, instructions, onCaption, onLost }) {
  const url = new URL(token.connect.url);
  // A browser cannot set headers on a socket, so the provider takes its one-time token here.
  url.searchParams.set('access_token', token.token);
  const socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';
  const player = new Player();
  /** @type {(() => void) | undefined} */
  let stopMicrophone;
  let closed = false;
  let captionText = '';

  const close = () => {
    closed = true;
    stopMicrophone?.();
    player.close();
    socket.close();
  };
  const model = token.model.startsWith('models/') ? token.model : `models/${token.model}`;
  const setup = {
    model,
    generationConfig: { responseModalities: ['AUDIO'] },
    systemInstruction: { parts: [{ text: instructions }] },
    outputAudioTranscription: {},
  };

  try {
    await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('Gemini did not answer in time')), SETUP_MS);
      socket.onopen = () => socket.send(JSON.stringify({ setup }));
      socket.onerror = () => reject(new Error('The socket could not be opened'));
      socket.onclose = ({ code }) => reject(new Error(`Gemini closed the socket (${code})`));
      socket.onmessage = ({ data }) => {
        if (!read(data).setupComplete) return;
        clearTimeout(timer);
        resolve(undefined);
      };
    });
    socket.onmessage = ({ data }) => {
      const { serverContent } = read(data);
      if (!serverContent) return;
      // The learner spoke: what was still to be played is no longer wanted.
      if (serverContent.interrupted) player.flush();
      for (const part of serverContent.modelTurn?.parts ?? []) {
        if (part.inlineData?.data) player.play(part.inlineData.data);
      }
      captionText += serverContent.outputTranscription?.text ?? '';
      if (captionText) onCaption(captionText);
      if (serverContent.turnComplete) captionText = '';
    };
    socket.onclose = () => {
      if (closed) return;
      close();
      onLost();
    };
    stopMicrophone = await listen(microphone, (data) => {
      if (socket.readyState !== WebSocket.OPEN) return;
      socket.send(JSON.stringify({ realtimeInput: { audio: { data, mimeType: `audio/pcm;rate=${UP_HZ}` } } }));
    });
    const hello = { role: 'user', parts: [{ text: 'Hello!' }] };
    socket.send(JSON.stringify({ clientContent: { turns: [hello], turnComplete: true } }));
  } catch (error) {
    close();
    throw error;
  }
  return { close };
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

/**
 * @param {MediaStream} microphone
 * @param {(base64: string) => void} onChunk
 */
async function listen(microphone, onChunk) {
  const context = new AudioContext({ sampleRate: UP_HZ });
  try {
    await context.audioWorklet.addModule('/voice-microphone.js');
    const source = context.createMediaStreamSource(microphone);
    const node = new AudioWorkletNode(context, 'talktime-microphone', { numberOfOutputs: 0 });
    node.port.onmessage = ({ data }) => onChunk(toBase64(new Uint8Array(data)));
    source.connect(node);
  } catch (error) {
    void context.close();
    throw error;
  }
  return () => void context.close();
}

/** Plays chunks one after the other without gaps. */
class Player {
  #context = new AudioContext({ sampleRate: DOWN_HZ });
  /** @type {Set<AudioBufferSourceNode>} */
  #playing = new Set();
  #endsAt = 0;

  /** @param {string} base64 16-bit little-endian samples */
  play(base64) {
    const bytes = fromBase64(base64);
    const view = new DataView(bytes.buffer);
    const length = Math.floor(bytes.length / 2);
    if (length === 0) return;
    const buffer = this.#context.createBuffer(1, length, DOWN_HZ);
    const samples = buffer.getChannelData(0);
    for (let index = 0; index < length; index += 1) samples[index] = view.getInt16(index * 2, true) / 32_768;
    const source = this.#context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.#context.destination);
    this.#endsAt = Math.max(this.#context.currentTime, this.#endsAt);
    source.start(this.#endsAt);
    this.#endsAt += buffer.duration;
    this.#playing.add(source);
    source.onended = () => this.#playing.delete(source);
  }

  flush() {
    for (const source of this.#playing) source.stop();
    this.#playing.clear();
    this.#endsAt = 0;
  }

  close() {
    if (this.#context.state !== 'closed') void this.#context.close();
  }
}

/** @param {Uint8Array} bytes */
function toBase64(bytes) {
  return btoa(String.fromCharCode(...bytes));
}

/** @param {string} base64 */
function fromBase64(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}
