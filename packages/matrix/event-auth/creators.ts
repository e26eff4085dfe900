import type { RoomEvent } from '../events/pdu.ts'
import type { RoomVersionRules } from '../room-versions/rules.ts'
import { ownText, ownValue } from './json-reading.ts'

const NOBODY: ReadonlySet<string> = new Set()
const privilegedByCreate = new WeakMap<RoomEvent, ReadonlySet<string>>()

/** Who made the room: the create event's sender, or before room version 11 what its `creator` says. */
export function roomCreator(rules: RoomVersionRules, create: RoomEvent): string | undefined {
  return rules.creatorIsSender ? create.pdu.sender : ownText(create.pdu.content, 'creator')
}

/**
 * The users above every power level: from room version 12 on the create event's sender and its
 * `additional_creators`, before that nobody. Worked out once per create event.
 */
export function privilegedCreators(rules: RoomVersionRules, create: RoomEvent): ReadonlySet<string> {
  if (!rules.privilegedCreators) return NOBODY
  const known = privilegedByCreate.get(create)
  if (known !== undefined) return known
  const additional = ownValue(create.pdu.content, 'additional_creators')
  const creators = new Set<string>([create.pdu.sender])
  for (const userId of Array.isArray(additional) ? additional : []) {
    if (typeof userId === 'string') creators.add(userId)
  }
  privilegedByCreate.set(create, creators)
  return creators
}
