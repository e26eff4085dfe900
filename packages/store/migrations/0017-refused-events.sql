-- What a room has refused is listed by room, the newest first (numbers of refused events decrease).
CREATE INDEX event_rejections_by_room ON event_rejections (room_nid, event_nid);
