import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { RoomAlias, UserId } from '@causeway/matrix/ids/ids.ts'
import { MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import { readNewestState } from '../rooms/newest-state.ts'
import { sendEvent } from '../rooms/send.ts'
import type { RoomInfo } from '../rooms/stored-event.ts'

const TYPE = 'm.room.canonical_alias'

/** The content without an alias; undefined when it does not name it. */
function without(content: JsonObject, alias: RoomAlias): JsonObject | undefined {
  const { alias: main, alt_aliases: others, ...rest } = content
  const list: readonly unknown[] = Array.isArray(others) ? others : []
  if (main !== alias && !list.includes(alias)) return undefined
  const left: JsonObject = { ...rest }
  if (main !== undefined && main !== alias) left['alias'] = main
  const kept = Array.isArray(others) ? others.filter((other) => other !== alias) : []
  if (kept.length > 0) left['alt_aliases'] = kept
  return left
}

/**
 * Takes an alias that is gone out of the room's list of addresses, if the user has the power to; a refusal is no
 * failure, since the alias is gone all the same.
 * https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3directoryroomroomalias
 */
export async function removeFromCanonicalAlias(
  engine: RoomEngine,
  room: RoomInfo,
  alias: RoomAlias,
  sender: UserId,
): Promise<void> {
  const [current] = await readNewestState(engine, room, [{ type: TYPE, stateKey: '' }])
  const content = current === undefined ? undefined : without(current.stored.content, alias)
  if (content === undefined) return
  try {
    await sendEvent(engine, { roomId: room.roomId, type: TYPE, stateKey: '', sender, content })
  } catch (error) {
    if (!(error instanceof MatrixError) || error.errcode !== 'M_FORBIDDEN') throw error
  }
}
