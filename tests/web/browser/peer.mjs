// The provider's end of a call: a page of the same Chromium, which answers offers with real WebRTC.

const HELLO = { type: 'response.output_audio_transcript.done', transcript: 'Hello <b>you</b>!' };

/** A page that answers an offer as OpenAI does, and keeps what it hears on the data channel. */
export async function openPeer(world) {
  const page = await world.newPage();
  await page.evaluate((hello) => {
    window.heard = [];
    window.answer = async (sdp) => {
      window.connection = new RTCPeerConnection();
      window.connection.ondatachannel = ({ channel }) => {
        channel.onmessage = ({ data }) => window.heard.push(JSON.parse(data));
        channel.onopen = () => channel.send(JSON.stringify(hello));
      };
      await window.connection.setRemoteDescription({ type: 'offer', sdp });
      await window.connection.setLocalDescription(await window.connection.createAnswer());
      await new Promise((resolve) => {
        const look = () => window.connection.iceGatheringState === 'complete' && resolve();
        window.connection.onicegatheringstatechange = look;
        look();
      });
      return window.connection.localDescription.sdp;
    };
  }, HELLO);
  return {
    answer: (sdp) => page.evaluate((offer) => window.answer(offer), sdp),
    heard: () => page.evaluate(() => window.heard),
    hangUp: () => page.evaluate(() => window.connection.close()),
    isConnected: () => page.evaluate(() => !['disconnected', 'failed', 'closed'].includes(window.connection.connectionState)),
  };
}
