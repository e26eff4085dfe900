import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { RoomAlias, RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import type { RoomVersionRules } from '@causeway/matrix/room-versions/rules.ts'
import type { LogEntry } from '@causeway/store/log/entry.ts'
import type { Step } from '@causeway/store/db/database.ts'
import { badJson, MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import { isUserId } from '@causeway/matrix/ids/user-id.ts'
import { roomIdOfCreate } from '@causeway/matrix/ids/room-id.ts'
import { checkDraft } from './check-draft.ts'
import type { RoomEngine } from './engine.ts'
import { findHead } from './load-head.ts'
import { newHead } from './join/new-head.ts'
import { initialEvents, type NewRoomRequest } from './new-room-state.ts'
import { persistEvents } from './persist.ts'
import { appendEvent, buildCreateEvent } from './append-event.ts'
import { beginWrite, type EventDraft, type RoomWrite } from './room-write.ts'
import { throwIfCompanion } from './write-to-room.ts'

/** What the endpoint has worked out before the room is made. */
export interface CreateRoomInput extends NewRoomRequest {
  readonly rules: RoomVersionRules
  readonly creator: UserId
  /** The full alias to claim; `aliasSteps` claims it in the same commit. */
  readonly alias?: RoomAlias
  /** Rows that go in with the room: its alias, its place in the directory. */
  readonly companions?: (room: { roomId: RoomId; roomNid: number }) => {
    steps: readonly Step[]
    entries?: readonly LogEntry[]
  }
}

/**
 * Makes a room with all its first events in one commit, in the order the specification gives: the room is
 * there whole or not at all. Throws `M_INVALID_ROOM_STATE` when the events asked for are not allowed by the
 * power levels asked for, `CompanionRefused` when the alias is taken.
 * https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3createroom
 */
export async function createRoom(engine: RoomEngine, input: CreateRoomInput): Promise<RoomId> {
  const now = engine.clock.now()
  for (let later = 0; later < ATTEMPTS; later++) {
    const roomId = await tryToCreate(engine, input, now + later)
    if (roomId !== undefined) return roomId
  }
  throw new MatrixError('M_UNKNOWN', 'The room could not be created; try again')
}

/**
 * Where a room's id is the hash of its first event, two rooms that somebody makes alike in one millisecond would be one:
 * the second is made a millisecond later.
 */
const ATTEMPTS = 20

/** Undefined: there is such a room already. */
async function tryToCreate(
  engine: RoomEngine,
  input: CreateRoomInput,
  originServerTs: number,
): Promise<RoomId | undefined> {
  const write = await beginRoom(engine, input, originServerTs)
  const { roomId, roomNid } = write.head
  for (const draft of initialEvents(input)) await appendInitial(engine, write, draft)
  const pending = await engine.queue.serial(roomId, async () => {
    if ((await findHead(engine, roomId)) !== undefined) return undefined
    engine.heads.set(roomId, write.head)
    return persistEvents(engine, write, input.companions?.({ roomId, roomNid }) ?? {})
  })
  const result = await pending?.settled
  if (result?.ok === true) return roomId
  if (result !== undefined) throwIfCompanion(result, pending!)
  return undefined
}

/** A room that exists only in this write so far, with its create event. */
async function beginRoom(
  engine: RoomEngine,
  input: CreateRoomInput,
  originServerTs: number,
): Promise<RoomWrite> {
  const { rules, creator } = input
  checkAdditionalCreators(input)
  const content = createContent(input)
  const chosenId = `!${engine.random.token(18)}:${engine.serverName}` as RoomId
  const draft = { type: 'm.room.create', sender: creator, stateKey: '', content, originServerTs }
  checkDraft(draft)
  const built = buildCreateEvent(engine, rules, draft, rules.roomIdIsCreateHash ? undefined : chosenId)
  const roomId = rules.roomIdIsCreateHash ? roomIdOfCreate(built.eventId) : chosenId
  const write = beginWrite(newHead(engine, roomId, rules))
  await appendEvent(engine, write, draft, built)
  return write
}

/** A mistake in the request, and no lack of rights: from room version 12 on. */
function checkAdditionalCreators({ rules, creationContent }: CreateRoomInput): void {
  const additional = creationContent['additional_creators']
  if (!rules.privilegedCreators || additional === undefined) return
  if (!Array.isArray(additional) || !additional.every((userId) => isUserId(userId))) {
    throw badJson('additional_creators must be a list of user ids')
  }
}

function createContent({ rules, creator, creationContent, preset, invite }: CreateRoomInput): JsonObject {
  const content: JsonObject = { ...creationContent, room_version: rules.version }
  if (!rules.creatorIsSender) content['creator'] = creator
  else delete content['creator']
  if (!rules.privilegedCreators || preset !== 'trusted_private_chat') return content
  const asked = Array.isArray(content['additional_creators']) ? content['additional_creators'] : []
  const additional = [...new Set([...asked, ...invite])].filter((userId) => userId !== creator)
  if (additional.length > 0) content['additional_creators'] = additional
  return content
}

/** What the creator's own rules forbid is a mistake in the request, not a lack of rights. */
async function appendInitial(engine: RoomEngine, write: RoomWrite, draft: EventDraft): Promise<void> {
  try {
    checkDraft(draft)
    await appendEvent(engine, write, draft)
  } catch (error) {
    if (!(error instanceof MatrixError) || error.errcode !== 'M_FORBIDDEN') throw error
    throw new MatrixError(
      'M_INVALID_ROOM_STATE',
      `The room can't be created with this ${draft.type}: ${error.message}`,
    )
  }
}
