-- Threads by their root: their figures without a look at the events, and the list of a room's threads.
CREATE INDEX relations_threads ON relations (room_nid, parent_event_id, event_nid, sender)
  WHERE rel_type = 'm.thread';
