import { invalidParam } from '@causeway/matrix/errors/matrix-error.ts'
import type { HistoryPlace } from '../rooms/history/read-history.ts'
import { END } from '../rooms/read-events.ts'

/** A place between two events of a room: in arrival order before the event with this number, or in the graph's. */
export type PageToken =
  | { readonly order: 'arrival'; readonly before: number }
  | { readonly order: 'graph'; readonly place: HistoryPlace }

/**
 * A place between two events of a room's timeline in arrival order: before the event with this number. The
 * letter names the order: sync tells what arrives, history is read in the order of the graph.
 */
export function formatPaginationToken(beforeNid: number): string {
  return `t${beforeNid}`
}

/** A place of either order. */
export function formatPageToken(token: PageToken): string {
  if (token.order === 'arrival') return formatPaginationToken(token.before)
  const { depth, nid, arrivedBefore } = token.place
  return arrivedBefore === END ? `h${depth}_${nid}` : `h${depth}_${nid}_${arrivedBefore}`
}

const ARRIVAL = /^t(-?\d{1,16})$/
const SYNC = /^s(\d{1,16})_/
const GRAPH = /^h(-?\d{1,16})_(-?\d{1,16})(?:_(-?\d{1,16}))?$/

/** A token of either order; a sync token stands for the place after its position. Throws `M_INVALID_PARAM`. */
export function parsePageToken(token: string): PageToken {
  const graph = GRAPH.exec(token)
  if (graph !== null) {
    const [depth, nid, arrivedBefore] = [graph[1], graph[2], graph[3] ?? END].map(Number)
    return {
      order: 'graph',
      place: { depth: safe(depth!), nid: safe(nid!), arrivedBefore: safe(arrivedBefore!) },
    }
  }
  const own = ARRIVAL.exec(token)
  const before = own === null ? Number(SYNC.exec(token)?.[1] ?? Number.NaN) + 1 : Number(own[1])
  return { order: 'arrival', before: safe(before) }
}

function safe(value: number): number {
  if (!Number.isSafeInteger(value)) throw invalidParam('This is no pagination token of this server')
  return value
}

/** The number before which the place lies, for lists that are kept in arrival order. Throws `M_INVALID_PARAM`. */
export function parsePaginationToken(token: string): number {
  const parsed = parsePageToken(token)
  return parsed.order === 'arrival' ? parsed.before : parsed.place.nid
}
