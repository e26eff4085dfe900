import { Type, type Static } from 'typebox'
import type { RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { badJson } from '@causeway/matrix/errors/matrix-error.ts'
import type {
  ExtensionRequests,
  ListFilters,
  ListRequest,
  RoomScope,
  SlidingRequest,
} from '../sync/sliding/request.ts'
import { MAX_REQUIRED, parseConfig, type Pair, type RoomConfig } from '../sync/sliding/room-config.ts'

const text = Type.String({ maxLength: 255 })
const maybe = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) =>
  Type.Optional(Type.Union([schema, Type.Null()]))
const texts = Type.Array(text, { maxItems: 1_000 })
const types = Type.Array(Type.Union([text, Type.Null()]), { maxItems: 1_000 })

const roomConfig = {
  required_state: Type.Optional(Type.Array(Type.Tuple([text, text]), { maxItems: MAX_REQUIRED })),
  timeline_limit: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000 })),
}

const filters = Type.Object({
  is_dm: maybe(Type.Boolean()),
  is_encrypted: maybe(Type.Boolean()),
  is_invite: maybe(Type.Boolean()),
  room_types: maybe(types),
  not_room_types: maybe(types),
  tags: maybe(texts),
  not_tags: maybe(texts),
  // Each is looked through.
  spaces: maybe(Type.Array(text, { maxItems: 100 })),
  room_name_like: maybe(text),
})

const index = Type.Integer({ minimum: 0, maximum: 1_000_000_000 })
const list = Type.Object({
  ...roomConfig,
  ranges: maybe(Type.Array(Type.Tuple([index, index]), { maxItems: 100 })),
  slow_get_all_rooms: maybe(Type.Boolean()),
  filters: maybe(filters),
})

const enabled = maybe(Type.Boolean())
const scope = Type.Object({ enabled, lists: maybe(texts), rooms: maybe(texts) })
const extensions = Type.Object({
  to_device: maybe(
    Type.Object({ enabled, limit: maybe(Type.Integer({ minimum: 0 })), since: maybe(Type.String()) }),
  ),
  e2ee: maybe(Type.Object({ enabled })),
  account_data: maybe(scope),
  receipts: maybe(scope),
  typing: maybe(scope),
  'org.matrix.msc4354.sticky_events': maybe(
    Type.Object({ enabled, limit: maybe(Type.Integer({ minimum: 1 })), since: maybe(Type.String()) }),
  ),
  'io.element.msc4308.thread_subscriptions': maybe(
    Type.Object({ enabled, limit: maybe(Type.Integer({ minimum: 1 })) }),
  ),
})

/** The body of a request; what is not known is ignored, for clients that ask newer servers for more. */
export const slidingBody = Type.Object({
  conn_id: maybe(text),
  lists: maybe(Type.Record(Type.String(), list)),
  room_subscriptions: maybe(Type.Record(Type.String(), Type.Object(roomConfig))),
  extensions: maybe(extensions),
})

type Body = Static<typeof slidingBody>

const MAX_LISTS = 100
const MAX_LIST_NAME = 64
const MAX_SUBSCRIPTIONS = 1_000

/** Throws `M_BAD_JSON` for what no schema says. */
export function parseSlidingRequest(body: Body, userId: UserId): SlidingRequest {
  const lists = Object.entries(body.lists ?? {})
  const subscriptions = Object.entries(body.room_subscriptions ?? {})
  if (lists.length > MAX_LISTS) throw badJson(`A request has at most ${MAX_LISTS} lists`)
  if (lists.some(([name]) => name.length > MAX_LIST_NAME))
    throw badJson(`The name of a list has at most ${MAX_LIST_NAME} characters`)
  if (subscriptions.length > MAX_SUBSCRIPTIONS)
    throw badJson(`A request subscribes to at most ${MAX_SUBSCRIPTIONS} rooms`)
  return {
    connId: body.conn_id ?? '',
    lists: new Map(lists.map(([name, asked]) => [name, parseList(asked, userId)])),
    subscriptions: new Map(
      subscriptions.map(([roomId, asked]) => [roomId as RoomId, configOf(asked, userId)]),
    ),
    extensions: parseExtensions(body.extensions ?? {}),
  }
}

function configOf(
  { required_state: required, timeline_limit: limit }: Static<typeof list>,
  userId: UserId,
): RoomConfig {
  return parseConfig(limit ?? 0, (required ?? []) as Pair[], userId)
}

function parseList(asked: Static<typeof list>, userId: UserId): ListRequest {
  const ranges = asked.slow_get_all_rooms === true ? undefined : (asked.ranges ?? undefined)
  return {
    ranges: ranges as ListRequest['ranges'],
    filters: parseFilters(asked.filters ?? {}),
    config: configOf(asked, userId),
  }
}

function setOf<T>(items: readonly T[] | null | undefined): ReadonlySet<T> | undefined {
  return items === null || items === undefined ? undefined : new Set(items)
}

function parseFilters(asked: Static<typeof filters>): ListFilters {
  if (typeof asked.room_name_like === 'string')
    throw badJson('Lists are not filtered by room_name_like; look for names among the rooms of a list')
  const known = {
    isDm: asked.is_dm ?? undefined,
    isEncrypted: asked.is_encrypted ?? undefined,
    isInvite: asked.is_invite ?? undefined,
  }
  const sets = {
    roomTypes: setOf(asked.room_types),
    notRoomTypes: setOf(asked.not_room_types),
    tags: setOf(asked.tags),
    notTags: setOf(asked.not_tags),
    spaces: setOf(asked.spaces as RoomId[] | null | undefined),
  }
  const key = JSON.stringify([
    known,
    Object.entries(sets).map(([name, set]) => [name, set && [...set].map(String).toSorted()]),
  ])
  return { ...known, ...sets, key }
}

const EVERYWHERE = ['*']

function scopeOf(asked: Static<typeof scope> | null | undefined): RoomScope | undefined {
  if (asked?.enabled !== true) return undefined
  return { lists: asked.lists ?? EVERYWHERE, rooms: asked.rooms ?? EVERYWHERE }
}

function parseExtensions(asked: Static<typeof extensions>): ExtensionRequests {
  const sticky = asked['org.matrix.msc4354.sticky_events']
  const { to_device: toDevice, 'io.element.msc4308.thread_subscriptions': threads } = asked
  return {
    toDevice:
      toDevice?.enabled === true
        ? { since: toDevice.since ?? undefined, limit: toDevice.limit ?? 100 }
        : undefined,
    e2ee: asked.e2ee?.enabled === true,
    accountData: scopeOf(asked.account_data),
    receipts: scopeOf(asked.receipts),
    typing: scopeOf(asked.typing),
    stickyEvents:
      sticky?.enabled === true ? { since: sticky.since ?? undefined, limit: sticky.limit ?? 100 } : undefined,
    threadSubscriptions: threads?.enabled === true ? (threads.limit ?? 100) : undefined,
  }
}
