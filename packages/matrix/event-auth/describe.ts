const ACTIONS: ReadonlyMap<string, string> = new Map([
  ['m.room.name', 'set the room name'],
  ['m.room.topic', 'set the topic'],
  ['m.room.avatar', 'set the room avatar'],
  ['m.room.canonical_alias', 'set the main address of the room'],
  ['m.room.aliases', 'set the addresses of the room'],
  ['m.room.join_rules', 'change who may join'],
  ['m.room.guest_access', 'change guest access'],
  ['m.room.history_visibility', 'change who may read the history'],
  ['m.room.power_levels', 'change power levels'],
  ['m.room.encryption', 'turn on encryption'],
  ['m.room.server_acl', 'change which servers may take part'],
  ['m.room.tombstone', 'close or upgrade the room'],
  ['m.room.pinned_events', 'pin messages'],
  ['m.space.child', 'change the rooms of the space'],
  ['m.room.message', 'send messages'],
  ['m.room.encrypted', 'send encrypted messages'],
  ['m.room.redaction', 'remove messages'],
  ['m.reaction', 'send reactions'],
])

/** What sending an event of this type does, to follow "You need power level 50 to". */
export function describeSending(type: string): string {
  return ACTIONS.get(type) ?? `send events of type ${type}`
}
