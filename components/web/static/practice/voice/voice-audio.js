// @ts-check
// Sound as Gemini takes and gives it: 16-bit samples in base64, 16 kHz up and 24 kHz down.

export const UP_HZ = 16_000;
const DOWN_HZ = 24_000;

/**
 * @param {MediaStream} microphone
 * @param {(base64: string) => void} onChunk
 */
export async function listen(microphone, onChunk) {
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
export class Player {
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
