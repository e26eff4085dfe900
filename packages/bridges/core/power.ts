import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { MatrixPortError } from './matrix-port.ts'
import type { MatrixPort } from './matrix-port.ts'

function levelIn(object: unknown, key: string): number | undefined {
  if (typeof object !== 'object' || object === null) return undefined
  const level: unknown = (object as Record<string, unknown>)[key]
  if (typeof level === 'number') return level
  // Up to room version 9 levels may be strings.
  return typeof level === 'string' && /^\s*[+-]?\d+\s*$/.test(level) ? Number(level) : undefined
}

function creatorsOf(create: JsonObject, sender: string | undefined): readonly unknown[] {
  // From room version 12 on creators stand above all levels.
  const version = Number(create['room_version'] ?? '1')
  if (!(version >= 12)) return []
  const { additional_creators: more } = create
  return [sender, ...(Array.isArray(more) ? more : [])]
}

/**
 * Whether somebody may decide that a room is bridged: has the power to send the state event that says so. False where
 * the bot cannot see the room. https://spec.matrix.org/v1.19/client-server-api/#mroompower_levels
 */
export async function mayBridge(
  port: Pick<MatrixPort, 'findState' | 'findCreator'>,
  roomId: string,
  userId: string,
): Promise<boolean> {
  try {
    const create = (await port.findState(roomId, 'm.room.create', '')) ?? {}
    const member = await port.findState(roomId, 'm.room.member', userId)
    if (member?.['membership'] !== 'join') return false
    const creator = await port.findCreator(roomId)
    if (creatorsOf(create, creator).includes(userId)) return true
    const levels = await port.findState(roomId, 'm.room.power_levels', '')
    if (levels === undefined) return creator === userId
    const level = levelIn(levels['users'], userId) ?? levelIn(levels, 'users_default') ?? 0
    return level >= (levelIn(levels['events'], 'm.bridge') ?? levelIn(levels, 'state_default') ?? 50)
  } catch (error) {
    if (error instanceof MatrixPortError && !error.isTemporary) return false
    throw error
  }
}
