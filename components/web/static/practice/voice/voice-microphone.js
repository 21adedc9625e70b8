// @ts-check
// An audio worklet: gathers the microphone's samples into chunks of 16-bit PCM.

/** A tenth of a second at 16 kHz: few messages, no delay that one would notice. */
const CHUNK_SAMPLES = 1600;

class Microphone extends AudioWorkletProcessor {
  #chunk = new Int16Array(CHUNK_SAMPLES);
  #filled = 0;

  /** @param {Float32Array[][]} inputs */
  process(inputs) {
    for (const sample of inputs[0]?.[0] ?? []) {
      this.#chunk[this.#filled] = Math.max(-1, Math.min(1, sample)) * 32_767;
      this.#filled += 1;
      if (this.#filled === CHUNK_SAMPLES) {
        this.port.postMessage(this.#chunk.buffer, [this.#chunk.buffer]);
        this.#chunk = new Int16Array(CHUNK_SAMPLES);
        this.#filled = 0;
      }
    }
    return true;
  }
}

registerProcessor('talktime-microphone', Microphone);
