import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import type { UserRoom } from '../../rooms/membership-index.ts'
import type { SlidingContext } from './context.ts'
import type { ListRequest } from './request.ts'
import { combine, requiresAllMembers, type RoomConfig } from './room-config.ts'

/** A window as it is answered. */
export interface ListWindow {
  readonly range: readonly [number, number]
  readonly roomIds: readonly RoomId[]
}

export interface ListResult {
  /** Rooms that pass the filter. */
  readonly count: number
  /** All of them. */
  readonly order: readonly UserRoom[]
  readonly windows: readonly ListWindow[]
}

/** A room in a window or subscribed to. */
export interface WantedRoom {
  readonly room: UserRoom
  readonly config: RoomConfig
  /** Names of the lists that it is in. */
  readonly lists: readonly string[]
}

export interface Windows {
  readonly lists: ReadonlyMap<string, ListResult>
  readonly wanted: ReadonlyMap<RoomId, WantedRoom>
}

/** Which rooms the request is about. Costs no query where nothing has happened. */
export async function readWindows(ctx: SlidingContext): Promise<Windows> {
  const lists = new Map<string, ListResult>()
  const wanted = new Map<RoomId, WantedRoom>()
  const want = (room: UserRoom, config: RoomConfig, list?: string): void => {
    const held = wanted.get(room.roomId)
    const names = list === undefined || held?.lists.includes(list) === true ? [] : [list]
    wanted.set(room.roomId, {
      room,
      config: held === undefined ? config : combine(held.config, config),
      lists: [...(held?.lists ?? []), ...names],
    })
  }
  for (const [name, list] of ctx.request.lists) {
    const order = await listedRooms(ctx, list)
    const windows = windowsOn(order, list)
    for (const { rooms } of windows) for (const room of rooms) want(room, list.config, name)
    lists.set(name, {
      count: order.length,
      order,
      windows: windows.map(({ range, rooms }) => ({ range, roomIds: rooms.map(({ roomId }) => roomId) })),
    })
  }
  for (const [roomId, config] of ctx.request.subscriptions) {
    const room = ctx.rooms.byId.get(roomId)
    if (room !== undefined && !room.forgotten && !isHeldBack(ctx, config, room)) want(room, config)
  }
  return { lists, wanted }
}

async function listedRooms(
  ctx: SlidingContext,
  { filters, config }: ListRequest,
): Promise<readonly UserRoom[]> {
  const { hs, session, rooms } = ctx
  const { order } = await hs.sliding.listings.of(session.userId, rooms, filters)
  const ended: UserRoom[] = []
  for (const room of endedRooms(ctx)) {
    const isListed = order.some(({ roomId }) => roomId === room.roomId)
    if (!isListed && (await hs.sliding.listings.passesEnded(session.userId, rooms, filters, room)))
      ended.push(room)
  }
  // That a room is over is the newest of what happened to the user there.
  const all = ended.length === 0 ? order : [...ended.toSorted((a, b) => b.eventNid - a.eventNid), ...order]
  if (hs.rooms.partial.list().length === 0) return all
  return all.filter((room) => !isHeldBack(ctx, config, room))
}

/** Rooms that the client was told of, and that the user has left since. */
function endedRooms({ rooms, since, turn }: SlidingContext): UserRoom[] {
  if (since === undefined || rooms.lastLeft <= since.position) return []
  return [...rooms.byId.values()].filter(
    ({ membership, eventNid, roomNid }) =>
      membership === 'leave' && eventNid > since.position && turn.base.rooms.has(roomNid),
  )
}

function windowsOn(
  order: readonly UserRoom[],
  { ranges }: ListRequest,
): { range: readonly [number, number]; rooms: readonly UserRoom[] }[] {
  const asked = ranges ?? [[0, Math.max(0, order.length - 1)] as const]
  return asked.map((range) => ({ range, rooms: order.slice(range[0], range[1] + 1) }))
}

/** A room whose members are not all here yet is not shown to a client that wants those of other servers. */
function isHeldBack({ hs }: SlidingContext, config: RoomConfig, { roomNid }: UserRoom): boolean {
  if (hs.rooms.partial.find(roomNid) === undefined) return false
  const named = [config.required.get('m.room.member'), config.required.get('*')]
  const isFar = (stateKey: string): boolean =>
    stateKey.startsWith('@') && stateKey.includes(':') && serverNameOf(stateKey as never) !== hs.serverName
  return requiresAllMembers(config) || named.some((keys) => keys !== undefined && [...keys].some(isFar))
}
