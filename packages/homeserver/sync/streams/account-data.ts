import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import type { LogEntry } from '@causeway/store/log/entry.ts'
import {
  GLOBAL,
  listAccountData,
  listAccountDataOfRooms,
  type AccountDataRow,
} from '@causeway/store/tables/account-data.ts'
import { isPresent } from '../../user-data/account-data.ts'
import { pushRulesEvent } from '../../user-data/push-rules.ts'
import type { SyncContext } from '../context.ts'
import { toldRooms, type ToldRooms } from './joined-rooms.ts'

/** Account data as JSON texts of events. */
export interface AccountDataNews {
  readonly global: string[]
  readonly rooms: ReadonlyMap<RoomId, string[]>
}

/** One piece of account data; `roomNid` is `GLOBAL` where it belongs to no room. */
interface Piece {
  readonly roomNid: number
  readonly type: string
  readonly content: string
}

/**
 * The user's account data, tags and push rules: all on a first sync, else what changed; of a room that they came
 * into since, all. What was removed is told as empty, but on a first sync, whose reader has nothing. https://spec.matrix.org/v1.19/client-server-api/#client-config
 */
export async function readAccountData(ctx: SyncContext): Promise<AccountDataNews> {
  const { accountData, roomAccountData } = ctx.filter
  if (accountData.isEmpty && roomAccountData.isEmpty) return { global: [], rooms: new Map() }
  const rooms = toldRooms(ctx, roomAccountData)
  const pieces = new Map<string, Piece>()
  const add = (piece: Piece): void => void pieces.set(`${piece.roomNid} ${piece.type}`, piece)
  if (rooms.fresh.length > 0) {
    const rows = await listAccountDataOfRooms(ctx.hs.db, ctx.session.userId, rooms.fresh)
    rows.map(pieceOf).forEach(add)
  }
  for (const piece of ctx.entries === undefined ? await readRows(ctx) : piecesOf(ctx, ctx.entries)) add(piece)
  const news = group(ctx, rooms, pieces.values())
  if (!accountData.isEmpty && accountData.passes({ type: 'm.push_rules' })) {
    const rules = await readPushRules(ctx)
    if (rules !== undefined) news.global.unshift(rules)
  }
  return news
}

async function readRows({ hs, session, since, now }: SyncContext): Promise<Piece[]> {
  const rows = await listAccountData(hs.db, session.userId, since?.position ?? 0, now.position)
  return (since === undefined ? rows.filter(isPresent) : rows).map(pieceOf)
}

function pieceOf({ room_nid: roomNid, type, content }: AccountDataRow): Piece {
  return { roomNid, type, content }
}

function piecesOf({ session, rooms }: SyncContext, entries: readonly LogEntry[]): Piece[] {
  const pieces: Piece[] = []
  for (const entry of entries) {
    if (entry.kind !== 'account_data' || entry.userId !== session.userId) continue
    const roomNid = entry.roomId === undefined ? GLOBAL : rooms.byId.get(entry.roomId)?.roomNid
    if (roomNid !== undefined)
      pieces.push({ roomNid, type: entry.type, content: JSON.stringify(entry.content) })
  }
  return pieces
}

function group(
  { filter }: SyncContext,
  { all }: ToldRooms,
  pieces: Iterable<Piece>,
): { global: string[]; rooms: Map<RoomId, string[]> } {
  const global: string[] = []
  const rooms = new Map<RoomId, string[]>()
  for (const { roomNid, type, content } of pieces) {
    const roomId = all.get(roomNid)
    const section = roomNid === GLOBAL ? filter.accountData : filter.roomAccountData
    if ((roomNid !== GLOBAL && roomId === undefined) || section.isEmpty || !section.passes({ type })) continue
    const text = `{"type":${JSON.stringify(type)},"content":${content}}`
    if (roomId === undefined) global.push(text)
    else rooms.set(roomId, [...(rooms.get(roomId) ?? []), text])
  }
  return { global, rooms }
}

/** The rules when they are new to the reader, who has them from the first sync. */
async function readPushRules({ hs, session, since, entries }: SyncContext): Promise<string | undefined> {
  const { userId } = session
  if (entries !== undefined) {
    const changed = entries.some((entry) => entry.kind === 'push_rules' && entry.userId === userId)
    return changed ? pushRulesEvent(await hs.pushRules.of(userId)) : undefined
  }
  const rules = await hs.pushRules.of(userId)
  if (since !== undefined && (rules.changedAt ?? 0) <= since.position) return undefined
  return pushRulesEvent(rules)
}
