// https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3sync
import { Type } from 'typebox'
import { invalidParam } from '@causeway/matrix/errors/matrix-error.ts'
import type { Homeserver } from '../homeserver.ts'
import { defineEndpoint, type Session } from '../http/endpoint.ts'
import { compileSyncFilter, type SyncFilter } from '../sync/filter.ts'
import { sync as runSync } from '../sync/sync.ts'
import { parseSyncToken } from '../sync/token.ts'
import { parseFilterText } from './filter-query.ts'
import { v3 } from './paths.ts'

const NO_FILTER = compileSyncFilter({})

async function filterFor(hs: Homeserver, session: Session, text: string | undefined): Promise<SyncFilter> {
  if (text === undefined) return NO_FILTER
  if (!text.startsWith('{')) return hs.filters.get(session.userId, text)
  return inlineFilter(text)
}

/** Filters given as text in the query: a client sends the same one with every poll. Emptied when full. */
const compiled = new Map<string, SyncFilter>()
const MAX_COMPILED = 500

function inlineFilter(text: string): SyncFilter {
  const known = compiled.get(text)
  if (known !== undefined) return known
  const filter = compileSyncFilter(parseFilterText(text))
  if (compiled.size >= MAX_COMPILED) compiled.clear()
  compiled.set(text, filter)
  return filter
}

/** By which name a client knows the state at the end of timelines, if it wants that: some only by the one of the proposal. */
function stateAfterOf(query: {
  readonly use_state_after?: boolean
  readonly 'org.matrix.msc4222.use_state_after'?: boolean
}): string | undefined {
  if (query.use_state_after === true) return 'state_after'
  return query['org.matrix.msc4222.use_state_after'] === true ? 'org.matrix.msc4222.state_after' : undefined
}

export const sync = defineEndpoint({
  operation: 'sync',
  method: 'GET',
  ...v3('/sync'),
  auth: 'user',
  query: Type.Object({
    filter: Type.Optional(Type.String()),
    since: Type.Optional(Type.String()),
    full_state: Type.Optional(Type.Boolean()),
    use_state_after: Type.Optional(Type.Boolean()),
    'org.matrix.msc4222.use_state_after': Type.Optional(Type.Boolean()),
    set_presence: Type.Optional(
      Type.Union([Type.Literal('offline'), Type.Literal('online'), Type.Literal('unavailable')]),
    ),
    timeout: Type.Optional(Type.Integer({ minimum: 0 })),
  }),
  run: async (hs, { session, query, signal }) => {
    if (session.deviceId === undefined) throw invalidParam('Name a device_id to sync as')
    hs.presence.noteSync(session.userId, query.set_presence ?? 'online', session.deviceId)
    return runSync(hs, {
      session,
      since:
        query.since === undefined || query.since === '' ? undefined : parseSyncToken(query.since, hs.epochs),
      filter: await filterFor(hs, session, query.filter),
      fullState: query.full_state ?? false,
      stateAfter: stateAfterOf(query),
      timeoutMs: query.timeout ?? 0,
      signal,
    })
  },
})
