-- Limits that an operator decided while the server ran: of everybody (kind '', principal ''), or of one principal.

CREATE TABLE limits (
  -- '', user, appservice, server, address.
  kind TEXT NOT NULL,
  principal TEXT NOT NULL,
  -- A name of rate_limits in the configuration, or all.
  action TEXT NOT NULL,
  -- Allowed in a thousand seconds in the long run; 0 lifts the limit.
  per_kilosecond INTEGER NOT NULL,
  -- Allowed at once.
  burst INTEGER NOT NULL,
  PRIMARY KEY (kind, principal, action)
) WITHOUT ROWID;

INSERT INTO limits (kind, principal, action, per_kilosecond, burst)
SELECT 'user', user_id, CASE per_second WHEN 0 THEN 'all' ELSE 'message' END, per_second * 1000, burst
FROM rate_limit_overrides;

DROP TABLE rate_limit_overrides;
