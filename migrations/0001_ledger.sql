-- The ledger. Instants (`*_at`, `period_*`, `*_until`) are UTC seconds since 1970.
-- Every statement may run twice, and twice at once; each ends with a semicolon at the end of a line.

CREATE TABLE IF NOT EXISTS schema_version (
    version INTEGER PRIMARY KEY,
    applied_at INTEGER NOT NULL
);

-- One row for each user: who may create the state document, and the user's one alarm.
CREATE TABLE IF NOT EXISTS users (
    id TEXT PRIMARY KEY,
    created_at INTEGER NOT NULL,
    seed_token TEXT NOT NULL,
    seed_lease_until INTEGER NOT NULL,
    alarm_at INTEGER,
    alarm_token TEXT,
    lease_until INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0
);

CREATE INDEX IF NOT EXISTS users_alarm_at ON users (alarm_at);

CREATE TABLE IF NOT EXISTS usage_periods (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id),
    period_start INTEGER NOT NULL,
    period_end INTEGER NOT NULL CHECK (period_end > period_start),
    plan TEXT NOT NULL,
    minutes_used INTEGER NOT NULL CHECK (minutes_used >= 0),
    minutes_limit INTEGER NOT NULL CHECK (minutes_limit >= 0),
    synced_at INTEGER NOT NULL,
    version INTEGER NOT NULL,
    archived INTEGER NOT NULL DEFAULT 0 CHECK (archived IN (0, 1)),
    created_at INTEGER NOT NULL
);

CREATE UNIQUE INDEX IF NOT EXISTS usage_periods_user_start ON usage_periods (user_id, period_start);

CREATE INDEX IF NOT EXISTS usage_periods_user ON usage_periods (user_id);

CREATE INDEX IF NOT EXISTS usage_periods_over ON usage_periods (archived, period_end);

CREATE TABLE IF NOT EXISTS usage_sessions (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id),
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    minutes_used INTEGER NOT NULL DEFAULT 0 CHECK (minutes_used >= 0),
    topic TEXT,
    difficulty TEXT CHECK (difficulty IN ('beginner', 'intermediate', 'advanced')),
    end_reason TEXT CHECK (end_reason IN ('user_ended', 'limit_reached', 'timeout', 'error', 'stale')),
    CHECK ((ended_at IS NULL) = (end_reason IS NULL))
);

CREATE INDEX IF NOT EXISTS usage_sessions_user ON usage_sessions (user_id);

CREATE INDEX IF NOT EXISTS usage_sessions_started_at ON usage_sessions (started_at);

CREATE TABLE IF NOT EXISTS webhook_events (
    id TEXT PRIMARY KEY,
    type TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    user_id TEXT,
    outcome TEXT NOT NULL,
    detail TEXT
);

CREATE INDEX IF NOT EXISTS webhook_events_outcome ON webhook_events (outcome, received_at);
