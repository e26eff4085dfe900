import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { RoomId, ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import { invalidParam, MatrixError, notFound } from '@causeway/matrix/errors/matrix-error.ts'
import { findRoomVersion } from '@causeway/matrix/room-versions/rules.ts'
import { listAliases, moveAliases } from '@causeway/store/tables/aliases.ts'
import { blockRoom } from '@causeway/store/tables/blocked-rooms.ts'
import { findOpenJob, type JobRecord } from '@causeway/store/tables/jobs.ts'
import { listServersInRoom } from '@causeway/store/tables/room-servers.ts'
import { listLocalMembers } from '@causeway/store/tables/rooms.ts'
import type { Homeserver } from '../homeserver.ts'
import { readMemberProfiles } from '../profile/member-profile.ts'
import { createRoom } from '../rooms/create-room.ts'
import { findRoom } from '../rooms/load-head.ts'
import { changeMembership } from '../rooms/membership.ts'
import { sendEvent } from '../rooms/send.ts'
import type { RoomInfo } from '../rooms/stored-event.ts'
import type { JobKind, JobWork } from './job.ts'
import { purgeRoomKind } from './purge-room.ts'

export const SHUT_DOWN_ROOM = 'shut_down_room'
/**
 * Members who are moved between two notes of how far it has got; of very many people more, since each note lists all
 * of them: a hundred notes at most.
 */
const PORTION = 32
const MAX_NOTES = 100
/** Servers that are told before the room goes, and for how long they are waited for. */
const MAX_TOLD = 1_000
const TOLD_WITHIN_MS = 30_000

export interface ShutDownInput {
  /** The administrator. */
  readonly by: UserId
  /** Whether nobody of this server may come back. */
  readonly block: boolean
  /** Whether what is known of the room goes as well. */
  readonly purge: boolean
  /** Where people are moved to: a room that this user makes; absent: nowhere. */
  readonly newRoom?: { readonly creator: UserId; readonly name: string; readonly message: string } | undefined
}

type Deps = Pick<
  Homeserver,
  'db' | 'rooms' | 'jobs' | 'config' | 'serverName' | 'clock' | 'remoteProfiles' | 'outbound'
>

/** How far it has got. `users` are those who were in the room at the beginning, `at` is the next of them. */
interface Progress {
  readonly phase: 'moving' | 'purging'
  readonly users: readonly (readonly [UserId, string])[] | undefined
  readonly at: number
  readonly failed: readonly UserId[]
  readonly aliases: readonly string[]
  readonly newRoomId: RoomId | null
  readonly purge: JsonObject
}

const BEGINNING: Progress = {
  phase: 'moving',
  users: undefined,
  at: 0,
  failed: [],
  aliases: [],
  newRoomId: null,
  purge: {},
}

const progressOf = (progress: JsonObject): Progress => ({ ...BEGINNING, ...(progress as Partial<Progress>) })
const toJson = (progress: Progress): JsonObject => JSON.parse(JSON.stringify(progress)) as JsonObject

/** What became of the people in the room so far. */
export interface ShutDownResult {
  readonly moved: readonly UserId[]
  readonly failed: readonly UserId[]
  readonly aliases: readonly string[]
  readonly newRoomId: RoomId | null
}

export function shutDownResult({ progress }: JobRecord): ShutDownResult {
  const { users = [], at, failed, aliases, newRoomId } = progressOf(progress)
  const done = users.slice(0, at).map(([userId]) => userId)
  return { moved: done.filter((userId) => !failed.includes(userId)), failed, aliases, newRoomId }
}

/**
 * Begins to empty a room of the people of this server, to block it, to move them to another, and to delete what is
 * known of it. Throws `M_NOT_FOUND` for a room that is not known, unless it is to be blocked, and `M_INVALID_PARAM` while
 * another such job about it is to be done.
 */
export async function shutDownRoom(hs: Deps, roomId: RoomId, input: ShutDownInput): Promise<JobRecord> {
  if ((await findOpenJob(hs.db, SHUT_DOWN_ROOM, roomId)) !== undefined)
    throw invalidParam(`Purge already in progress for ${roomId}`)
  if (!input.block && (await findRoom(hs.rooms, roomId)) === undefined) throw notFound('Room not found')
  // First of all, so that nobody comes back while the others leave.
  if (input.block) await hs.db.commit({ entries: [], steps: [blockRoom(roomId, input.by, hs.clock.now())] })
  return await hs.jobs.start(SHUT_DOWN_ROOM, roomId, JSON.parse(JSON.stringify(input)) as JsonObject)
}

/** @param deps read when the job runs: the record is not complete when its jobs are made */
export function shutDownRoomKind(deps: () => Deps): JobKind {
  return {
    name: SHUT_DOWN_ROOM,
    async run(work) {
      const hs = deps()
      const input = work.input as unknown as ShutDownInput
      let progress = progressOf(work.progress)
      if (progress.phase === 'moving') {
        const room = await findRoom(hs.rooms, work.subject as RoomId)
        if (room === undefined) return
        progress = await emptyRoom(hs, work, room, input)
        if (input.purge) await tellOthers(hs, room)
      }
      if (!input.purge) return
      await purgeRoomKind(hs.rooms).run(purgeWork(work, progress))
    },
  }
}

/** What goes with the room is not sent any more: that we have left has to be told before, as far as others listen. */
async function tellOthers({ db, outbound }: Deps, { roomNid }: RoomInfo): Promise<void> {
  const servers = await listServersInRoom(db, roomNid, MAX_TOLD)
  await outbound.caughtUp(servers as ServerName[], TOLD_WITHIN_MS)
}

/** The work of purging, whose progress is a part of ours. */
function purgeWork(work: JobWork, progress: Progress): JobWork {
  const whole = (purge: JsonObject): JsonObject => toJson({ ...progress, phase: 'purging', purge })
  return {
    subject: work.subject,
    input: { force: true },
    progress: progress.purge,
    signal: work.signal,
    save: (purge, steps, entries) => work.save(whole(purge), steps, entries),
    note: (purge) => work.note(whole(purge)),
  }
}

async function emptyRoom(
  hs: Deps,
  work: JobWork,
  room: RoomInfo,
  { newRoom }: ShutDownInput,
): Promise<Progress> {
  let progress = progressOf(work.progress)
  const save = async (next: Partial<Progress>): Promise<void> => {
    progress = { ...progress, ...next }
    await work.save(toJson(progress))
  }
  if (progress.users === undefined) await save({ users: await listPresent(hs, room) })
  if (newRoom !== undefined && progress.newRoomId === null) {
    progress = { ...progress, newRoomId: await makeRoom(hs, work, newRoom, progress) }
  }
  const { users = [], newRoomId } = progress
  const portion = Math.max(PORTION, Math.ceil(users.length / MAX_NOTES))
  while (progress.at < users.length) {
    const some = users.slice(progress.at, progress.at + portion)
    const failed = await moveSome(hs, room, some, newRoomId)
    await save({ at: progress.at + some.length, failed: [...progress.failed, ...failed] })
  }
  if (newRoom === undefined) return progress
  return await moveAddresses(hs, work, room, newRoom, progress)
}

async function listPresent({ db }: Deps, { roomNid }: RoomInfo): Promise<(readonly [UserId, string])[]> {
  const lists = ['join', 'invite', 'knock'].map(async (membership) =>
    (await listLocalMembers(db, roomNid, membership)).map(
      (userId) => [userId as UserId, membership] as const,
    ),
  )
  return (await Promise.all(lists)).flat()
}

type NewRoom = NonNullable<ShutDownInput['newRoom']>

/** A room in which people are told why; that there is one is noted by the commit that makes it. */
async function makeRoom(hs: Deps, work: JobWork, wanted: NewRoom, progress: Progress): Promise<RoomId> {
  const profileOf = await readMemberProfiles(hs, [wanted.creator])
  return await createRoom(hs.rooms, {
    rules: findRoomVersion(hs.config.default_room_version)!,
    creator: wanted.creator,
    preset: 'public_chat',
    name: wanted.name,
    creationContent: {},
    initialState: [],
    invite: [],
    isDirect: false,
    // Who is moved there reads, and does not write.
    powerLevelOverride: { users_default: -10 },
    creatorProfile: profileOf(wanted.creator),
    profileOf,
    companions: ({ roomId }) => ({ steps: [work.note(toJson({ ...progress, newRoomId: roomId }))] }),
  })
}

/** Answers whom it could not move. Those who have left by themselves, or are in the new room, are left where they are. */
async function moveSome(
  hs: Deps,
  { roomId }: RoomInfo,
  users: readonly (readonly [UserId, string])[],
  newRoomId: RoomId | null,
): Promise<UserId[]> {
  const profileOf = await readMemberProfiles(
    hs,
    users.map(([userId]) => userId),
  )
  const failed = await Promise.all(
    users.map(async ([userId, membership]) => {
      const act = (action: 'leave' | 'join', where: RoomId): Promise<unknown> =>
        changeMembership(hs.rooms, {
          roomId: where,
          action,
          sender: userId,
          target: userId,
          profile: profileOf(userId),
        })
      const left = await isDone(() => act('leave', roomId))
      const isMoved =
        newRoomId === null || membership !== 'join' || (await isDone(() => act('join', newRoomId)))
      return left && isMoved ? [] : [userId]
    }),
  )
  return failed.flat()
}

/** Whether it was not refused. */
async function isDone(act: () => Promise<unknown>): Promise<boolean> {
  try {
    await act()
    return true
  } catch (error) {
    if (error instanceof MatrixError && error.status < 500) return false
    throw error
  }
}

/** Addresses lead to the new room from now on, where the reason stands. */
async function moveAddresses(
  hs: Deps,
  work: JobWork,
  { roomId }: RoomInfo,
  { creator, message }: NewRoom,
  progress: Progress,
): Promise<Progress> {
  const newRoomId = progress.newRoomId!
  const noted: Progress = { ...progress, phase: 'purging', aliases: await listAliases(hs.db, roomId) }
  const content = { msgtype: 'm.text', body: message }
  // Once: whoever comes here again finds that the purge has begun.
  await sendEvent(hs.rooms, {
    roomId: newRoomId,
    type: 'm.room.message',
    sender: creator,
    content,
    companions: () => ({
      steps: [moveAliases(roomId, newRoomId), work.note(toJson(noted))],
    }),
  })
  return noted
}
