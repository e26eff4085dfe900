import type { RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { MatrixError, forbidden, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { parseJsonObject } from '@causeway/matrix/json/parse.ts'
import type { Database, Step } from '@causeway/store/db/database.ts'
import { PURGE_STAGES, purgePortion, type PurgedRoom } from '@causeway/store/erasure/statements.ts'
import type { JobRecord } from '@causeway/store/tables/jobs.ts'
import { listReferringEvents, noteUnreferenced } from '@causeway/store/tables/media-references.ts'
import { deletePurgedRoom, requirePurged } from '@causeway/store/tables/purged-rooms.ts'
import { listLocalMembers } from '@causeway/store/tables/rooms.ts'
import { closeRoom } from '../rooms/close-room.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import { forgetRoom } from '../rooms/forget-room.ts'
import { findRoom } from '../rooms/load-head.ts'
import { changeMembership } from '../rooms/membership.ts'
import { JobRefused, type JobKind, type JobWork } from './job.ts'
import type { Jobs } from './runner.ts'

const KIND = 'purge_room'
/** Rows that one write deletes of a table. */
const PORTION = 1_000
/** Members who leave at the same time; their writes share commits. */
const LEAVE_AT_ONCE = 8

/**
 * How far a purge has got: first people leave, then the room is closed, then its rows go. `deleted` is written
 * with the last of them: from then on the number may be that of another room.
 */
interface PurgeProgress {
  readonly phase: 'leaving' | 'deleting' | 'deleted'
  /** People of this server who left for it. */
  readonly left: number
  readonly roomNid: number
  /** The table under way. */
  readonly table: string
  readonly rows: number
}

const BEGINNING: PurgeProgress = { phase: 'leaving', left: 0, roomNid: 0, table: '', rows: 0 }

const toJson = (progress: PurgeProgress): JsonObject => ({ ...progress })

/**
 * Begins to delete everything that this server has of a room. While people of this server are in it that is
 * refused, unless with `force`: then they leave first. Uploads that nothing else shows go as after a redaction.
 * Throws `M_NOT_FOUND`, and `M_FORBIDDEN` while people are in the room.
 */
export async function purgeRoom(
  { rooms: engine, jobs }: { readonly rooms: RoomEngine; readonly jobs: Jobs },
  roomId: RoomId,
  { force }: { readonly force: boolean },
): Promise<JobRecord> {
  const room = await findRoom(engine, roomId)
  if (room === undefined) throw notFound(`This server does not know the room ${roomId}`)
  const { size } = await engine.members.localMembers(room.roomNid)
  if (size > 0 && !force) throw forbidden(sentenceFor(size))
  return await jobs.start(KIND, roomId, { force })
}

function sentenceFor(people: number): string {
  const who = people === 1 ? 'One user of this server is' : `${people} users of this server are`
  return `${who} in the room; with "force" they leave it first`
}

export function purgeRoomKind(engine: RoomEngine): JobKind {
  return {
    name: KIND,
    async run(work) {
      const progress = { ...BEGINNING, ...(work.progress as Partial<PurgeProgress>) }
      if (progress.phase === 'deleted') return
      const roomId = work.subject as RoomId
      const closed =
        progress.phase === 'leaving'
          ? await emptyAndClose(engine, work, roomId, progress)
          : { ...progress, phase: 'deleting' as const }
      await deleteRows(engine, work, { roomId, roomNid: closed.roomNid }, closed)
    },
  }
}

/** Somebody may come back while the others leave; that often is enough for all but a game. */
const ROUNDS = 10

async function emptyAndClose(
  engine: RoomEngine,
  work: JobWork,
  roomId: RoomId,
  before: PurgeProgress,
): Promise<PurgeProgress> {
  let { left } = before
  for (let round = 0; round < ROUNDS; round++) {
    const room = await findRoom(engine, roomId)
    if (room === undefined) break
    left += await emptyRoom(engine, work, { roomId, roomNid: room.roomNid }, left)
    const note = ({ roomNid }: PurgedRoom): PurgeProgress => ({
      ...BEGINNING,
      phase: 'deleting',
      left,
      roomNid,
    })
    const closed = await closeRoom(engine, roomId, (one) => [work.note(toJson(note(one)))])
    if (closed === 'unknown') break
    if (closed !== 'occupied') return note(closed)
    if (work.input['force'] !== true) throw new JobRefused('Somebody of this server has come into the room')
  }
  throw new JobRefused('The room is not known, or people come back into it as fast as they are made to leave')
}

/** Those invited or knocking go in any case, those who are in the room only with `force`. Answers how many. */
async function emptyRoom(
  engine: RoomEngine,
  work: JobWork,
  { roomId, roomNid }: PurgedRoom,
  before: number,
): Promise<number> {
  const memberships = work.input['force'] === true ? ['invite', 'knock', 'join'] : ['invite', 'knock']
  const present = await localMembers(engine.db, roomNid, memberships)
  for (let at = 0; at < present.length; at += LEAVE_AT_ONCE) {
    const some = present.slice(at, at + LEAVE_AT_ONCE)
    await Promise.all(some.map((userId) => leave(engine, roomId as RoomId, userId)))
    await work.save(toJson({ ...BEGINNING, left: before + at + some.length }))
  }
  return present.length
}

async function localMembers(
  db: Database,
  roomNid: number,
  memberships: readonly string[],
): Promise<UserId[]> {
  const lists = memberships.map((membership) => listLocalMembers(db, roomNid, membership))
  return (await Promise.all(lists)).flat() as UserId[]
}

/** Who has left by themselves meanwhile is refused, and that is as well. */
async function leave(engine: RoomEngine, roomId: RoomId, userId: UserId): Promise<void> {
  try {
    await changeMembership(engine, { roomId, action: 'leave', sender: userId, target: userId })
  } catch (error) {
    if (!(error instanceof MatrixError) || error.status >= 500) throw error
  }
}

/** Media that the next portion of events shows may be without any reference afterwards. Nobody writes to the room any more. */
async function mediaNotes({ db, clock }: RoomEngine, roomNid: number): Promise<Step[]> {
  const events = await listReferringEvents(db, roomNid, PORTION)
  return events.flatMap(({ nid, json }) => {
    const sender = findSender(json)
    return sender === undefined ? [] : [noteUnreferenced(nid, sender, clock.now())]
  })
}

/** An event that cannot be read any more must not keep its room from being purged. */
function findSender(json: Uint8Array): string | undefined {
  try {
    return parseJsonObject(json)['sender'] as string
  } catch {
    return undefined
  }
}

async function deleteRows(
  engine: RoomEngine,
  work: JobWork,
  room: PurgedRoom,
  closed: PurgeProgress,
): Promise<void> {
  forgetRoom(engine, { roomId: room.roomId as RoomId, roomNid: room.roomNid })
  let { rows } = closed
  const from = Math.max(
    0,
    PURGE_STAGES.findIndex(({ table }) => table === closed.table),
  )
  for (const stage of PURGE_STAGES.slice(from)) {
    // By now the id may be that of another room.
    if (stage.rule.by === 'room_id' && (await findRoom(engine, room.roomId as RoomId)) !== undefined) continue
    for (;;) {
      const media = stage.table === 'events' ? await mediaNotes(engine, room.roomNid) : []
      const steps = [requirePurged(room.roomNid), ...media, ...purgePortion(stage, room, PORTION)]
      // The rows of this portion are counted with the next one: their number is known only by then.
      const result = await work.save(toJson({ ...closed, table: stage.table, rows }), steps)
      const gone = result.rows.get(steps.length - 1)?.length ?? 0
      rows += gone
      if (gone < PORTION) break
    }
  }
  forgetRoom(engine, { roomId: room.roomId as RoomId, roomNid: room.roomNid })
  await work.save(toJson({ ...closed, phase: 'deleted', table: '', rows }), [deletePurgedRoom(room.roomNid)])
}
