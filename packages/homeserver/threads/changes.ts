// https://github.com/matrix-org/matrix-spec-proposals/pull/4308
import { invalidParam } from '@causeway/matrix/errors/matrix-error.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { listThreadChanges } from '@causeway/store/tables/thread-subscriptions.ts'
import type { Homeserver } from '../homeserver.ts'
import type { TokenEpochs } from '../sync/token.ts'

/** Which of a user's subscriptions changed in (after, upTo]: at most `limit` of them, the latest. */
export interface ChangeRange {
  readonly after: number
  readonly upTo: number
  readonly limit: number
}

/** Threads by room, then root. */
type Threads<T> = Record<string, Record<string, T>>

/** The state of subscriptions that changed, as it is told. */
export interface ThreadChanges {
  readonly subscribed: Threads<{ automatic: boolean; bump_stamp: number }>
  readonly unsubscribed: Threads<{ bump_stamp: number }>
  readonly isEmpty: boolean
  /** Up to where to go on; undefined: there is nothing more. */
  readonly next: number | undefined
}

/** Most subscriptions that one answer tells of. */
export const MAX_CHANGES = 500

/** What is not told is older: whoever wants it asks for what was up to `next`. */
export async function readThreadChanges(
  { db }: Pick<Homeserver, 'db'>,
  userId: UserId,
  { after, upTo, limit }: ChangeRange,
): Promise<ThreadChanges> {
  const most = Math.min(limit, MAX_CHANGES)
  const found = await listThreadChanges(db, userId, { after, upTo, limit: most + 1 })
  const rows = found.slice(0, most)
  const subscribed: ThreadChanges['subscribed'] = {}
  const unsubscribed: ThreadChanges['unsubscribed'] = {}
  for (const row of rows) {
    const { room_id: roomId, thread_id: threadId, position: bump_stamp } = row
    if (row.subscribed === 1)
      (subscribed[roomId] ??= {})[threadId] = { automatic: row.automatic === 1, bump_stamp }
    else (unsubscribed[roomId] ??= {})[threadId] = { bump_stamp }
  }
  const next = found.length > rows.length ? (rows.at(-1)?.position ?? upTo + 1) - 1 : undefined
  return { subscribed, unsubscribed, isEmpty: rows.length === 0, next }
}

/** As it is sent, without its token. */
export function changesJson({ subscribed, unsubscribed }: ThreadChanges): {
  subscribed?: ThreadChanges['subscribed']
  unsubscribed?: ThreadChanges['unsubscribed']
} {
  return {
    ...(Object.keys(subscribed).length === 0 ? {} : { subscribed }),
    ...(Object.keys(unsubscribed).length === 0 ? {} : { unsubscribed }),
  }
}

const FORM = /^th(\d{1,16})_([A-Za-z0-9]{1,32})$/

export function formatThreadToken(position: number, { log }: Pick<TokenEpochs, 'log'>): string {
  return `th${position}_${log}`
}

/** Undefined for a token of another log (a restored backup). Throws `M_INVALID_PARAM` for what is no token. */
export function parseThreadToken(text: string, { log }: Pick<TokenEpochs, 'log'>): number | undefined {
  const match = FORM.exec(text)
  const position = Number(match?.[1])
  if (match === null || !Number.isSafeInteger(position))
    throw invalidParam('This is no token of thread subscriptions that this server has returned')
  return match[2] === log ? position : undefined
}
