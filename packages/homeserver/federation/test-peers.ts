import { Readable } from 'node:stream'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { RoomId, ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import { canonicalJson } from '@causeway/matrix/json/canonical.ts'
import { clientRoutes } from '../client/routes.ts'
import { RawJson } from '../http/endpoint.ts'
import type { DispatchResponse } from '../http/dispatch.ts'
import { changeMembership } from '../rooms/membership.ts'
import type { ServerDriver, TestServer, TestServerOptions } from '../test-server.ts'
import { signRequest } from './client/sign-request.ts'
import { requestUri } from './client/send-signed.ts'
import {
  FederationError,
  type FederationClient,
  type FederationRequest,
  type FederationStream,
  type FetchUrl,
} from './federation-client.ts'
import { federationRoutes } from './routes.ts'

// Test support: servers on any database that speak to each other in memory, with requests that are signed and
// checked as ever; and others that are played by the test.

/** A request that one of them made. */
export interface AskedRequest extends FederationRequest {
  readonly origin: ServerName
  readonly destination: ServerName
}

/** What a played server answers: a JSON object, raw bytes, or a failure that is thrown. */
export type PlayedAnswer = JsonObject | FederationStream | Error
export type Play = (request: AskedRequest) => PlayedAnswer | Promise<PlayedAnswer>

export interface TestPeers {
  start(driver: ServerDriver, name: string, options?: Partial<TestServerOptions>): Promise<TestServer>
  /** From now on the test answers for a server, in place of a real one of that name. */
  play(name: string, play: Play): void
  /** What the real one of that name answers, for a test that changes only some of it. @throws FederationError */
  pass(request: AskedRequest): Promise<JsonObject>
  /** The real one answers again. */
  stopPlaying(name: string): void
  /** Requests whose path has this part are answered only once the function that comes back was called. */
  hold(part: string): () => void
  /** From now on JSON answers to requests whose path has this part are changed. */
  alter(part: string, change: (answer: JsonObject) => JsonObject): void
  /** Every request so far, in order. */
  readonly asked: AskedRequest[]
  /** Paths of the requests to a server since the last call, without keys. */
  takePaths(name: string): string[]
}

/** Nobody answers. */
export function unreachable(name: string): FederationError {
  return new FederationError(name as ServerName, { kind: 'unreachable' }, `${name} does not answer`)
}

export function refused(name: string, status: number, errcode?: string): FederationError {
  const failure = { kind: 'refused', status, errcode, error: undefined, body: undefined } as const
  return new FederationError(name as ServerName, failure, `${name} answers ${status}`)
}

/** Bytes in small pieces, as a network brings them. */
export function piecesOf(bytes: Uint8Array, size = 7): Readable {
  const pieces: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size))
  return Readable.from(pieces, { objectMode: false })
}

function isStream(answer: PlayedAnswer | DispatchResponse): answer is FederationStream {
  return 'body' in answer && answer.body instanceof Readable
}

function orThrow<T extends PlayedAnswer | DispatchResponse>(request: AskedRequest, answer: T): T {
  if (answer instanceof Error) throw answer
  if ('bytes' in answer && typeof answer['status'] === 'number' && answer['status'] >= 300) {
    const body = (answer as DispatchResponse).json()
    throw refused(request.destination, answer['status'], body['errcode'] as string)
  }
  return answer
}

/** A request as its sender signs it, to the server it is for. */
async function dispatchSigned(
  servers: ReadonlyMap<string, TestServer>,
  request: AskedRequest,
): Promise<DispatchResponse> {
  const { origin, destination, method, body } = request
  const server = servers.get(destination)
  if (server === undefined) throw unreachable(destination)
  const uri = requestUri(request)
  const content =
    body === undefined
      ? undefined
      : canonicalJson(body instanceof RawJson ? (JSON.parse(body.text) as JsonObject) : body, false)
  const { signer } = servers.get(origin)!.hs
  return server.request(method, uri, {
    headers: { authorization: signRequest(signer, destination, { method, uri, content }) },
    ...(content === undefined ? {} : { body: JSON.parse(content) as JsonObject }),
  })
}

export function createTestPeers(fetchUrl?: FetchUrl): TestPeers {
  const servers = new Map<string, TestServer>()
  const played = new Map<string, Play>()
  const asked: AskedRequest[] = []
  const taken = new Map<string, number>()
  const held = new Map<string, Promise<void>>()
  const altered = new Map<string, (answer: JsonObject) => JsonObject>()
  const alter = (path: string, answer: JsonObject): JsonObject =>
    [...altered].reduce((json, [part, change]) => (path.includes(part) ? change(json) : json), answer)

  const dispatchTo = (request: AskedRequest): Promise<DispatchResponse> => dispatchSigned(servers, request)
  const ask = async (request: AskedRequest): Promise<PlayedAnswer | DispatchResponse> => {
    asked.push(request)
    await Promise.all([...held].flatMap(([part, freed]) => (request.path.includes(part) ? [freed] : [])))
    return orThrow(request, await (played.get(request.destination) ?? dispatchTo)(request))
  }
  const clientOf = (origin: ServerName): FederationClient => ({
    async request(destination, request) {
      const answer = await ask({ ...request, origin, destination })
      const json =
        'bytes' in answer && 'json' in answer
          ? (answer as DispatchResponse).json()
          : structuredClone(answer as JsonObject)
      return alter(request.path, json)
    },
    async stream(destination, request) {
      const answer = await ask({ ...request, origin, destination })
      if (isStream(answer)) return answer
      const { status, headers, bytes } = answer as DispatchResponse
      return { status, headers, body: piecesOf(bytes, 1000) }
    },
    heardFrom: () => undefined,
  })
  return {
    asked,
    pass: async (request) => orThrow(request, await dispatchTo(request)).json(),
    play: (name, play) => void played.set(name, play),
    stopPlaying: (name) => void played.delete(name),
    hold(part) {
      const { promise, resolve } = Promise.withResolvers<void>()
      held.set(part, promise)
      return () => {
        held.delete(part)
        resolve()
      }
    },
    alter: (part, change) => void altered.set(part, change),
    takePaths(name) {
      const from = taken.get(name) ?? 0
      taken.set(name, asked.length)
      return asked
        .slice(from)
        .filter(({ destination, path }) => destination === name && !path.startsWith('/_matrix/key/'))
        .map(({ path }) => path)
    },
    async start(driver, name, options = {}) {
      const server = await driver.start({
        endpoints: [...clientRoutes, ...federationRoutes],
        ...options,
        config: { server_name: name, ...options.config },
        network: { client: clientOf(name as ServerName), ...(fetchUrl === undefined ? {} : { fetchUrl }) },
      })
      servers.set(name, server)
      const restart = async (): Promise<TestServer> => {
        const again = { ...(await server.restart()) }
        servers.set(name, again)
        return again
      }
      return { ...server, restart }
    },
  }
}

/** A user of another server comes into a room, as if the event that says so had come from there. */
export async function joinFromElsewhere(server: TestServer, roomId: string, userId: string): Promise<void> {
  const target = userId as UserId
  await changeMembership(server.hs.rooms, {
    roomId: roomId as RoomId,
    action: 'join',
    sender: target,
    target,
  })
}

/** And leaves it. */
export async function leaveFromElsewhere(server: TestServer, roomId: string, userId: string): Promise<void> {
  const target = userId as UserId
  await changeMembership(server.hs.rooms, {
    roomId: roomId as RoomId,
    action: 'leave',
    sender: target,
    target,
  })
}
