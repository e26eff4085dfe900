import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import { readStateKeysAt } from './current-state.ts'
import type { RoomEngine } from './engine.ts'
import { findStrippedState } from '@causeway/store/tables/stripped-states.ts'
import { parseJson } from '@causeway/matrix/json/parse.ts'
import { findEventsByNid, isShown } from './read-events.ts'
import type { RoomInfo } from './stored-event.ts'

/** State that tells an invited person what room it is. https://spec.matrix.org/v1.19/client-server-api/#stripped-state */
export const STRIPPED_TYPES = [
  'm.room.create',
  'm.room.name',
  'm.room.avatar',
  'm.room.topic',
  'm.room.join_rules',
  'm.room.canonical_alias',
  'm.room.encryption',
] as const

function strip({ type, stateKey, sender, content }: StoredEvent): string {
  return JSON.stringify({ type, state_key: stateKey, sender, content })
}

/**
 * The invitation or knock itself. Its ID and time stand with it: bots take what comes without them for no event at all,
 * and clients sort invitations by the time.
 */
function ownMembership(event: StoredEvent): string {
  const { type, stateKey, sender, content, eventId, originServerTs } = event
  const said = { type, state_key: stateKey, sender, content }
  return JSON.stringify({ ...said, event_id: eventId, origin_server_ts: originServerTs })
}

/** What somebody is shown of a room they are invited to or knocked on, as of that event, with the event itself. */
export async function strippedState(
  engine: RoomEngine,
  room: RoomInfo,
  memberEventNid: number,
  userId: UserId,
): Promise<string[]> {
  const event = (await findEventsByNid(engine, [memberEventNid])).get(memberEventNid)
  if (event === undefined) return []
  if (!isShown(event)) return [...(await toldState(engine, room, userId)), ownMembership(event)]
  const names = STRIPPED_TYPES.map((type) => ({ type: type as string, stateKey: '' }))
  if (event.sender !== userId) names.push({ type: 'm.room.member', stateKey: event.sender })
  const entries = await readStateKeysAt(engine, room, event.stateRoot, names)
  const others = entries.filter((entry) => entry !== undefined).map(({ stored }) => strip(stored))
  return [...others, ownMembership(event)]
}

/** Of a room that we are not in: what its members' servers told with the invitation, or answered to the knock. */
async function toldState(engine: RoomEngine, room: RoomInfo, userId: UserId): Promise<string[]> {
  const text = await findStrippedState(engine.db, room.roomNid, userId)
  const events = text === undefined ? [] : parseJson(text)
  return Array.isArray(events) ? events.map((event) => JSON.stringify(event)) : []
}
