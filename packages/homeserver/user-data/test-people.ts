import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import { accountRoutes } from '../client/account-routes.ts'
import { roomRoutes } from '../client/room-routes.ts'
import { userDataRoutes } from '../client/user-data-routes.ts'
import type { HomeserverConfig } from '../config.ts'
import type { AnyEndpoint } from '../http/endpoint.ts'
import type { ServerDriver, TestServer } from '../test-server.ts'

/** Test support: somebody who is logged in. */
export interface Person {
  readonly userId: string
  readonly token: string
  /** A request below `/_matrix/client/v3`; throws unless it is answered with 200. */
  call(method: string, path: string, body?: JsonObject): Promise<JsonObject>
  /** The status and body of a request that may be refused. */
  ask(method: string, path: string, body?: JsonObject): Promise<{ status: number; body: JsonObject }>
  say(roomId: string, body: string, more?: JsonObject, type?: string): Promise<string>
  /** What has happened since the last call; at first, everything. */
  sync(query?: Record<string, string>): Promise<JsonObject>
  /** What everything is, whatever was synced before. */
  firstSync(query?: Record<string, string>): Promise<JsonObject>
}

let transactions = 0

async function register(server: TestServer, name: string): Promise<Person> {
  const { userId, token } = await server.register(name)
  let since: string | undefined
  const ask: Person['ask'] = async (method, path, body) => {
    const answer = await server.request(method, `/_matrix/client/v3${path}`, {
      token,
      ...(body === undefined ? {} : { body }),
    })
    return { status: answer.status, body: answer.json() }
  }
  const call: Person['call'] = async (method, path, body) => {
    const answer = await ask(method, path, body)
    if (answer.status !== 200)
      throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer.body
  }
  const firstSync: Person['firstSync'] = (query = {}) =>
    call('GET', `/sync?${new URLSearchParams(query).toString()}`)
  return {
    userId,
    token,
    ask,
    call,
    firstSync,
    async say(roomId, body, more = {}, type = 'm.room.message') {
      const path = `/rooms/${encodeURIComponent(roomId)}/send/${type}/t${transactions++}`
      return (await call('PUT', path, { msgtype: 'm.text', body, ...more }))['event_id'] as string
    },
    async sync(query = {}) {
      const answer = await firstSync(since === undefined ? query : { since, ...query })
      since = answer['next_batch'] as string
      return answer
    },
  }
}

/** Test support: Alice and Bob on a server of their own, in a public room, up to date. */
export interface People extends AsyncDisposable {
  readonly server: TestServer
  readonly alice: Person
  readonly bob: Person
  readonly roomId: string
  /** `/rooms/…`, escaped. */
  readonly room: string
  register(name: string): Promise<Person>
}

export async function openPeople(
  driver: ServerDriver,
  options: {
    clock?: Clock
    config?: Partial<HomeserverConfig>
    room?: JsonObject
    /** In place of accounts, rooms and what people set for themselves. */
    endpoints?: readonly AnyEndpoint[]
  } = {},
): Promise<People> {
  const { room: more, ...rest } = options
  const endpoints = [...accountRoutes, ...roomRoutes, ...userDataRoutes]
  const server = await driver.start({ endpoints, ...rest })
  const alice = await register(server, 'alice')
  const bob = await register(server, 'bob')
  const made = await alice.call('POST', '/createRoom', { preset: 'public_chat', ...more })
  const roomId = made['room_id'] as string
  await bob.call('POST', `/join/${encodeURIComponent(roomId)}`, {})
  await alice.sync()
  await bob.sync()
  // That Bob is online now is news to Alice.
  await alice.sync()
  return {
    server,
    alice,
    bob,
    roomId,
    room: `/rooms/${encodeURIComponent(roomId)}`,
    register: (name) => register(server, name),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

/** The events of a part of a joined room's section, or of a section of the whole answer. */
export function eventsIn(sync: JsonObject, ...path: readonly string[]): JsonObject[] {
  let value: unknown = sync
  for (const name of path) value = (value as JsonObject | undefined)?.[name]
  return ((value as JsonObject | undefined)?.['events'] as JsonObject[] | undefined) ?? []
}

/** The content of the first event of a type. */
export function contentOf(events: readonly JsonObject[], type: string): JsonObject | undefined {
  return events.find((event) => event['type'] === type)?.['content'] as JsonObject | undefined
}

/** A room's account data, receipts and typing in a sync. */
export function roomPart(sync: JsonObject, roomId: string, part: 'account_data' | 'ephemeral'): JsonObject[] {
  return eventsIn(sync, 'rooms', 'join', roomId, part)
}
