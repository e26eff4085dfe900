-- The invitation that a delayed event becomes, as the invited user's server is asked to sign it: JSON without signatures. From
-- then on it is being sent, and neither restarted nor cancelled. NULL: nobody was asked.
ALTER TABLE delayed_events ADD COLUMN made TEXT;
