import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import {
  GLOBAL,
  listAccountData,
  listAccountDataOfRooms,
  type AccountDataRow,
} from '@causeway/store/tables/account-data.ts'
import { isPresent } from '../../../user-data/account-data.ts'
import { pushRulesEvent } from '../../../user-data/push-rules.ts'
import type { SlidingContext } from '../context.ts'
import { roomsJson, type ExtensionResult } from './extension.ts'
import type { ScopedRooms } from './scope.ts'

type Piece = Pick<AccountDataRow, 'room_nid' | 'type' | 'content'>

/**
 * What the user has set for themselves: all at first, and of rooms that are new to the client, else what changed. What was
 * removed is told as empty, but at first.
 * https://github.com/matrix-org/matrix-spec-proposals/pull/3959
 */
export async function readAccountData(ctx: SlidingContext, scoped: ScopedRooms): Promise<ExtensionResult> {
  const rooms = new Map<number, RoomId>()
  for (const { roomNid, roomId } of scoped.fresh) rooms.set(roomNid, roomId)
  for (const { room } of scoped.behind) rooms.set(room.roomNid, room.roomId)
  const pieces = new Map<string, Piece>()
  const add = (piece: Piece): void => void pieces.set(`${piece.room_nid} ${piece.type}`, piece)
  for (const piece of await readRooms(ctx, scoped)) add(piece)
  for (const { roomNid, roomId } of scoped.live.values()) rooms.set(roomNid, roomId)
  for (const piece of await readChanges(ctx)) add(piece)
  const global: string[] = []
  const byRoom = new Map<string, string>()
  for (const { room_nid: roomNid, type, content } of pieces.values()) {
    const text = `{"type":${JSON.stringify(type)},"content":${content}}`
    const roomId = rooms.get(roomNid)
    if (roomNid === GLOBAL) global.push(text)
    else if (roomId !== undefined)
      byRoom.set(roomId, `${byRoom.has(roomId) ? `${byRoom.get(roomId)},` : ''}${text}`)
  }
  const rules = await readPushRules(ctx)
  if (rules !== undefined) global.unshift(rules)
  const lists = new Map([...byRoom].map(([roomId, texts]) => [roomId, `[${texts}]`]))
  return {
    text: `{"global":[${global.join(',')}],"rooms":${roomsJson(lists)}}`,
    isNews: global.length + byRoom.size > 0,
  }
}

/** All of rooms that are new to the client, with all that is global at first; of those that were out of sight what changed. */
async function readRooms(ctx: SlidingContext, { fresh, behind }: ScopedRooms): Promise<Piece[]> {
  const until = new Map(behind.map((one) => [one.room.roomNid, one.until]))
  const nids = [...fresh.map(({ roomNid }) => roomNid), ...until.keys()]
  if (ctx.since === undefined) nids.push(GLOBAL)
  if (nids.length === 0) return []
  const all = await listAccountDataOfRooms(ctx.hs.db, ctx.session.userId, nids)
  const rows = ctx.since === undefined ? all.filter(isPresent) : all
  return rows.filter(({ room_nid: roomNid, position }) => position > (until.get(roomNid) ?? -1))
}

async function readChanges({ hs, session, since, now, entries, rooms }: SlidingContext): Promise<Piece[]> {
  if (since === undefined) return []
  if (entries === undefined) {
    if (!hs.log.changes.account_data.mayHaveChanged(session.userId, since.position)) return []
    return listAccountData(hs.db, session.userId, since.position, now.position)
  }
  const pieces: Piece[] = []
  for (const entry of entries) {
    if (entry.kind !== 'account_data' || entry.userId !== session.userId) continue
    const roomNid = entry.roomId === undefined ? GLOBAL : rooms.byId.get(entry.roomId)?.roomNid
    if (roomNid !== undefined)
      pieces.push({ room_nid: roomNid, type: entry.type, content: JSON.stringify(entry.content) })
  }
  return pieces
}

async function readPushRules({ hs, session, since, entries }: SlidingContext): Promise<string | undefined> {
  const { userId } = session
  const isKnown = since !== undefined && entries !== undefined
  if (isKnown && !entries.some((entry) => entry.kind === 'push_rules' && entry.userId === userId))
    return undefined
  const rules = await hs.pushRules.of(userId)
  if (since !== undefined && (rules.changedAt ?? 0) <= since.position) return undefined
  return pushRulesEvent(rules)
}
