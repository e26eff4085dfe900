import type { UserId } from '@causeway/matrix/ids/ids.ts'
import {
  deletePurgedDirectoryRoom,
  findDirectoryRooms,
  listJoined,
  listShownUsers,
  requireKnownRoom,
  saveDirectoryRoom,
  Walk,
  type DirectoryRoomRow,
} from '@causeway/store/tables/user-directory.ts'
import { findRoomIdByNid } from '@causeway/store/tables/rooms.ts'
import { getRoomByNid } from '../rooms/load-head.ts'
import { readNewestState } from '../rooms/newest-state.ts'
import type { DirectoryLane } from './lane.ts'
import { refreshMembers } from './refresh-members.ts'

/** Members that are looked at for one write. */
const PORTION = 250

/**
 * Notes whether people of ours are in a room, and whether it is open to all. When the first of ours comes or the
 * last has left, or where that is asked for, all its members are to be looked at. In the lane.
 * @returns whether they are
 */
export async function examineRoom(
  lane: DirectoryLane,
  roomNid: number,
  { anew }: { readonly anew: 'never' | 'always' | 'if nobody else of ours is in it' },
): Promise<boolean> {
  const roomId = await findRoomIdByNid(lane.db, roomNid)
  if (roomId?.startsWith('!') !== true) return false
  const [rows, { size }] = await Promise.all([
    findDirectoryRooms(lane.db, [roomNid]),
    lane.rooms.members.localMembers(roomNid),
  ])
  const row = rows.get(roomNid)
  const isPublic = size > 0 && (await isOpen(lane, roomNid))
  const isAnew =
    row === undefined ||
    anew === 'always' ||
    (row.is_live === 1) !== size > 0 ||
    (anew !== 'never' && size <= 1)
  const next: DirectoryRoomRow = {
    room_nid: roomNid,
    is_live: size > 0 ? 1 : 0,
    is_public: isPublic ? 1 : 0,
    walk: isAnew ? Walk.shown : row.walk,
    walked_to: isAnew ? '' : row.walked_to,
  }
  if (isAnew || row.is_public !== next.is_public) {
    // Refused when it is being purged: then nothing is to be noted of it.
    const steps = [requireKnownRoom(roomNid), saveDirectoryRoom(next)]
    if (!(await lane.db.commit({ entries: [], steps })).ok) return false
  }
  return next.walk !== Walk.done
}

/** Whether anybody may join a room or read it. */
async function isOpen({ rooms: engine }: DirectoryLane, roomNid: number): Promise<boolean> {
  const [joinRules, visibility] = await readNewestState(engine, await getRoomByNid(engine, roomNid), [
    { type: 'm.room.join_rules', stateKey: '' },
    { type: 'm.room.history_visibility', stateKey: '' },
  ])
  return (
    joinRules?.stored.content['join_rule'] === 'public' ||
    visibility?.stored.content['history_visibility'] === 'world_readable'
  )
}

/**
 * Looks at the next members of a room: first at those whom it shows, some of whom may have gone, then at those
 * who are in it. A room that was purged is forgotten in the end. In the lane.
 * @returns whether there are more
 */
export async function walkPortion(lane: DirectoryLane, roomNid: number): Promise<boolean> {
  const row = (await findDirectoryRooms(lane.db, [roomNid])).get(roomNid)
  if (row === undefined || row.walk === Walk.done) return false
  const { userIds, next } = row.walk === Walk.shown ? await shown(lane, row) : await joined(lane, row)
  const members = new Map(userIds.length === 0 ? [] : [[roomNid, new Set(userIds as UserId[])]])
  const isOver = next.walk === Walk.done
  const forget = isOver && next.is_live === 0 ? [deletePurgedDirectoryRoom(roomNid)] : []
  await refreshMembers(lane, members, [saveDirectoryRoom(next), ...forget])
  return !isOver
}

interface Portion {
  readonly userIds: readonly string[]
  /** The room once these were looked at. */
  readonly next: DirectoryRoomRow
}

async function shown({ db }: DirectoryLane, row: DirectoryRoomRow): Promise<Portion> {
  const { userIds, last } = await listShownUsers(db, row.room_nid, Number(row.walked_to), PORTION)
  if (last !== undefined) return { userIds, next: { ...row, walked_to: String(last) } }
  const walk = row.is_live === 1 ? Walk.joined : Walk.done
  return { userIds, next: { ...row, walk, walked_to: '' } }
}

async function joined({ db }: DirectoryLane, row: DirectoryRoomRow): Promise<Portion> {
  const { walked_to: to } = row
  const after = to === '' ? { isLocal: 0, userId: '' } : { isLocal: Number(to[0]), userId: to.slice(1) }
  const members = await listJoined(db, row.room_nid, after, PORTION)
  const last = members.length < PORTION ? undefined : members.at(-1)!
  return {
    userIds: members.map((member) => member.user_id),
    next:
      last === undefined
        ? { ...row, walk: Walk.done, walked_to: '' }
        : { ...row, walked_to: `${last.is_local}${last.user_id}` },
  }
}

/** The same for a room of which not more is known than that it is to be walked. In the lane. */
export async function resumeWalk(lane: DirectoryLane, roomNid: number): Promise<void> {
  await examineRoom(lane, roomNid, { anew: 'never' })
  await walkPortion(lane, roomNid)
}
