// What a voice takes from the browser: sockets, peer connections, sound. All of it is the test's.

/** Lets everything that is ready run. */
export async function settle() {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

export const stream = (asked = []) => ({
  getTracks: () => [{ stop: () => asked.push('stop') }],
  getAudioTracks: () => [{ kind: 'audio' }],
});

/** Gemini's end of the sockets; `log` has what happened, in order. */
export class FakeSockets {
  all = [];
  log = [];

  constructor() {
    const sockets = this;
    globalThis.WebSocket = class {
      static OPEN = 1;
      readyState = 0;
      sent = [];

      constructor(url) {
        this.token = url.searchParams.get('access_token');
        sockets.all.push(this);
        sockets.log.push(`open ${this.token}`);
      }

      send(text) {
        this.sent.push(JSON.parse(text));
      }

      close() {
        if (this.readyState === 3) return;
        this.readyState = 3;
        sockets.log.push(`close ${this.token}`);
        queueMicrotask(() => this.onclose?.({ code: 1005 }));
      }
    };
    class Sound {
      audioWorklet = { addModule: async () => undefined };
      createMediaStreamSource = () => ({ connect: () => undefined });
      state = 'running';
      close = async () => (this.state = 'closed');
    }
    globalThis.AudioContext = Sound;
    globalThis.AudioWorkletNode = class {
      port = (sockets.microphone = {});
    };
  }

  get last() {
    return this.all.at(-1);
  }

  get open() {
    return this.all.filter(({ readyState }) => readyState !== 3).length;
  }

  /** The provider takes the last socket. */
  async accept() {
    this.last.readyState = 1;
    this.last.onopen();
    await this.say({ setupComplete: {} });
  }

  async say(message, socket = this.last) {
    socket.onmessage({ data: JSON.stringify(message) });
    await settle();
  }

  /** The provider, or the network, closes it. */
  async drop(code, socket = this.last) {
    socket.readyState = 3;
    this.log.push(`dropped ${socket.token}`);
    socket.onclose({ code });
    await settle();
  }

  /** A tenth of a second of the user's voice. */
  speak() {
    this.microphone.onmessage({ data: new ArrayBuffer(2) });
  }
}

/** Peers that connect by themselves once they have an answer, unless `connects` is false. */
export class FakePeers {
  all = [];
  connects = true;

  constructor() {
    const peers = this;
    globalThis.Audio = class {
      srcObject = null;
    };
    globalThis.RTCPeerConnection = class {
      connectionState = 'new';
      iceGatheringState = 'new';
      signalingState = 'stable';
      channel = { sent: [], readyState: 'connecting', send: (text) => this.channel.sent.push(JSON.parse(text)) };

      constructor() {
        this.name = `peer ${peers.all.push(this)}`;
      }

      addTrack() {}
      createDataChannel = () => this.channel;
      createOffer = async () => ({ type: 'offer', sdp: this.name });

      async setLocalDescription(offer) {
        this.localDescription = offer;
        setImmediate(() => {
          this.iceGatheringState = 'complete';
          this.localDescription = { ...offer, sdp: `${this.name} with candidates` };
          this.onicegatheringstatechange?.();
        });
      }

      async setRemoteDescription(answer) {
        if (this.signalingState === 'closed') throw new DOMException('closed', 'InvalidStateError');
        this.answer = answer;
        if (!peers.connects) return;
        this.turn('connected');
        this.channel.readyState = 'open';
        this.channel.onopen();
      }

      turn(state) {
        this.connectionState = state;
        this.onconnectionstatechange?.();
      }

      close() {
        this.signalingState = 'closed';
        this.connectionState = 'closed';
      }
    };
  }

  get last() {
    return this.all.at(-1);
  }

  get open() {
    return this.all.filter(({ signalingState }) => signalingState !== 'closed').length;
  }
}
