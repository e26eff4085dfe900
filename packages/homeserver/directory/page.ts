import { invalidParam } from '@causeway/matrix/errors/matrix-error.ts'
import type { ListedRoom } from './describe-room.ts'
import { byPlace, type Directory, type Place } from './public-rooms.ts'

/** What somebody looks for in the directory. */
export interface DirectoryQuery {
  /** Words or a part of one, in name, topic or alias. */
  readonly term: string | undefined
  /** null: rooms without a type. */
  readonly roomTypes: readonly (string | null)[] | undefined
  /** A network; empty: our own directory; undefined: all. */
  readonly networkId: string | undefined
  readonly limit: number
  readonly since: string | undefined
}

export interface DirectoryPage {
  readonly rooms: readonly ListedRoom[]
  readonly next: string | undefined
  readonly previous: string | undefined
  /** Of rooms that are found, on all pages. */
  readonly total: number
}

/** A token names the room at the page's edge, not a count: rooms that come and go shift nothing. */
const TOKEN = /^([nb])(\d{1,15})_(\d{1,15})$/

function formatToken(direction: 'n' | 'b', { joined, roomNid }: Place): string {
  return `${direction}${joined}_${roomNid}`
}

function parseToken(token: string): { direction: string; place: Place } {
  const parts = TOKEN.exec(token)
  if (parts === null) throw invalidParam('This is no token that the room directory has returned')
  return { direction: parts[1]!, place: { joined: Number(parts[2]), roomNid: Number(parts[3]) } }
}

function matches(directory: Directory, query: DirectoryQuery, room: ListedRoom): boolean {
  const { term, roomTypes, networkId } = query
  if (networkId !== undefined && directory.networks.get(room.roomNid)?.has(networkId) !== true) return false
  if (roomTypes !== undefined && !roomTypes.includes(room.roomType)) return false
  return term === undefined || room.searchText.includes(term)
}

/** One page of the directory. Walks the list in memory. Throws `M_INVALID_PARAM` for a token that is none. */
export function findPage(directory: Directory, query: DirectoryQuery): DirectoryPage {
  const lowered = { ...query, term: query.term?.trim().toLowerCase() }
  const found = directory.rooms.filter((room) => matches(directory, lowered, room))
  const since = query.since === undefined ? undefined : parseToken(query.since)
  let start = 0
  if (since !== undefined) {
    const place = (room: Place): number => byPlace(room, since.place)
    const at = found.findIndex((room) => (since.direction === 'n' ? place(room) > 0 : place(room) >= 0))
    const edge = at === -1 ? found.length : at
    start = since.direction === 'n' ? edge : Math.max(0, edge - query.limit)
  }
  const rooms = found.slice(start, start + query.limit)
  const last = rooms.at(-1)
  const hasMore = start + rooms.length < found.length && last !== undefined
  return {
    rooms,
    next: hasMore ? formatToken('n', last) : undefined,
    previous: start > 0 && rooms[0] !== undefined ? formatToken('b', rooms[0]) : undefined,
    total: found.length,
  }
}
