import type { JsonObject, JsonValue } from '@causeway/matrix/events/pdu.ts'
import type { RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { MAX_EVENT_BYTES, exceedsBytes } from '@causeway/matrix/json/limits.ts'
import { isJsonObject, parseJsonObject } from '@causeway/matrix/json/parse.ts'
import { findStateJson } from '@causeway/store/tables/held-events.ts'
import type { RoomEngine } from '../engine.ts'
import { stateOf } from '../room-write.ts'
import { readRoom } from './read-room.ts'
import { STRIPPED_TYPES } from '../stripped-state.ts'

/**
 * What a room's servers tell an invited or knocking user of it: whole PDUs, from version 1.16 of the specification
 * on, so that the other server can check them. Throws `M_NOT_FOUND` for a room that we do not know.
 * https://spec.matrix.org/v1.19/server-server-api/#stripped-state
 */
export async function strippedPdus(
  engine: RoomEngine,
  roomId: RoomId,
  sender: UserId | undefined,
): Promise<JsonObject[]> {
  const names: (readonly [string, string])[] = STRIPPED_TYPES.map((type) => [type, ''] as const)
  if (sender !== undefined) names.push(['m.room.member', sender])
  const { roomNid, stateNids } = await readRoom(engine, roomId, async (write) => {
    const found: number[] = []
    for (const [type, stateKey] of names) {
      const entry = await stateOf(engine, write, type, stateKey)
      if (entry !== undefined) found.push(entry.stored.stateNid)
    }
    return { roomNid: write.head.roomNid, stateNids: found }
  })
  // What is in memory may not be signed yet; writes end in order.
  await engine.db.commit({ entries: [], steps: [] })
  const rows = await findStateJson(engine.db, roomNid, stateNids)
  return rows.map(({ json }) => parseJsonObject(json))
}

/** Stripped events that are kept of those another server tells. */
const MAX_STRIPPED = 50

/** The stripped form of what another server told of a room, as it is shown to the user: what has no such form is left out. */
export function stripTold(told: JsonValue | undefined): JsonObject[] {
  if (!Array.isArray(told)) return []
  return told.slice(0, MAX_STRIPPED).flatMap((event) => {
    if (!isJsonObject(event)) return []
    const { type, state_key: stateKey, sender, content } = event
    if (typeof type !== 'string' || typeof stateKey !== 'string' || typeof sender !== 'string') return []
    if (!isJsonObject(content) || exceedsBytes(JSON.stringify(event), MAX_EVENT_BYTES)) return []
    return [{ type, state_key: stateKey, sender, content }]
  })
}
