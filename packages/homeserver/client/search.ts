// https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3search
import { Type, type Static } from 'typebox'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { Homeserver } from '../homeserver.ts'
import { defineEndpoint, RawJson, type Session } from '../http/endpoint.ts'
import { listStateAt } from '../rooms/current-state.ts'
import { renderEvents, renderPlain } from '../rooms/render-event.ts'
import { SEARCH_KEYS } from '../search/searchable-text.ts'
import { compileEventFilter, type EventFilter } from '../sync/filter.ts'
import { v3 } from './paths.ts'
import { renderContext } from './search-context.ts'
import { readResults, type ResultPage, type SearchResult } from './search-results.ts'
import { searchedRooms } from './search-rooms.ts'
import { FIRST_PAGE, formatSearchToken, parseSearchToken, type SearchPlace } from './search-token.ts'

const DEFAULT_LIMIT = 10
const MAX_LIMIT = 100
const DEFAULT_CONTEXT = 5
const MAX_CONTEXT = 20
const MAX_HIGHLIGHTS = 50

const count = Type.Optional(Type.Integer({ minimum: 0 }))
const groupKey = Type.Union([Type.Literal('room_id'), Type.Literal('sender')])
const criteria = Type.Object({
  search_term: Type.String(),
  keys: Type.Optional(Type.Array(Type.Union(SEARCH_KEYS.map((key) => Type.Literal(key))))),
  filter: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  order_by: Type.Optional(Type.Union([Type.Literal('rank'), Type.Literal('recent')])),
  event_context: Type.Optional(
    Type.Object({
      before_limit: count,
      after_limit: count,
      include_profile: Type.Optional(Type.Boolean()),
    }),
  ),
  include_state: Type.Optional(Type.Boolean()),
  groupings: Type.Optional(
    Type.Object({ group_by: Type.Optional(Type.Array(Type.Object({ key: groupKey }), { maxItems: 10 })) }),
  ),
})
type Criteria = Static<typeof criteria>

export const search = defineEndpoint({
  operation: 'search',
  method: 'POST',
  ...v3('/search'),
  auth: 'user',
  rateLimit: 'read',
  query: Type.Object({ next_batch: Type.Optional(Type.String({ maxLength: 2_000 })) }),
  body: Type.Object({ search_categories: Type.Object({ room_events: Type.Optional(criteria) }) }),
  run: async (hs, { session, query, body }) => {
    const wanted = body.search_categories.room_events
    if (wanted === undefined) return { search_categories: {} }
    const from = query.next_batch === undefined ? FIRST_PAGE : parseSearchToken(query.next_batch)
    const filter = compileEventFilter(wanted.filter)
    // Compiled, it is known to be a list of room ids.
    const named = (wanted.filter as JsonObject | undefined)?.['rooms'] as string[] | undefined
    await hs.search.caughtUp()
    const rooms = await searchedRooms(hs, session, filter, named)
    const page = await readResults(hs, session, rooms, {
      words: wanted.search_term,
      keys: new Set(wanted.keys ?? SEARCH_KEYS),
      filter,
      orderBy: wanted.order_by ?? 'rank',
      limit:
        filter.isEmpty || wanted.keys?.length === 0 ? 0 : Math.min(filter.limit ?? DEFAULT_LIMIT, MAX_LIMIT),
      from,
    })
    return new RawJson(await renderPage(hs, session, wanted, filter, page))
  },
})

async function renderPage(
  hs: Homeserver,
  session: Session,
  wanted: Criteria,
  filter: EventFilter,
  page: ResultPage,
): Promise<string> {
  const results = await renderResults(hs, session, wanted, page.results)
  const parts = [
    `"count":${page.count}`,
    `"highlights":${JSON.stringify(highlightsOf(page))}`,
    `"results":[${results.join(',')}]`,
  ]
  if (page.next !== undefined) parts.push(`"next_batch":"${formatSearchToken(page.next)}"`)
  if (wanted.groupings?.group_by !== undefined) {
    const keys = wanted.groupings.group_by.map(({ key }) => key)
    const groups = Object.fromEntries(keys.map((key) => [key, groupsOf(key, page)]))
    parts.push(`"groups":${JSON.stringify(groups)}`)
  }
  if (wanted.include_state === true) parts.push(`"state":{${await renderStates(hs, filter, page.results)}}`)
  return `{"search_categories":{"room_events":{${parts.join(',')}}}}`
}

async function renderResults(
  hs: Homeserver,
  session: Session,
  { event_context: context }: Criteria,
  results: readonly SearchResult[],
): Promise<string[]> {
  const around = async (result: SearchResult): Promise<string> =>
    context === undefined
      ? ''
      : `,"context":${await renderContext(hs, session, result, {
          before: Math.min(context.before_limit ?? DEFAULT_CONTEXT, MAX_CONTEXT),
          after: Math.min(context.after_limit ?? DEFAULT_CONTEXT, MAX_CONTEXT),
          withProfiles: context.include_profile === true,
        })}`
  return Promise.all(
    results.map(async (result) => {
      const [event] = await renderEvents(hs.rooms, result.access.room, session, [result.visible])
      return `{"rank":${result.rank},"result":${event}${await around(result)}}`
    }),
  )
}

function highlightsOf({ results, words }: ResultPage): string[] {
  const found = new Set<string>()
  for (const { text } of results) {
    for (const word of words.highlights(text, MAX_HIGHLIGHTS)) found.add(word)
  }
  return [...found].slice(0, MAX_HIGHLIGHTS)
}

/** The results of a page by room or by sender, those groups first whose best result comes first. */
function groupsOf(key: 'room_id' | 'sender', { results, next }: ResultPage): JsonObject {
  const byValue = Map.groupBy(results, ({ visible: { event } }) =>
    key === 'room_id' ? event.roomId : event.sender,
  )
  const groups = [...byValue].map(([value, members], order) => {
    const place: SearchPlace | undefined = next && { ...next, counted: 0, group: { key, value } }
    const group = {
      order,
      results: members.map(({ visible }) => visible.event.eventId),
      ...(place === undefined ? {} : { next_batch: formatSearchToken(place) }),
    }
    return [value, group]
  })
  return Object.fromEntries(groups) as JsonObject
}

/** The state of every room of the results: what it is now, or what the reader left. */
async function renderStates(
  hs: Homeserver,
  filter: EventFilter,
  results: readonly SearchResult[],
): Promise<string> {
  const states: string[] = []
  for (const [roomId, found] of Map.groupBy(results, ({ access }) => access.room.roomId)) {
    const { room, stateRoot } = found[0]!.access
    const senders = new Set<string>(found.map(({ visible }) => visible.event.sender))
    const entries = await listStateAt(hs.rooms, room, await stateRoot())
    const told = entries.filter(
      ({ stored: { type, stateKey } }) =>
        !filter.lazyLoadMembers || type !== 'm.room.member' || senders.has(stateKey ?? ''),
    )
    const events = told.map(({ stored }) => renderPlain(hs.rooms, stored))
    states.push(`${JSON.stringify(roomId)}:[${events.join(',')}]`)
  }
  return states.join(',')
}
