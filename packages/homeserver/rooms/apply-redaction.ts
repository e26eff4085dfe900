import type { AuthState } from '@causeway/matrix/event-auth/auth-state.ts'
import type { RoomEvent } from '@causeway/matrix/events/pdu.ts'
import { powerLevelsOf, requiredActionLevel, userLevel } from '@causeway/matrix/event-auth/power-levels.ts'
import { packStateKey } from '@causeway/matrix/event-auth/state-key.ts'
import { forbidden } from '@causeway/matrix/errors/matrix-error.ts'
import { canonicalJson } from '@causeway/matrix/json/canonical.ts'
import { redactPdu } from '@causeway/matrix/events/redact.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import { findEventRows } from '@causeway/store/tables/events.ts'
import { deleteMentions } from '@causeway/store/tables/unread.ts'
import { sha256 } from '../crypto/sha256.ts'
import { toRoomEvent } from '@causeway/matrix/events/make-room-event.ts'
import type { RoomEngine } from './engine.ts'
import { redactionTarget } from './redaction.ts'
import { stateOf, type NewEvent, type RoomWrite } from './room-write.ts'
import { pduOfRow, toStoredEvent } from './stored-event.ts'

/** An event in its redacted form, and where it stood in the state, if it did. */
export interface RedactedEvent {
  readonly roomEvent: RoomEvent
  readonly stored: StoredEvent
}

/**
 * Makes a redaction take effect in the write that carries it: the target's row gets the redacted form (id and
 * signatures still verify), its relation goes, and readers in memory see the same once it is committed.
 * A target that we do not hold, or of another room, is left alone; the redaction stays on record for it.
 * Throws `M_FORBIDDEN` when the sender may neither redact others' events nor is the author.
 * https://spec.matrix.org/v1.19/client-server-api/#redactions
 */
export async function addRedaction(engine: RoomEngine, write: RoomWrite, redaction: NewEvent): Promise<void> {
  const target = redactionTarget(redaction.roomEvent)
  if (target === undefined) return
  const row = (await findEventRows(engine.db, [target]))[0]
  if (row === undefined || row.room_nid !== write.head.roomNid) return
  const pdu = pduOfRow(row)
  const { sender } = redaction.roomEvent.pdu
  if (pdu.sender !== sender && !(await mayRedactOthers(engine, write, sender))) {
    throw forbidden('You can only remove your own messages in this room')
  }
  const redactedPdu = redactPdu(write.head.rules, pdu)
  const flags = (row.flags | EventFlag.redacted) & ~EventFlag.notifies
  write.steps.push(
    {
      sql: 'UPDATE events SET json = ?, flags = ? WHERE nid = ?',
      params: [
        new TextEncoder().encode(canonicalJson(redactedPdu, write.head.rules.strictCanonicalJson)),
        flags,
        row.nid,
      ],
    },
    { sql: 'DELETE FROM relations WHERE event_nid = ?', params: [row.nid] },
    deleteMentions(row.room_nid, row.nid),
  )
  const roomEvent = toRoomEvent(write.head.rules, redactedPdu, sha256, target)
  const stored = toStoredEvent(write.head, roomEvent, {
    nid: row.nid,
    depth: row.depth,
    stateRoot: row.state_root,
    stateBefore: row.state_before,
    stateNid: row.state_nid,
    flags,
  })
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
