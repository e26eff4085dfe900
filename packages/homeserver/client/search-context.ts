import { readStateKeysAt } from '../rooms/current-state.ts'
import { END } from '../rooms/read-events.ts'
import { renderEvents } from '../rooms/render-event.ts'
import type { VisibleEvent } from '../rooms/visibility.ts'
import type { Homeserver } from '../homeserver.ts'
import type { Session } from '../http/endpoint.ts'
import { compileEventFilter } from '../sync/filter.ts'
import { formatPageToken, type PageToken } from '../sync/pagination-token.ts'
import { readPage, type PageReader } from './history-page.ts'
import type { SearchResult } from './search-results.ts'

export interface ContextRequest {
  readonly before: number
  readonly after: number
  readonly withProfiles: boolean
}

const ALL = compileEventFilter({})

/** What was said around a result, as JSON. What is missing here is not asked of other servers: results are many. */
export async function renderContext(
  hs: Homeserver,
  session: Session,
  { access, visible }: SearchResult,
  request: ContextRequest,
): Promise<string> {
  const reader: PageReader = {
    rooms: hs.rooms,
    history: { mayLack: async () => false, fill: async () => false },
  }
  const { depth, nid } = visible.event
  const read = async (backwards: boolean, limit: number): Promise<readonly VisibleEvent[]> => {
    if (limit === 0) return []
    const from: PageToken = placeAt(depth, backwards ? nid : nid + 1)
    const page = await readPage(reader, session, access, {
      from,
      to: undefined,
      backwards,
      limit,
      filter: ALL,
    })
    return page.events
  }
  const [before, after] = await Promise.all([read(true, request.before), read(false, request.after)])
  const render = async (events: readonly VisibleEvent[]): Promise<string> =>
    (await renderEvents(hs.rooms, access.room, session, events)).join(',')
  const [first, last] = [before.at(-1)?.event ?? visible.event, after.at(-1)?.event ?? visible.event]
  const profiles = request.withProfiles
    ? await renderProfiles(hs, access.room, [...before, visible, ...after], visible)
    : ''
  return (
    `{"start":"${formatPageToken(placeAt(first.depth, first.nid))}","end":"${formatPageToken(placeAt(last.depth, last.nid + 1))}",` +
    `"events_before":[${await render(before)}],"events_after":[${await render(after)}]${profiles}}`
  )
}

function placeAt(depth: number, nid: number): PageToken {
  return { order: 'graph', place: { depth, nid, arrivedBefore: END } }
}

/** Who they were when the result was said. */
async function renderProfiles(
  hs: Homeserver,
  room: SearchResult['access']['room'],
  events: readonly VisibleEvent[],
  { event }: VisibleEvent,
): Promise<string> {
  const senders = [...new Set(events.map((one) => one.event.sender))]
  const names = senders.map((stateKey) => ({ type: 'm.room.member', stateKey }))
  const entries = await readStateKeysAt(hs.rooms, room, event.stateRoot, names)
  const profiles = senders.map((sender, index) => {
    const content = entries[index]?.stored.content ?? {}
    const [name, avatar] = [content['displayname'], content['avatar_url']]
    const profile = {
      ...(typeof name === 'string' ? { displayname: name } : {}),
      ...(typeof avatar === 'string' && avatar.startsWith('mxc://') ? { avatar_url: avatar } : {}),
    }
    return [sender, profile]
  })
  return `,"profile_info":${JSON.stringify(Object.fromEntries(profiles))}`
}
