import type { CallRequest, UsageError } from './usage.js';
import type { UsageSession } from './usage-session.js';

export interface VoiceOptions extends Pick<CallRequest, 'provider' | 'model' | 'voice'> {
  /** Opened before the session was started, and stopped by the page. If left out, it is asked for here, and stopped here. */
  microphone?: MediaStream;
  /** What the partner is told. Not for `openai-live`, which takes nothing of the page. */
  instructions?: string;
  /** What the partner has said, as text. */
  onCaption?: (text: string) => void;
  /** The connection failed, and is being made anew for the same session. */
  onBroken?: () => void;
  /** The new connection stands. */
  onRestored?: () => void;
  /** It failed for good while the session runs, and would go on being paid for: end the session with `error`. */
  onLost?: (error: UsageError) => void;
}

export interface VoiceCall {
  /** Lets go of the connection. It happens by itself when the session is over, whatever ended it. */
  close(): void;
}

/**
 * Connects the microphone to the voice provider for the running session, over WebRTC. Rejects with a `UsageError`, whose
 * code is the server's or `voice_failed`, or with the `DOMException` of a microphone that was refused.
 */
export function connectVoice(session: UsageSession, options?: VoiceOptions): Promise<VoiceCall>;
