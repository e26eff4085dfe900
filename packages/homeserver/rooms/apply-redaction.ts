import type { AuthState } from '@causeway/matrix/event-auth/auth-state.ts'
import { powerLevelsOf, requiredActionLevel, userLevel } from '@causeway/matrix/event-auth/power-levels.ts'
import { packStateKey } from '@causeway/matrix/event-auth/state-key.ts'
import { forbidden } from '@causeway/matrix/errors/matrix-error.ts'
import { findEventRows } from '@causeway/store/tables/events.ts'
import type { RoomEngine } from './engine.ts'
import { redactedBy } from './redaction.ts'
import { stateOf, type NewEvent, type RoomWrite } from './room-write.ts'
import { redactRow, type RedactedEvent } from './redact-stored.ts'
import { pduOfRow } from './stored-event.ts'

/**
 * Makes a redaction take effect in the write that carries it: the target's row gets the redacted form (id and
 * signatures still verify), its relation goes, and readers in memory see the same once it is committed.
 * A target that we do not hold, or of another room, is left alone; the redaction stays on record for it.
 * Throws `M_FORBIDDEN` when the sender may neither redact others' events nor is the author.
 * https://spec.matrix.org/v1.19/client-server-api/#redactions
 */
export async function addRedaction(engine: RoomEngine, write: RoomWrite, redaction: NewEvent): Promise<void> {
  const target = redactedBy(write.head.rules, redaction.roomEvent)
  if (target === undefined) return
  const row = (await findEventRows(engine.db, [target]))[0]
  if (row === undefined || row.room_nid !== write.head.roomNid) return
  const pdu = pduOfRow(row)
  const { sender } = redaction.roomEvent.pdu
  if (pdu.sender !== sender && !(await mayRedactOthers(engine, write, sender))) {
    throw forbidden('You can only remove your own messages in this room')
  }
  const { roomEvent, stored, steps } = redactRow(write.head, row)
  write.steps.push(...steps)
  write.redacted.push({ roomEvent, stored })
  await replaceInState(engine, write, { roomEvent, stored })
}

/** A redacted event that is current state is what the next authorisation must see. */
async function replaceInState(engine: RoomEngine, write: RoomWrite, redacted: RedactedEvent): Promise<void> {
  const { stored } = redacted
  if (stored.stateKey === undefined) return
  const current = await stateOf(engine, write, stored.type, stored.stateKey)
  if (current?.stored.eventId !== stored.eventId) return
  write.state.set(packStateKey(stored.type, stored.stateKey), redacted)
}

async function mayRedactOthers(engine: RoomEngine, write: RoomWrite, sender: string): Promise<boolean> {
  const create = (await stateOf(engine, write, 'm.room.create', ''))?.roomEvent
  const powerLevels = (await stateOf(engine, write, 'm.room.power_levels', ''))?.roomEvent
  const state: AuthState = {
    get: (type) =>
      type === 'm.room.create' ? create : type === 'm.room.power_levels' ? powerLevels : undefined,
  }
  const levels = powerLevelsOf(write.head.rules, state)
  return userLevel(levels, sender) >= requiredActionLevel(levels, 'redact')
}
