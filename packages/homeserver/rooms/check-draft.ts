import { MatrixError, badJson } from '@causeway/matrix/errors/matrix-error.ts'
import { findStateKeyFault } from '@causeway/matrix/event-auth/state-owner.ts'
import type { RoomVersionRules } from '@causeway/matrix/room-versions/rules.ts'
import { exceedsBytes, MAX_ID_BYTES } from '@causeway/matrix/json/limits.ts'
import { faultOfRetention, RETENTION_TYPE } from './retention/lifetime.ts'
import type { EventDraft } from './room-write.ts'

/** Types whose content authorisation and resolution read: a malformed one would be stuck in the room's state. */
const TEXT_FIELDS: ReadonlyMap<string, readonly string[]> = new Map([
  ['m.room.name', ['name']],
  ['m.room.topic', ['topic']],
  ['m.room.join_rules', ['join_rule']],
  ['m.room.history_visibility', ['history_visibility']],
  ['m.room.guest_access', ['guest_access']],
  ['m.room.encryption', ['algorithm']],
])

/**
 * Refuses what no client should send: names that are too long, and content of well-known state whose fields
 * have the wrong type. Throws `M_TOO_LARGE` and `M_BAD_JSON`.
 * https://spec.matrix.org/v1.19/client-server-api/#size-limits
 */
export function checkDraft(draft: EventDraft): void {
  if (draft.type === '') throw badJson('An event needs a type')
  if (exceedsBytes(draft.type, MAX_ID_BYTES))
    throw new MatrixError('M_TOO_LARGE', `An event type has at most ${MAX_ID_BYTES} bytes`)
  if (draft.stateKey === undefined) return
  if (exceedsBytes(draft.stateKey, MAX_ID_BYTES)) {
    throw new MatrixError('M_TOO_LARGE', `A state key has at most ${MAX_ID_BYTES} bytes`)
  }
  const fault = draft.type === RETENTION_TYPE ? faultOfRetention(draft.content) : undefined
  if (fault !== undefined) throw badJson(fault)
  for (const field of TEXT_FIELDS.get(draft.type) ?? []) {
    const value = draft.content[field]
    if (value !== undefined && typeof value !== 'string')
      throw badJson(`${field} of ${draft.type} must be text`)
  }
}

/** Refuses a state key that nobody may use in a room of this version: a mistake, and no question of power. Throws `M_BAD_JSON`. */
export function checkStateKey(rules: RoomVersionRules, { stateKey }: Pick<EventDraft, 'stateKey'>): void {
  const fault = stateKey === undefined ? undefined : findStateKeyFault(rules, stateKey)
  if (fault !== undefined) throw badJson(fault)
}
