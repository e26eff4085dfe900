import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { EventId, RoomId, ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import { systemClock } from '@causeway/store/clock/system.ts'
import { clientRoutes } from '../../client/routes.ts'
import type { RawJson } from '../../http/endpoint.ts'
import type { RoomEngine } from '../../rooms/engine.ts'
import { sendEvent } from '../../rooms/send.ts'
import type { ServerDriver, TestLogin, TestServer, TestServerOptions } from '../../test-server.ts'
import { FederationError, type FederationClient, type FederationFailure } from '../federation-client.ts'

// Test support: other servers that remember what they are sent, without a network.

/** One attempt at a transaction. */
export interface Arrival {
  readonly server: ServerName
  readonly txnId: string
  /** As it was sent. */
  readonly body: string
}

export interface TestPeers {
  readonly client: FederationClient
  /** Every attempt, in the order of arrival. */
  readonly arrivals: Arrival[]
  /** What a server answers; default: yes to everything. */
  answer: (arrival: Arrival) => FederationFailure | JsonObject | Promise<FederationFailure | JsonObject>
  /** Events of the transactions that a server said yes to, each transaction id once. */
  pdus(server: string): JsonObject[]
  edus(server: string, type?: string): JsonObject[]
  /** Texts of the messages among the events. */
  texts(server: string): string[]
  /** Resolves as soon as `condition` holds; looked at before and after every attempt. */
  until(condition: () => boolean): Promise<void>
}

const isFailure = (answer: object): answer is FederationFailure => 'kind' in answer

export function createTestPeers(): TestPeers {
  const accepted = new Map<string, Arrival>()
  let waiting: { readonly condition: () => boolean; readonly resolve: () => void }[] = []
  const look = (): void => {
    const done = waiting.filter(({ condition }) => condition())
    waiting = waiting.filter((one) => !done.includes(one))
    for (const { resolve } of done) resolve()
  }
  const bodies = (server: string): JsonObject[] =>
    [...accepted.values()]
      .filter((one) => one.server === server)
      .map(({ body }) => JSON.parse(body) as JsonObject)
  const peers: TestPeers = {
    arrivals: [],
    answer: () => ({ pdus: {} }),
    client: {
      async request(server, { path, body, signal }) {
        if (!path.startsWith('/_matrix/federation/v1/send/')) {
          throw new FederationError(server, { kind: 'unreachable' }, `${server} takes transactions only`)
        }
        const arrival = { server, txnId: path.split('/').at(-1)!, body: (body as RawJson).text }
        peers.arrivals.push(arrival)
        look()
        const answer = await peers.answer(arrival)
        try {
          signal?.throwIfAborted()
          if (isFailure(answer)) throw new FederationError(server, answer, `${server} fails: ${answer.kind}`)
          accepted.set(`${server} ${arrival.txnId}`, accepted.get(`${server} ${arrival.txnId}`) ?? arrival)
          return answer
        } finally {
          look()
        }
      },
      stream: () => Promise.reject(new Error('nothing is streamed here')),
      heardFrom: () => undefined,
    },
    pdus: (server) => bodies(server).flatMap(({ pdus }) => pdus as JsonObject[]),
    edus: (server, type) =>
      bodies(server)
        .flatMap(({ edus }) => edus as JsonObject[])
        .filter(({ edu_type: is }) => type === undefined || is === type),
    texts: (server) =>
      peers
        .pdus(server)
        .map(({ content }) => (content as JsonObject)['body'] as string)
        .filter((body) => body !== undefined),
    until: (condition) =>
      condition() ? Promise.resolve() : new Promise((resolve) => waiting.push({ condition, resolve })),
  }
  return peers
}

const V3 = '/_matrix/client/v3'

/** A server with people, and peers in its rooms. */
export interface OutboundStage extends AsyncDisposable {
  server: TestServer
  readonly peers: TestPeers
  readonly alice: TestLogin
  readonly call: (login: TestLogin, method: string, url: string, body?: JsonObject) => Promise<JsonObject>
  /** A public room of Alice's, with these users of other servers in it. */
  makeRoom(members?: readonly string[], more?: JsonObject): Promise<RoomId>
  say(roomId: string, text: string): Promise<string>
  /** A membership event by a user of another server, as if it had been received. */
  member(roomId: RoomId, userId: string, membership: string): Promise<EventId>
  /** Resolves when everything that was written is with those who shall have it, as far as they can be reached. */
  settled(): Promise<void>
}

export const roomPath = (roomId: string): string => `${V3}/rooms/${encodeURIComponent(roomId)}`

let txn = 0

export function sayIn(
  stage: Pick<OutboundStage, 'call'>,
  login: TestLogin,
  roomId: string,
  text: string,
): Promise<JsonObject> {
  return stage.call(login, 'PUT', `${roomPath(roomId)}/send/m.room.message/t${txn++}`, {
    msgtype: 'm.text',
    body: text,
  })
}

/** The membership of a user of another server changes, by their own event. */
export function remoteMember(
  engine: RoomEngine,
  roomId: RoomId,
  userId: string,
  membership: string,
): Promise<EventId> {
  return sendEvent(engine, {
    roomId,
    type: 'm.room.member',
    sender: userId as UserId,
    stateKey: userId,
    content: { membership },
  })
}

/**
 * Pauses between attempts do not end by themselves, however slow the machine: the test says when a server is heard from.
 */
const unhurriedClock: Clock = {
  ...systemClock,
  setTimeout: (fn, ms, options) => systemClock.setTimeout(fn, ms >= 1_000 ? 100 * ms : ms, options),
}

export async function startStage(
  driver: ServerDriver,
  options: Partial<TestServerOptions> = {},
): Promise<OutboundStage> {
  const peers = createTestPeers()
  const server = await driver.start({
    endpoints: clientRoutes,
    network: { client: peers.client },
    clock: unhurriedClock,
    ...options,
  })
  const alice = await server.register('alice')
  const stage: OutboundStage = {
    server,
    peers,
    alice,
    call: async ({ token }, method, url, body) => {
      const answer = await stage.server.request(method, url, {
        token,
        ...(body === undefined ? {} : { body }),
      })
      const json = answer.json()
      if (answer.status !== 200) throw new Error(`${method} ${url}: ${answer.status} ${JSON.stringify(json)}`)
      return json
    },
    async makeRoom(members = [], more = {}) {
      const body = { preset: 'public_chat', ...more }
      const roomId = (await stage.call(alice, 'POST', `${V3}/createRoom`, body))['room_id'] as RoomId
      for (const userId of members) await stage.member(roomId, userId, 'join')
      return roomId
    },
    say: async (roomId, text) => (await sayIn(stage, alice, roomId, text))['event_id'] as string,
    member: (roomId, userId, membership) => remoteMember(stage.server.hs.rooms, roomId, userId, membership),
    async settled() {
      const { hs } = stage.server
      await hs.outbound.reached(hs.log.head())
      await hs.outbound.idle()
    },
    [Symbol.asyncDispose]: () => stage.server[Symbol.asyncDispose](),
  }
  return stage
}

export const serverOf = (userId: string): ServerName => userId.slice(userId.indexOf(':') + 1) as ServerName
