// @ts-check
// OpenAI's realtime voice over WebRTC: the offer goes to the address that came with the token.
/** @import { Connect } from './voice.js' */

/** After `disconnected` ICE often recovers by itself; after this long it is taken as lost. */
const RECOVER_MS = 8000;
const ANSWER_MS = 15_000;

/** @type {Connect} */
export async function connectOpenAi({ token, microphone, instructions, onCaption, onLost }) {
  const peer = new RTCPeerConnection();
  const audio = new Audio();
  audio.autoplay = true;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let recovery;
  let closed = false;

  const close = () => {
    closed = true;
    clearTimeout(recovery);
    peer.close();
    audio.srcObject = null;
  };
  const lost = () => {
    if (closed) return;
    close();
    onLost();
  };

  peer.ontrack = ({ streams }) => (audio.srcObject = streams[0] ?? null);
  for (const track of microphone.getAudioTracks()) peer.addTrack(track, microphone);
  const channel = peer.createDataChannel('oai-events');
  channel.onopen = () => {
    channel.send(JSON.stringify({ type: 'session.update', session: { type: 'realtime', instructions } }));
    // The partner speaks first, so that the learner hears that it works.
    channel.send(JSON.stringify({ type: 'response.create' }));
  };
  channel.onmessage = ({ data }) => caption(data, onCaption);
  channel.onclose = lost;

  try {
    await peer.setLocalDescription(await peer.createOffer());
    const answer = await fetch(token.connect.url, {
      method: 'POST',
      headers: { Authorization: `Bearer ${token.token}`, 'Content-Type': 'application/sdp' },
      body: peer.localDescription?.sdp ?? '',
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    if (!answer.ok) throw new Error(`OpenAI answered ${answer.status}`);
    await peer.setRemoteDescription({ type: 'answer', sdp: await answer.text() });
    await whenConnected(peer);
  } catch (error) {
    close();
    throw error;
  }
  peer.onconnectionstatechange = () => {
    clearTimeout(recovery);
    if (peer.connectionState === 'failed' || peer.connectionState === 'closed') lost();
    if (peer.connectionState === 'disconnected') recovery = setTimeout(lost, RECOVER_MS);
  };
  return { close };
}

/** @param {RTCPeerConnection} peer */
function whenConnected(peer) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('No WebRTC connection in time')), ANSWER_MS);
    const look = () => {
      if (peer.connectionState === 'connected') resolve(undefined);
      else if (peer.connectionState === 'failed') reject(new Error('The WebRTC connection failed'));
      else return;
      clearTimeout(timer);
    };
    peer.onconnectionstatechange = look;
    look();
  });
}

/**
 * What the partner says, as text, for those who hear little or learn better by reading.
 * @param {unknown} data
 * @param {(text: string) => void} onCaption
 */
function caption(data, onCaption) {
  if (typeof data !== 'string') return;
  try {
    const event = JSON.parse(data);
    if (event.type === 'response.output_audio_transcript.done' && typeof event.transcript === 'string') {
      onCaption(event.transcript);
    }
  } catch {
    // Not JSON: not for us.
  }
}
