import type {
  CallRequest,
  Difficulty,
  EndReason,
  OpenedCall,
  RealtimeToken,
  RealtimeTokenRequest,
  RequestOptions,
  StartRequest,
  UsageError,
  UsageStatus,
} from './usage.js';

export type SessionState = 'idle' | 'starting' | 'running' | 'ending' | 'ended';

/** This page's `end`, its unload, the server by its rules, or another tab or device. */
export type EndedBy = 'page' | 'unload' | 'server' | 'elsewhere';

export interface SessionSummary {
  sessionId: string;
  /** `replaced`: the server no longer knows this session. */
  endReason: EndReason | 'replaced';
  /** Undefined until the server has heard of the end; `settled` brings it then. */
  sessionMinutes: number | undefined;
  endedBy: EndedBy;
}

export interface SessionEventMap {
  /** Anything that a page may show has changed: state, status, connected. */
  change: Event;
  /** About once a second while a session runs. */
  tick: Event;
  /** Five minutes or less are left; once a session. */
  warning: Event;
  ended: CustomEvent<SessionSummary>;
  /** The session that this tab ran before it was reloaded goes on. */
  resumed: Event;
  /** An end that had not arrived has: the summary is complete. */
  settled: CustomEvent<SessionSummary>;
  /** Something failed that the user should read about. */
  error: CustomEvent<UsageError>;
}

/** A session's whole life: start, call or token, heartbeats, countdown, stop at the limit, end. */
export class UsageSession extends EventTarget {
  constructor(options?: UsageSessionOptions);
  readonly state: SessionState;
  readonly sessionId: string | undefined;
  readonly topic: string | undefined;
  readonly difficulty: Difficulty | undefined;
  /** The last known usage, kept up to date by every answer. */
  readonly status: UsageStatus | undefined;
  /** Of the session that ended last on this page. */
  readonly summary: SessionSummary | undefined;
  /** False while the server does not answer, or refuses the sign-in. A session goes on, and stops at its limit, all the same. */
  readonly connected: boolean;
  /** What came instead of the server's last answer; undefined while `connected`. Tried again by itself. */
  readonly failure: UsageError | undefined;
  /** Counted down here between two answers. */
  readonly secondsRemaining: number;
  /** Whether a new session may be started. */
  readonly canStart: boolean;
  /**
   * For a page that has just been opened: `resume()`, or else `refresh()`. Never rejects: what fails comes as `error`
   * and is tried again. True: a session goes on.
   */
  open(): Promise<boolean>;
  /** Reads the usage anew. It also does so by itself: after each session, at the end of the period, in the tab that comes to the front. */
  refresh(): Promise<UsageStatus>;
  /**
   * Refused with code `session_active` when one runs elsewhere, unless `takeover` is true; with `abandoned` when the page
   * was left, or this disposed of, meanwhile. Asked twice at once, it starts once.
   */
  start(request?: StartRequest): Promise<void>;
  /** Goes on with the session that this tab ran before it was reloaded. False: there is none to go on with. */
  resume(): Promise<boolean>;
  /** A provider token for the running session; refused with `not_running` when none runs, or it ended meanwhile. */
  realtimeToken(request?: RealtimeTokenRequest): Promise<RealtimeToken>;
  /**
   * The voice provider's answer to a WebRTC offer (`usage-voice.js` makes one), through Talktime, which hangs up when the
   * session is over. Start the session with `awaitsCall`. A second offer replaces the first one's call. Tried again when no
   * answer comes or the server fails, never after a refusal; rejects with `not_running` as above.
   */
  call(request: Omit<CallRequest, 'sessionId'>): Promise<OpenedCall>;
  end(reason?: 'user_ended' | 'error'): Promise<void>;
  /** Ends a running or starting session as an unload does, and lets go of the page. It does not come back to life. */
  dispose(): void;
  addEventListener<K extends keyof SessionEventMap>(
    type: K,
    listener: (event: SessionEventMap[K]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
}

export interface UsageSessionOptions extends Omit<RequestOptions, 'idempotencyKey' | 'keepalive'> {
  /** For tests: what is taken from the browser. */
  environment?: Environment;
}

export interface Environment {
  now(): number;
  sleep(ms: number): Promise<unknown>;
  /** Returns what calls it off. */
  setTimer(ms: number, callback: () => void): () => void;
  random(): number;
  randomUuid(): string;
  /** Calls `tick` about twice a second, in a hidden page too. Returns the stop. */
  startTicker(tick: () => void): () => void;
  storage: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'> | undefined;
  locks: Pick<LockManager, 'request'> | undefined;
  channel: Pick<BroadcastChannel, 'postMessage' | 'addEventListener' | 'removeEventListener' | 'close'> | undefined;
  events: Pick<EventTarget, 'addEventListener' | 'removeEventListener'>;
  isVisible(): boolean;
  isReloading(): boolean;
}
