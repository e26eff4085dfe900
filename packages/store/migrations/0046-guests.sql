-- Guests who have not come back are looked for again and again, among all who have an account.
CREATE INDEX users_guests ON users (created_ts) WHERE is_guest = 1 AND deactivated_ts = 0;
