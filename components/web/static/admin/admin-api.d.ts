import type { UsageStatus } from './usage.d.ts';

/** `GET /api/internal/overview` */
export interface Overview {
  serverTime: string;
  activeSessions: {
    userId: string;
    sessionId: string;
    startedAt: string;
    topic?: string | null;
    difficulty?: string | null;
    minutesUsed: number;
  }[];
  /** How many run in all: the list has the latest of them. */
  activeSessionsTotal: number;
  minutesByPlan: { plan: string; users: number; minutesUsed: number }[];
  endedByReason: { reason: string; sessions: number; minutes: number }[];
  unmappedWebhooks: { id: string; type: string; receivedAt: string; detail?: string | null }[];
  /** How many there are in all. */
  unmappedWebhooksTotal: number;
  alarms: { due: number; failing: number; oldestDueSeconds?: number | null };
  dailyMinutes: { day: string; minutes: number }[];
}

/** `POST /api/internal/alarm` */
export interface Sweep {
  due: number;
  swept: number;
  ended: number;
  archived: number;
  failed: number;
  pruned: number;
  remaining: number;
}

/** `GET /api/internal/users/{id}` */
export interface FoundUser {
  status: UsageStatus;
  sessions: {
    sessionId: string;
    startedAt: string;
    endedAt?: string | null;
    minutesUsed: number;
    topic?: string | null;
    difficulty?: string | null;
    endReason?: string | null;
  }[];
  periods: {
    periodStart: string;
    periodEnd: string;
    plan: string;
    minutesUsed: number;
    minutesLimit: number;
    syncedAt?: string | null;
    archived: boolean;
  }[];
}
