import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { forbidden, MatrixError } from '@causeway/matrix/errors/matrix-error.ts'
import type { LogEntry } from '@causeway/store/log/entry.ts'
import {
  changeAccountData,
  findAccountData,
  GLOBAL,
  REMOVED,
  setAccountData,
  type AccountDataRow,
} from '@causeway/store/tables/account-data.ts'
import type { Homeserver } from '../homeserver.ts'

type Parts = Pick<Homeserver, 'db' | 'log' | 'rooms'>

/** Where a piece of account data belongs. */
export interface AccountDataPlace {
  readonly userId: UserId
  /** Undefined for global account data. */
  readonly roomId: RoomId | undefined
  readonly type: string
}

/** How often a change is tried again when another one of the same piece came first. */
const ATTEMPTS = 5

/** The number under which the place is stored. Throws `M_FORBIDDEN` for a room the user has nothing to do with. */
async function roomNidOf({ rooms }: Parts, { userId, roomId }: AccountDataPlace): Promise<number> {
  if (roomId === undefined) return GLOBAL
  const room = (await rooms.members.roomsOf(userId)).byId.get(roomId)
  if (room === undefined) throw forbidden('You can keep data only for rooms that you are or were in')
  return room.roomNid
}

function entryOf(place: AccountDataPlace, content: JsonObject): LogEntry {
  return { kind: 'account_data', position: 0, ...place, content }
}

/** Whether there is such a piece: it was set, and not removed since. */
export function isPresent<Found extends Pick<AccountDataRow, 'content'>>(
  row: Found | undefined,
): row is Found {
  return row !== undefined && row.content !== REMOVED
}

/** The content of one piece, or undefined when it was never set, or removed since. */
export async function readAccountData(hs: Parts, place: AccountDataPlace): Promise<JsonObject | undefined> {
  const row = await findAccountData(hs.db, place.userId, await roomNidOf(hs, place), place.type)
  return isPresent(row) ? (JSON.parse(row.content) as JsonObject) : undefined
}

/**
 * Sets one piece, whatever it was; without content, removes it. Told in any case: clients (matrix-js-sdk) wait to hear of
 * what they have set, the default key that they take away where there is none too. Resolves once that is durable.
 */
export async function writeAccountData(
  hs: Parts,
  place: AccountDataPlace,
  content: JsonObject,
): Promise<void> {
  const text = JSON.stringify(content)
  const key = { userId: place.userId, roomNid: await roomNidOf(hs, place), type: place.type }
  await hs.log.append({
    entries: [entryOf(place, content)],
    steps: [setAccountData(key, { content: text, entry: 0, now: hs.rooms.clock.now() })],
  })
}

/**
 * Removes one piece: nobody reads it from here on, and clients that sync from before are told that it is empty. Where there
 * is none, nothing happens. https://github.com/matrix-org/matrix-spec-proposals/pull/3391
 */
export async function removeAccountData(hs: Parts, place: AccountDataPlace): Promise<void> {
  const key = { userId: place.userId, roomNid: await roomNidOf(hs, place), type: place.type }
  if (!isPresent(await findAccountData(hs.db, key.userId, key.roomNid, key.type))) return
  await hs.log.append({
    entries: [entryOf(place, {})],
    steps: [setAccountData(key, { content: REMOVED, entry: 0, now: hs.rooms.clock.now() })],
  })
}

/**
 * Changes one piece by what it was, so that two changes at once both take effect. `change` answers undefined
 * when there is nothing to do, and may run several times.
 */
export async function editAccountData(
  hs: Parts,
  place: AccountDataPlace,
  change: (content: JsonObject) => JsonObject | undefined,
): Promise<void> {
  const roomNid = await roomNidOf(hs, place)
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const row = await findAccountData(hs.db, place.userId, roomNid, place.type)
    const content = change(row === undefined ? {} : (JSON.parse(row.content) as JsonObject))
    if (content === undefined) return
    const key = { userId: place.userId, roomNid, type: place.type }
    const result = await hs.log.append({
      entries: [entryOf(place, content)],
      steps: [
        changeAccountData(
          key,
          { content: JSON.stringify(content), entry: 0, now: hs.rooms.clock.now() },
          row?.position,
        ),
      ],
    })
    if (result.ok) return
  }
  throw new MatrixError('M_UNKNOWN', 'This is being changed by other requests; try again')
}
