// A TypeScript app's use of the modules. Compiled, never run; each `@ts-expect-error` is a mistake that must be caught.
import type { SvelteHTMLElements } from 'svelte/elements';
import type {} from '../../../components/web/static/client/usage-svelte.d.ts';
import '../../../components/web/static/client/usage-bar.js';
import '../../../components/web/static/client/usage-warning.js';
import {
  endSession,
  getRealtimeToken,
  getUsageStatus,
  openCall,
  sendHeartbeat,
  startSession,
  UsageError,
  type UsageStatus,
} from '../../../components/web/static/client/usage.js';
import { UsageSession } from '../../../components/web/static/client/usage-session.js';
import { connectVoice, type VoiceCall } from '../../../components/web/static/client/usage-voice.js';

export async function functions(): Promise<void> {
  const options = { baseUrl: 'https://talktime.example', getToken: async () => 'token', credentials: 'include' as const };
  const status: UsageStatus = await getUsageStatus(options);
  const { sessionId, heartbeatIntervalSeconds } = await startSession({ topic: 'Tea', difficulty: 'advanced' }, options);
  const { ended, warning } = await sendHeartbeat(sessionId, options);
  if (ended) ended.endReason satisfies 'user_ended' | 'limit_reached' | 'timeout' | 'error' | 'stale';
  const { endReason } = await endSession(sessionId, { ...options, reason: 'error' });
  const { connect } = await getRealtimeToken({ provider: 'openai', sessionId }, options);
  console.log(status.percentUsed.toFixed(), heartbeatIntervalSeconds, warning, endReason, connect.url);

  // @ts-expect-error: no such difficulty
  await startSession({ difficulty: 'expert' });
  // @ts-expect-error: a heartbeat names its session
  await sendHeartbeat();
  // @ts-expect-error: only the server says that the limit is reached
  await endSession(sessionId, { reason: 'limit_reached' });
}

export function errors(error: unknown): string {
  if (!(error instanceof UsageError)) return '';
  // @ts-expect-error: it may be absent
  const running: string = error.sessionId;
  return `${error.status} ${error.code} ${error.message} ${running} ${error.retryable}`;
}

export function session(): UsageSession {
  const session = new UsageSession({ getToken: () => null });
  session.addEventListener('ended', ({ detail }) => console.log(detail.endReason, detail.sessionMinutes));
  session.addEventListener('error', (event) => console.log(event.detail.code));
  // @ts-expect-error: the session owns its state
  session.state = 'running';
  return session;
}

export async function call(session: UsageSession, microphone: MediaStream): Promise<VoiceCall> {
  await session.start({ awaitsCall: true });
  const { sdp, callId } = await session.call({ sdp: 'v=0', provider: 'openai-live' });
  const other = await openCall({ sessionId: 's1', sdp, voice: 'marin' });
  console.log(callId, other.secondsRemaining);
  // @ts-expect-error: Gemini has no calls
  await session.call({ sdp, provider: 'gemini' });
  // @ts-expect-error: a call is an offer's
  await session.call({ provider: 'openai' });
  return connectVoice(session, { microphone, onLost: ({ code }) => session.end(code === 'network' ? 'error' : 'user_ended') });
}

export function inTemplates(status: UsageStatus): SvelteHTMLElements['usage-bar'] {
  // @ts-expect-error: no such property
  const wrong: SvelteHTMLElements['usage-warning'] = { colour: 'red' };
  return { status, upgradeUrl: '/pricing', class: wrong ? 'wide' : '' };
}

export function elements(status: UsageStatus): void {
  const bar = document.createElement('usage-bar');
  bar.status = status;
  bar.minutesUsed = 3;
  bar.upgradeUrl = '/pricing';
  const warning = document.querySelector('usage-warning');
  if (warning) warning.showUpgradeLink = true;
  // @ts-expect-error: no such property
  bar.colour = 'red';
}
