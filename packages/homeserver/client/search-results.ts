import { compileWords, type SoughtWords } from '@causeway/matrix/search/compare.ts'
import { searchTerms } from '@causeway/matrix/search/tokenize.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import { findDocuments, NAME_TOKEN, TOPIC_TOKEN } from '@causeway/store/tables/search.ts'
import type { Homeserver } from '../homeserver.ts'
import type { Session } from '../http/endpoint.ts'
import { findEventsByNid, isShown } from '../rooms/read-events.ts'
import { filterEvents } from '../rooms/filter-events.ts'
import { filterVisible, type VisibleEvent } from '../rooms/visibility.ts'
import { searchableText, type SearchKey } from '../search/searchable-text.ts'
import type { EventFilter } from '../sync/filter.ts'
import type { RoomAccess } from './room-access.ts'
import type { SearchedRooms } from './search-rooms.ts'
import type { ResultPlace, SearchPlace } from './search-token.ts'

/** Matches that are looked at together: results are ranked among these, the newest first. */
const RUN = 200
/** Runs of which nothing may be seen, before the client is asked to come again. */
const MAX_RUNS = 5

export interface SearchRequest {
  readonly words: string
  readonly keys: ReadonlySet<SearchKey>
  readonly filter: EventFilter
  readonly orderBy: 'rank' | 'recent'
  readonly limit: number
  readonly from: SearchPlace
}

export interface SearchResult extends ResultPlace {
  readonly visible: VisibleEvent
  readonly access: RoomAccess
  readonly text: string
}

export interface ResultPage {
  readonly results: readonly SearchResult[]
  /** Results that were found by now, those of pages before this one among them. */
  readonly count: number
  readonly words: SoughtWords
  /** Where the next page begins; undefined at the end. */
  readonly next: SearchPlace | undefined
}

/** One page of what a user may see of what was found. */
export async function readResults(
  hs: Homeserver,
  session: Session,
  rooms: SearchedRooms,
  request: SearchRequest,
): Promise<ResultPage> {
  const words = compileWords(request.words)
  let { from } = request
  for (let round = 1; ; round++) {
    const run = await readRun(hs, session, rooms, request, from, words)
    const count = from.counted + run.results.length
    const { last } = from
    const left =
      last === undefined ? run.results : run.results.filter((one) => comesAfter(one, last, request))
    const results = withRanks(left.slice(0, request.limit), words, request)
    const end = results.at(-1)
    if (end !== undefined && results.length === request.limit) {
      const { nid, rank } = end
      return { results, count, words, next: { ...from, before: run.before, last: { nid, rank } } }
    }
    if (run.end === undefined) return { results, count, words, next: undefined }
    from = { ...from, before: run.end, last: undefined, counted: count }
    if (results.length > 0 || round === MAX_RUNS || request.limit === 0) {
      return { results, count, words, next: request.limit === 0 ? undefined : from }
    }
  }
}

/** Where the order does not need them, ranks are worked out for the results that are told alone. */
function withRanks(
  results: readonly SearchResult[],
  words: SoughtWords,
  { orderBy }: SearchRequest,
): readonly SearchResult[] {
  return orderBy === 'rank' ? results : results.map((one) => ({ ...one, rank: words.rank(one.text) }))
}

function comesAfter(one: ResultPlace, last: ResultPlace, { orderBy }: SearchRequest): boolean {
  return compare(one, last, orderBy) > 0
}

function compare(a: ResultPlace, b: ResultPlace, orderBy: SearchRequest['orderBy']): number {
  return orderBy === 'rank' && a.rank !== b.rank ? b.rank - a.rank : b.nid - a.nid
}

interface ResultRun {
  /** In the order that was asked for. */
  readonly results: readonly SearchResult[]
  /** Events below this number are looked at, also when the next page is asked for. */
  readonly before: number
  /** Where the next run begins; undefined: there is none. */
  readonly end: number | undefined
}

async function readRun(
  hs: Homeserver,
  session: Session,
  rooms: SearchedRooms,
  request: SearchRequest,
  from: SearchPlace,
  words: SoughtWords,
): Promise<ResultRun> {
  const nids = await findDocuments(hs.db, {
    terms: searchTerms(request.words),
    ...keyTokens(request.keys),
    roomNids: rooms.roomNids,
    before: from.before,
    limit: RUN,
  })
  const events = await findEventsByNid(hs.rooms, nids)
  const ignored = await hs.rooms.ignored.of(session.userId)
  const found = nids.flatMap((nid) => {
    const event = events.get(nid)
    return event !== undefined && isWanted(event, from, ignored) ? [event] : []
  })
  const results = await chooseVisible(hs, session, rooms, {
    found,
    words,
    filter: request.filter,
    isRanked: request.orderBy === 'rank',
  })
  return {
    results: results.toSorted((a, b) => compare(a, b, request.orderBy)),
    before: nids[0] === undefined ? from.before : nids[0] + 1,
    end: nids.length < RUN ? undefined : nids.at(-1),
  }
}

/** Names and topics bear a token that says so, messages none. */
function keyTokens(keys: ReadonlySet<SearchKey>): { anyOf: string[]; noneOf: string[] } {
  const marks: [SearchKey, string][] = [
    ['content.name', NAME_TOKEN],
    ['content.topic', TOPIC_TOKEN],
  ]
  const tokens = (wanted: boolean): string[] =>
    marks.filter(([key]) => keys.has(key) === wanted).map(([, token]) => token)
  return keys.has('content.body') ? { anyOf: [], noneOf: tokens(false) } : { anyOf: tokens(true), noneOf: [] }
}

function isWanted(event: StoredEvent, { group }: SearchPlace, ignored: readonly string[]): boolean {
  if (!isShown(event) || ignored.includes(event.sender)) return false
  return group === undefined || (group.key === 'room_id' ? event.roomId : event.sender) === group.value
}

interface Found {
  readonly found: readonly StoredEvent[]
  readonly words: SoughtWords
  readonly filter: EventFilter
  readonly isRanked: boolean
}

/** Room by room: those that the user may see, of the time that they may see. */
async function chooseVisible(
  hs: Homeserver,
  session: Session,
  rooms: SearchedRooms,
  { found, words, filter, isRanked }: Found,
): Promise<SearchResult[]> {
  const byRoom = [...Map.groupBy(found, (event) => event.roomNid)]
  // Side by side: what has to be read for one room is read together with that of the others.
  const results = byRoom.map(async ([roomNid, events]): Promise<SearchResult[]> => {
    const access = await rooms.find(roomNid)
    if (access === undefined) return []
    const { room } = access
    const readable = events.filter((event) => event.nid <= access.upTo)
    const wanted = await filterEvents(hs.rooms, room, session.userId, filter, readable)
    const visible = await filterVisible(hs.rooms, room, session.userId, wanted)
    return visible.flatMap((one) => {
      const text = searchableText(one.event)?.text
      if (text === undefined || !words.matches(text)) return []
      return [{ visible: one, access, text, nid: one.event.nid, rank: isRanked ? words.rank(text) : 0 }]
    })
  })
  return (await Promise.all(results)).flat()
}
