import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import type { Homeserver } from '../homeserver.ts'
import { RawJson, type Session } from '../http/endpoint.ts'
import { readEntries, type SyncContext } from './context.ts'
import type { SyncFilter } from './filter.ts'
import { assembleRooms, type RoomSections } from './rooms.ts'
import { readSections } from './sections.ts'
import { formatSyncToken, type SyncToken } from './token.ts'

export interface SyncInput {
  readonly session: Session
  readonly since: SyncToken | undefined
  readonly filter: SyncFilter
  readonly fullState: boolean
  /** As of `SyncContext`. */
  readonly stateAfter?: string | undefined
  /** How long to wait for news, in milliseconds. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/** Longest wait for news. */
const MAX_TIMEOUT_MS = 90_000

/**
 * What has happened for a user since a token: at once when there is something, else as soon as there is, else
 * empty after the timeout. An idle wait costs no query.
 * https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3sync
 */
export async function sync(hs: Homeserver, input: SyncInput): Promise<RawJson> {
  const deadline = hs.clock.monotonic() + Math.min(input.timeoutMs, MAX_TIMEOUT_MS)
  if (input.since === undefined) hs.toldMembers.forget(input.session)
  for (;;) {
    const rooms = await hs.rooms.members.roomsOf(input.session.userId)
    // Take the place before reading the position: news in between wake us at once.
    const waiter = hs.notifier.arm(input.session.userId, rooms.active)
    const ctx = await makeContext(hs, input)
    const isDue = input.since === undefined || input.fullState
    const body = isDue || mayHaveNews(ctx) ? await assemble(ctx) : ''
    const remaining = deadline - hs.clock.monotonic()
    if (isDue || body !== '' || remaining <= 0 || input.signal.aborted) {
      waiter.leave()
      const next = JSON.stringify(formatSyncToken(ctx.now, hs.epochs))
      return new RawJson(`{"next_batch":${next}${body}${await countsJson(ctx)}}`)
    }
    await waiter.wait(remaining, input.signal)
  }
}

async function makeContext(
  hs: Homeserver,
  { session, since, filter, fullState, stateAfter }: SyncInput,
): Promise<SyncContext> {
  const now: SyncToken = { position: hs.log.head(), volatile: hs.volatile.position() }
  const rooms = await hs.rooms.members.roomsOf(session.userId)
  const entries = since && readEntries(hs, session.userId, rooms, { since, now })
  return { hs, session, since, now, entries, rooms, filter, fullState, stateAfter }
}

/** Whether looking closer is worth it; never a query. */
function mayHaveNews(ctx: SyncContext): boolean {
  const { since, now, hs } = ctx
  if (since === undefined || ctx.entries === undefined || ctx.entries.length > 0) return true
  // Messages to acknowledge, and perhaps more behind them.
  if (since.toDevice !== undefined || since.sticky !== undefined) return true
  if (hs.log.changes.device_list.last() > since.position) return true
  return now.volatile > since.volatile
}

/** The response without its head; empty when there is nothing to tell. */
async function assemble(ctx: SyncContext): Promise<string> {
  const { extras, parts } = await readSections(ctx)
  const sections = await assembleRooms(ctx, extras)
  const rooms = roomsJson(sections)
  return `${rooms === '' ? '' : `,"rooms":{${rooms}}`}${parts.map((part) => `,${part}`).join('')}`
}

function roomsJson(sections: RoomSections): string {
  return (['join', 'invite', 'knock', 'leave'] as const)
    .filter((name) => sections[name].size > 0)
    .map((name) => `"${name}":{${entriesJson(sections[name])}}`)
    .join(',')
}

function entriesJson(rooms: ReadonlyMap<RoomId, string>): string {
  return [...rooms].map(([roomId, text]) => `${JSON.stringify(roomId)}:${text}`).join(',')
}

/** One-time key counts are stated in every response, 0 too: clients act on their absence. */
async function countsJson(ctx: SyncContext): Promise<string> {
  const { session, hs } = ctx
  if (session.deviceId === undefined) return ''
  const { counts, unusedFallback } = await hs.keyCounts.of(session.userId, session.deviceId)
  return `,"device_one_time_keys_count":${JSON.stringify(counts)},"device_unused_fallback_key_types":${JSON.stringify(unusedFallback)}`
}
