-- What the replaced design keeps in D1: sessions and periods, with the columns and indexes of its task list.
CREATE TABLE IF NOT EXISTS usage_periods (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    period_start INTEGER NOT NULL,
    period_end INTEGER NOT NULL,
    plan TEXT NOT NULL,
    minutes_used INTEGER NOT NULL,
    minutes_limit INTEGER NOT NULL,
    synced_at INTEGER NOT NULL,
    version INTEGER NOT NULL,
    archived INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL DEFAULT (unixepoch())
);

CREATE UNIQUE INDEX IF NOT EXISTS usage_periods_user_start ON usage_periods (user_id, period_start);

CREATE INDEX IF NOT EXISTS usage_periods_user ON usage_periods (user_id);

CREATE TABLE IF NOT EXISTS usage_sessions (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    minutes_used INTEGER NOT NULL DEFAULT 0,
    topic TEXT,
    difficulty TEXT,
    end_reason TEXT
);

CREATE INDEX IF NOT EXISTS usage_sessions_user ON usage_sessions (user_id);

CREATE INDEX IF NOT EXISTS usage_sessions_started_at ON usage_sessions (started_at);
