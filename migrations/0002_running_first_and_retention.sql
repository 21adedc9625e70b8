-- Running sessions before archiving, indexes for what is asked most, and what sweeps need to judge their clock.
-- Every statement may run twice, and twice at once; each ends with a semicolon at the end of a line.

-- Whether somebody waits for the alarm: a session runs, or rows are on their way. Others only archive.
ALTER TABLE users ADD COLUMN alarm_urgent INTEGER NOT NULL DEFAULT 0;

UPDATE users SET alarm_urgent = 1 WHERE id IN (SELECT user_id FROM usage_sessions WHERE ended_at IS NULL);

CREATE INDEX IF NOT EXISTS users_alarm_urgent ON users (alarm_at) WHERE alarm_urgent = 1;

CREATE INDEX IF NOT EXISTS users_failing ON users (failures) WHERE failures > 0;

-- Of all sessions ever only a few run.
CREATE INDEX IF NOT EXISTS usage_sessions_running ON usage_sessions (started_at) WHERE ended_at IS NULL;

CREATE INDEX IF NOT EXISTS usage_sessions_running_user ON usage_sessions (user_id) WHERE ended_at IS NULL;

CREATE INDEX IF NOT EXISTS usage_sessions_user_started ON usage_sessions (user_id, started_at);

-- With all that sums over a month ask for, so that they need not look at the rows.
CREATE INDEX IF NOT EXISTS usage_sessions_started ON usage_sessions (started_at, minutes_used);

CREATE INDEX IF NOT EXISTS usage_sessions_ended ON usage_sessions (ended_at, end_reason, minutes_used) WHERE ended_at IS NOT NULL;

CREATE INDEX IF NOT EXISTS webhook_events_received ON webhook_events (received_at);

-- Each the beginning of another.
DROP INDEX IF EXISTS usage_sessions_user;

DROP INDEX IF EXISTS usage_sessions_started_at;

DROP INDEX IF EXISTS usage_periods_user;

-- One row: the newest instant of a sweep that was believed, and since when a clock that jumped is watched.
CREATE TABLE IF NOT EXISTS sweep_clock (
    id INTEGER PRIMARY KEY,
    newest INTEGER NOT NULL,
    suspect_since INTEGER,
    suspect_last INTEGER
);
