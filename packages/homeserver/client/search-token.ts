import { invalidParam } from '@causeway/matrix/errors/matrix-error.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import { END } from '../rooms/read-events.ts'

/** Where an event stands in the order of the results. */
export interface ResultPlace {
  readonly nid: number
  readonly rank: number
}

/** Only results of one room, or by one person. */
export interface ResultGroup {
  readonly key: 'room_id' | 'sender'
  readonly value: string
}

/** Where a page of results begins. */
export interface SearchPlace {
  /** Matches are looked at in runs of the newest first: this one has events below this number. */
  readonly before: number
  /** The last result of that run that was told. */
  readonly last: ResultPlace | undefined
  /** Results of the runs before it. */
  readonly counted: number
  readonly group: ResultGroup | undefined
}

export const FIRST_PAGE: SearchPlace = { before: END, last: undefined, counted: 0, group: undefined }

export function formatSearchToken(place: SearchPlace): string {
  const { before, last, counted, group } = place
  const parts = [
    before,
    last?.nid ?? null,
    last?.rank ?? null,
    counted,
    group?.key ?? null,
    group?.value ?? null,
  ]
  return Buffer.from(JSON.stringify(parts)).toString('base64url')
}

/** @throws `M_INVALID_PARAM` */
export function parseSearchToken(token: string): SearchPlace {
  const [before, nid, rank, counted, key, value] = partsOf(token)
  if (!isNumber(before) || !isNumber(counted)) throw wrong()
  const last = isNumber(nid) && typeof rank === 'number' ? { nid, rank } : undefined
  const isGroup = (key === 'room_id' || key === 'sender') && typeof value === 'string'
  return { before, last, counted, group: isGroup ? { key, value } : undefined }
}

function partsOf(token: string): unknown[] {
  try {
    const parts: unknown = JSON.parse(Buffer.from(token, 'base64url').toString('utf8'))
    if (Array.isArray(parts) && !isJsonObject(parts)) return parts
  } catch {
    // Told below.
  }
  throw wrong()
}

const isNumber = (value: unknown): value is number => Number.isSafeInteger(value)

const wrong = (): Error => invalidParam('This is no next_batch of a search on this server')
