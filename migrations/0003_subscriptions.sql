-- Whose a subscription at the billing provider is, so that an event which names no user still finds them.
-- `*_micros` are microseconds since 1970, as the provider stamps its events; `seen_at` is UTC seconds.
-- Every statement may run twice, and twice at once; each ends with a semicolon at the end of a line.

-- `named_micros` is of the newest event that named the user; `last_micros` of the newest of all, as of which it `ended` or
-- did not.
CREATE TABLE IF NOT EXISTS subscriptions (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    customer_id TEXT,
    named_micros INTEGER NOT NULL,
    last_micros INTEGER NOT NULL,
    ended INTEGER NOT NULL DEFAULT 0,
    seen_at INTEGER NOT NULL
);

CREATE INDEX IF NOT EXISTS subscriptions_customer ON subscriptions (customer_id);

CREATE INDEX IF NOT EXISTS subscriptions_user ON subscriptions (user_id);

CREATE INDEX IF NOT EXISTS subscriptions_seen ON subscriptions (ended, seen_at);
