import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { isCompliantUserId, serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import type { Step } from '@causeway/store/db/database.ts'
import {
  dropUnseenNames,
  findDirectoryRooms,
  hideName,
  listJoins,
  listNamesOf,
  listShown,
  requireKnownRoom,
  saveName,
  showName,
  type DirectoryNameRow,
} from '@causeway/store/tables/user-directory.ts'
import type { Members } from './changes.ts'
import type { DirectoryLane } from './lane.ts'
import { keyOf, readShownNames, type ShownName } from './shown-names.ts'
import { wordsOfName } from './words.ts'

/**
 * Makes the directory show these members as they are now, by the tables. To be repeated at will: what is right
 * already is not written. In the lane.
 * @param also done in the same write
 */
export async function refreshMembers(
  lane: DirectoryLane,
  members: Members,
  also: readonly Step[] = [],
): Promise<void> {
  const steps = [...(await stepsFor(lane, members)), ...also]
  if (steps.length === 0) return
  const result = await lane.db.commit({ entries: [], steps })
  if (result.ok) return
  // One of the rooms is being purged. The others are as they were.
  if (members.size > 1) {
    for (const one of members) await refreshMembers(lane, new Map([one]))
    if (also.length > 0) await lane.db.commit({ entries: [], steps: also })
  }
}

async function stepsFor(lane: DirectoryLane, members: Members): Promise<Step[]> {
  const { db } = lane
  const roomNids = [...members.keys()]
  const userIds = [...new Set([...members.values()].flatMap((users) => [...users]))]
  if (userIds.length === 0) return []
  const [rooms, joins, names, shown] = await Promise.all([
    findDirectoryRooms(db, roomNids),
    listJoins(db, userIds, roomNids),
    listNamesOf(db, userIds),
    listShown(db, userIds, roomNids),
  ])
  const wanted = joins.filter(
    ({ room_nid: roomNid, user_id: userId }) =>
      rooms.get(roomNid)?.is_live === 1 &&
      members.get(roomNid)!.has(userId as UserId) &&
      !lane.hidden.has(userId as UserId) &&
      isCompliantUserId(userId as UserId),
  )
  const texts = await readShownNames(lane, wanted)
  const held = Map.groupBy(shown, (row) => keyOf(row.room_nid, row.user_id))
  const book = new NameBook(lane, names)
  const steps: Step[] = []
  const hiddenOf = new Set<string>()
  const shownIn = new Set<number>()
  for (const [roomNid, users] of members) {
    for (const userId of users) {
      const text = texts.get(keyOf(roomNid, userId))
      const nid = text === undefined ? undefined : book.nidOf(userId, text)
      const before = held.get(keyOf(roomNid, userId)) ?? []
      for (const { name_nid: old } of before) {
        if (old === nid) continue
        steps.push(hideName(old, roomNid))
        hiddenOf.add(userId)
      }
      if (nid === undefined || before.some((row) => row.name_nid === nid)) continue
      steps.push(showName(nid, roomNid))
      shownIn.add(roomNid)
    }
  }
  return [
    ...[...shownIn].map(requireKnownRoom),
    ...book.steps,
    ...steps,
    ...[...hiddenOf].flatMap(dropUnseenNames),
  ]
}

/** The names that are there, and those that come to them. */
class NameBook {
  readonly steps: Step[] = []
  readonly #lane: DirectoryLane
  readonly #names: Map<string, DirectoryNameRow[]>

  constructor(lane: DirectoryLane, names: readonly DirectoryNameRow[]) {
    this.#lane = lane
    this.#names = Map.groupBy(names, (row) => row.user_id)
  }

  nidOf(userId: UserId, text: ShownName): number {
    const names = this.#names.get(userId) ?? []
    const same = names.find((row) => isSame(row, text))
    if (same !== undefined) return same.nid
    // One of ours has one name, which becomes another.
    const isOurs = serverNameOf(userId) === this.#lane.serverName
    const nid = (isOurs ? names[0]?.nid : undefined) ?? this.#lane.nextNameNid()
    const row = { nid, user_id: userId, display_name: text.displayName, avatar_url: text.avatarUrl }
    this.#names.set(userId, [...names.filter((name) => name.nid !== nid), row])
    this.steps.push(...saveName(row, wordsOfName(userId, text.displayName)))
    return nid
  }
}

function isSame(row: DirectoryNameRow, { displayName, avatarUrl }: ShownName): boolean {
  return row.display_name === displayName && row.avatar_url === avatarUrl
}

/** A user of ours has another profile. In the lane. */
export async function refreshProfile(lane: DirectoryLane, userId: UserId): Promise<void> {
  const [name] = await listNamesOf(lane.db, [userId])
  if (name === undefined) return
  const texts = await readShownNames(lane, [{ user_id: userId, room_nid: 0, event_nid: 0 }])
  const book = new NameBook(lane, [name])
  book.nidOf(userId, texts.get(keyOf(0, userId))!)
  if (book.steps.length > 0) await lane.db.commit({ entries: [], steps: book.steps })
}
