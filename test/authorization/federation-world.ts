import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { contentHash } from '@causeway/matrix/events/content-hash.ts'
import { eventIdOf } from '@causeway/matrix/events/event-id-of.ts'
import type { JsonObject, Pdu } from '@causeway/matrix/events/pdu.ts'
import type { RoomId, ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import { canonicalJson } from '@causeway/matrix/json/canonical.ts'
import { findRoomVersion } from '@causeway/matrix/room-versions/rules.ts'
import { signEvent, signJson } from '@causeway/matrix/signing/sign-json.ts'
import { makeSigner, sha256 } from '@causeway/testkit/matrix/ed25519.ts'
import { systemClock } from '@causeway/store/clock/system.ts'
import { signRequest } from '../../packages/homeserver/federation/client/sign-request.ts'
import type { FederationClient } from '../../packages/homeserver/federation/federation-client.ts'
import { joinFromElsewhere, unreachable } from '../../packages/homeserver/federation/test-peers.ts'
import type { DispatchRequest, DispatchResponse } from '../../packages/homeserver/http/dispatch.ts'
import { dispatch } from '../../packages/homeserver/http/dispatch.ts'
import type { AnyEndpoint } from '../../packages/homeserver/http/endpoint.ts'
import { draftEvent } from '../../packages/homeserver/rooms/append-event.ts'
import { readRoom } from '../../packages/homeserver/rooms/join/read-room.ts'
import { routesOf } from '../../packages/homeserver/server.ts'
import {
  openTestServer,
  testConfig,
  type TestLogin,
  type TestServer,
} from '../../packages/homeserver/test-server.ts'
import { isBetweenServers } from './client-world.ts'
import { call, PICTURE, SECRET, V3 } from './people.ts'

export const OURS = 'ours.test' as ServerName
const KEY_ID = 'ed25519:k1'

/** Another server, of which there are a key and users. */
export interface Peer {
  readonly name: ServerName
  readonly signer: ReturnType<typeof makeSigner>
  /** A user of it. */
  readonly userId: UserId
  /** Users of it who are to leave. */
  readonly leaving: readonly [UserId, UserId]
}

function makePeer(name: string): Peer {
  const seed = Buffer.from(name.padEnd(32, '.')).toString('base64')
  return {
    name: name as ServerName,
    signer: makeSigner(name, KEY_ID, seed),
    userId: `@user:${name}` as UserId,
    leaving: [`@first:${name}` as UserId, `@second:${name}` as UserId],
  }
}

/** Our server, two that share a room with it, one that shares nothing, and one that the room's ACL keeps out. */
export interface FederationWorld extends AsyncDisposable {
  readonly server: TestServer
  readonly alice: TestLogin
  readonly friend: Peer
  /** In the room as well. */
  readonly other: Peer
  readonly stranger: Peer
  readonly barred: Peer
  /** One whose every request the operator of our server refuses. */
  readonly shunned: Peer
  /** Private; Alice and users of all servers but the stranger are in it. */
  readonly roomId: RoomId
  /** Anybody may knock there; nobody but Alice is in it. */
  readonly knockRoomId: RoomId
  /** What Alice said in the private room. */
  readonly eventId: string
  readonly mediaId: string
}

/** Operations between servers. */
export const federationEndpoints: readonly AnyEndpoint[] = routesOf({
  federation: { enabled: true },
  url_previews: { enabled: true },
} as Parameters<typeof routesOf>[0]).filter(({ path: where }) => isBetweenServers(where))

/** The network: other servers answer with their keys, and nothing else. */
function keysOnly(peers: readonly Peer[]): FederationClient {
  return {
    request: async (destination, { path: where }) => {
      const peer = peers.find(({ name }) => name === destination)
      if (peer === undefined || where !== '/_matrix/key/v2/server') throw unreachable(destination)
      const document = {
        server_name: peer.name,
        valid_until_ts: systemClock.now() + 86_400_000,
        verify_keys: { [KEY_ID]: { key: peer.signer.publicKey } },
        old_verify_keys: {},
      }
      return signJson(document, peer.signer)
    },
    stream: async (destination) => Promise.reject(unreachable(destination)),
    heardFrom: () => undefined,
  }
}

async function makeRooms(
  server: TestServer,
  { token }: TestLogin,
  friend: Peer,
  other: Peer,
  barred: Peer,
): Promise<Pick<FederationWorld, 'roomId' | 'knockRoomId' | 'eventId'>> {
  const create = async (): Promise<RoomId> => {
    const body = { preset: 'public_chat', room_version: '11' }
    return (await call(server, token, 'POST', `${V3}/createRoom`, body))['room_id'] as RoomId
  }
  const put = async (roomId: RoomId, rest: string, body: JsonObject): Promise<string> => {
    const url = `${V3}/rooms/${encodeURIComponent(roomId)}/${rest}`
    return (await call(server, token, 'PUT', url, body))['event_id'] as string
  }
  const deny = { allow: ['*'], deny: [barred.name], allow_ip_literals: false }
  const roomId = await create()
  for (const userId of [friend.userId, ...friend.leaving, other.userId, barred.userId]) {
    await joinFromElsewhere(server, roomId, userId)
  }
  await put(roomId, 'state/m.room.join_rules/', { join_rule: 'invite' })
  await put(roomId, 'state/m.room.server_acl/', deny)
  const eventId = await put(roomId, 'send/m.room.message/t1', { msgtype: 'm.text', body: SECRET })
  const knockRoomId = await create()
  await put(knockRoomId, 'state/m.room.server_acl/', deny)
  await put(knockRoomId, 'state/m.room.join_rules/', { join_rule: 'knock' })
  return { roomId, knockRoomId, eventId }
}

export async function openFederationWorld(): Promise<FederationWorld> {
  const folder = await mkdtemp(path.join(tmpdir(), 'authorization-'))
  const [friend, other, stranger, barred, shunned] = [
    makePeer('friend.test'),
    makePeer('other.test'),
    makePeer('stranger.test'),
    makePeer('barred.test'),
    makePeer('shunned.test'),
  ] as const
  const base = testConfig(folder, { server_name: OURS })
  const federation = { ...base.federation, denied_servers: [shunned.name] }
  const client = keysOnly([friend, other, stranger, barred, shunned])
  const server = await openTestServer(
    { ...base, federation },
    { endpoints: routesOf({ ...base, federation }), network: { client } },
    () => rm(folder, { recursive: true }),
  )
  const alice = await server.register('alice')
  const uploaded = await call(server, alice.token, 'POST', '/_matrix/media/v3/upload', PICTURE)
  return {
    server,
    alice,
    friend,
    other,
    stranger,
    barred,
    shunned,
    ...(await makeRooms(server, alice, friend, other, barred)),
    mediaId: (uploaded['content_uri'] as string).split('/').at(-1)!,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

export interface EventDraft {
  readonly type: string
  readonly sender: UserId
  readonly stateKey?: string
  readonly content: JsonObject
}

/**
 * An event at the end of a room, signed by `peer` whoever it is from: its parents and what it claims to be allowed by
 * are those of an event that Alice might send.
 */
export async function makePeerEvent(
  { server, alice }: FederationWorld,
  peer: Peer,
  roomId: RoomId,
  { type, sender, stateKey, content }: EventDraft,
): Promise<{ eventId: string; json: JsonObject }> {
  const ours = { type: 'm.room.message', sender: alice.userId as UserId, content: {} }
  const { rooms, clock } = server.hs
  const theirs = async (): Promise<Pdu> =>
    readRoom(rooms, roomId, async (write) => {
      // What permits an event of theirs, where they may send it; else what permits one of Alice's.
      const draft = { type, sender, content, ...(stateKey === undefined ? {} : { stateKey }) }
      const built = await draftEvent(rooms, write, draft).catch(() => draftEvent(rooms, write, ours))
      return built.pdu
    })
  const { hashes: _h, signatures: _s, event_id: _i, ...rest } = await theirs()
  const rules = findRoomVersion('11')!
  const draft = {
    ...rest,
    type,
    sender,
    content,
    ...(stateKey === undefined ? {} : { state_key: stateKey }),
    origin_server_ts: clock.now(),
  } as unknown as Pdu
  const hashed = { ...draft, hashes: { sha256: contentHash(rules, draft, sha256) }, signatures: {} }
  const pdu = signEvent(rules, hashed, peer.signer)
  return { eventId: eventIdOf(rules, pdu, sha256)!, json: pdu as unknown as JsonObject }
}

/** What differs from an honest request: the header, or what it was made for. */
export interface Forgery {
  readonly destination?: ServerName
  /** Signed in place of what is sent. */
  readonly signed?: Partial<Pick<DispatchRequest, 'method' | 'url' | 'body'>>
  /** In place of the header. */
  readonly authorization?: string | undefined
  /** Whose name is on it, by whoever's key. */
  readonly origin?: ServerName
}

/** Sends a request that a server signed, or forged. */
export function sendAs(
  { server }: FederationWorld,
  { signer }: Peer,
  request: DispatchRequest,
  forgery: Forgery = {},
): Promise<DispatchResponse> {
  const { destination = OURS, origin = signer.serverName } = forgery
  const { method, url, body } = { ...request, ...forgery.signed }
  const content = body === undefined ? undefined : canonicalJson(body as JsonObject, false)
  const by = { ...signer, serverName: origin }
  const honest = signRequest(by, destination, { method, uri: url, content })
  const authorization = 'authorization' in forgery ? forgery.authorization : honest
  const headers: Record<string, string> = authorization === undefined ? {} : { authorization }
  return dispatch(server.router, { ...request, headers })
}
