import { invalidParam } from '@causeway/matrix/errors/matrix-error.ts'

/**
 * A place between two events of a room's timeline in arrival order: before the event with this number. The
 * letter names the order, so that tokens of another order can be told apart later.
 */
export function formatPaginationToken(beforeNid: number): string {
  return `t${beforeNid}`
}

const PAGINATION = /^t(-?\d{1,16})$/
const SYNC = /^s(\d{1,16})_/

/** The number before which the place lies; a sync token stands for the place after its position. Throws `M_INVALID_PARAM`. */
export function parsePaginationToken(token: string): number {
  const own = PAGINATION.exec(token)
  const nid = own === null ? Number(SYNC.exec(token)?.[1] ?? Number.NaN) + 1 : Number(own[1])
  if (!Number.isSafeInteger(nid)) throw invalidParam('This is no pagination token of this server')
  return nid
}
