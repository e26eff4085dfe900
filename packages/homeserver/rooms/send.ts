import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { EventId, RoomId } from '@causeway/matrix/ids/ids.ts'
import type { WriteValue } from '@causeway/store/db/database.ts'
import { canonicalJson } from '@causeway/matrix/json/canonical.ts'
import { badJson, forbidden } from '@causeway/matrix/errors/matrix-error.ts'
import { privilegedCreators } from '@causeway/matrix/event-auth/creators.ts'
import { isEventId } from '@causeway/matrix/ids/event-id.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import type { RoomEngine } from './engine.ts'
import type { Companions } from './persist.ts'
import { addRedaction } from './apply-redaction.ts'
import { appendEvent } from './append-event.ts'
import { numberOf, stateOf, type EventDraft, type RoomWrite } from './room-write.ts'
import { checkDraft, checkStateKey } from './check-draft.ts'
import { checkRelation } from './check-relation.ts'
import { redactedBy } from './redaction.ts'
import { AFTER_OTHERS, writeToRoom } from './write-to-room.ts'

export interface SendInput extends EventDraft {
  readonly roomId: RoomId
  /** What goes into the log in the same commit, made once the event's id is known; its number will be known then. */
  readonly companions?: (eventId: EventId, eventNid: WriteValue) => Companions
}

/**
 * Sends one event into a room and resolves once it is durable. State that says what the room's state says
 * already is not sent again: its event's id is the answer. Throws `M_FORBIDDEN`, `M_NOT_FOUND`,
 * `M_TOO_LARGE`, `M_BAD_JSON`, `M_DUPLICATE_ANNOTATION`, `CompanionRefused`.
 */
export function sendEvent(engine: RoomEngine, draft: SendInput): Promise<EventId> {
  const input = draft.type === 'm.room.redaction' ? withTarget(draft) : draft
  checkDraft(input)
  return writeToRoom(engine, input.roomId, async (write) => {
    await requireJoined(engine, write, input)
    checkStateKey(write.head.rules, input)
    const unchanged = await findUnchangedState(engine, write, input)
    if (unchanged !== undefined) return { value: unchanged }
    await checkRelation(engine, write, input)
    await checkCreatorsUnnamed(engine, write, input)
    const event = await appendEvent(engine, write, input)
    const target = redactedBy(write.head.rules, event.roomEvent)
    if (target !== undefined) {
      if (write.head.pending.has(target)) return AFTER_OTHERS
      await addRedaction(engine, write, event)
    }
    const { eventId } = event.roomEvent
    const companions = input.companions?.(eventId, numberOf(write, event))
    return companions === undefined ? { value: eventId } : { value: eventId, companions }
  })
}

/**
 * A redaction that says in its content, as those of today's room versions do, what it redacts: where that stands in the
 * event is a matter of the room's version. https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3roomsroomidsendeventtypetxnid
 */
function withTarget(input: SendInput): SendInput {
  if (input.redacts !== undefined) return input
  const { redacts, ...content } = input.content
  if (!isEventId(redacts)) throw badJson('A redaction says in redacts which event it takes back')
  return { ...input, content, redacts }
}

/** A clear sentence for the commonest refusal, before authorisation says the same in general words. */
async function requireJoined(engine: RoomEngine, write: RoomWrite, draft: EventDraft): Promise<void> {
  if (draft.type === 'm.room.member') return
  const member = await stateOf(engine, write, 'm.room.member', draft.sender)
  if (member?.stored.content['membership'] !== 'join') {
    throw forbidden(`You are not in the room ${write.head.roomId}; join it first`)
  }
}

/** From room version 12 on creators stand above all levels: to name one of them is a mistake, whoever makes it. */
async function checkCreatorsUnnamed(engine: RoomEngine, write: RoomWrite, draft: EventDraft): Promise<void> {
  if (draft.type !== 'm.room.power_levels' || draft.stateKey !== '') return
  const create = await stateOf(engine, write, 'm.room.create', '')
  const users = draft.content['users']
  if (create === undefined || !isJsonObject(users)) return
  const creators = privilegedCreators(write.head.rules, create.roomEvent)
  const named = Object.keys(users).find((userId) => creators.has(userId))
  if (named !== undefined)
    throw badJson(`${named} made the room, stands above all, and cannot have a power level`)
}

async function findUnchangedState(
  engine: RoomEngine,
  write: RoomWrite,
  draft: EventDraft,
): Promise<EventId | undefined> {
  if (draft.stateKey === undefined) return undefined
  const current = await stateOf(engine, write, draft.type, draft.stateKey)
  if (current === undefined || current.stored.sender !== draft.sender) return undefined
  return sameContent(current.stored.content, draft.content) ? current.stored.eventId : undefined
}

function sameContent(a: JsonObject, b: JsonObject): boolean {
  return canonicalJson(a) === canonicalJson(b)
}
