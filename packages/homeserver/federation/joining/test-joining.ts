import assert from 'node:assert/strict'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { clientRoutes } from '../../client/routes.ts'
import { ok } from '../../test-call.ts'
import { startFederatedServers, type FederatedServer } from '../../test-federation.ts'
import type { TestLogin } from '../../test-server.ts'
import { federationRoutes } from '../routes.ts'

// Test support: what people of two servers do in rooms, and what each of them is told of it.

export const segment = encodeURIComponent

/** Two servers whose events go nowhere but where the test takes them, with alice on the first and bob on the second. */
export interface Neighbours extends AsyncDisposable {
  readonly one: FederatedServer
  readonly two: FederatedServer
  readonly alice: TestLogin
  readonly bob: TestLogin
}

export async function startNeighbours(): Promise<Neighbours> {
  const world = await startFederatedServers(2, { endpoints: [...clientRoutes, ...federationRoutes] })
  const [one, two] = world.servers as [FederatedServer, FederatedServer]
  world.servers.forEach(keepToItself)
  return {
    one,
    two,
    alice: await one.register('alice'),
    bob: await two.register('bob'),
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  }
}

/** From now on its events go nowhere but where the test takes them. */
export function keepToItself({ hs }: FederatedServer): void {
  Object.assign(hs.outbound, { wake: () => undefined })
}

export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

export async function refused(
  server: FederatedServer,
  { token }: TestLogin,
  method: string,
  path: string,
  body?: JsonObject,
): Promise<string> {
  const answer = await server.request(method, `/_matrix/client/v3${path}`, {
    token,
    ...(body === undefined ? {} : { body }),
  })
  assert.notEqual(answer.status, 200)
  return `${answer.status} ${textOf(answer.json()['errcode'])}`
}

export async function makeRoom(
  server: FederatedServer,
  login: TestLogin,
  more: JsonObject = {},
): Promise<string> {
  const { room_id: roomId } = await ok(server, login, 'POST', '/createRoom', {
    preset: 'public_chat',
    ...more,
  })
  return roomId as string
}

export function join(
  server: FederatedServer,
  login: TestLogin,
  roomId: string,
  via: string,
): Promise<JsonObject> {
  return ok(server, login, 'POST', `/join/${segment(roomId)}?via=${via}`, {})
}

export async function membershipOf(
  server: FederatedServer,
  login: TestLogin,
  roomId: string,
  userId: string,
): Promise<unknown> {
  const path = `/rooms/${segment(roomId)}/state/m.room.member/${segment(userId)}`
  return (await ok(server, login, 'GET', path))['membership']
}

export async function say(
  server: FederatedServer,
  login: TestLogin,
  roomId: string,
  body: string,
): Promise<void> {
  const path = `/rooms/${segment(roomId)}/send/m.room.message/${segment(body)}`
  await ok(server, login, 'PUT', path, { msgtype: 'm.text', body })
}

export interface Sync {
  next_batch: string
  device_lists?: { changed: string[] }
  rooms?: {
    join?: Record<string, { timeline: { events: JsonObject[] }; state: { events: JsonObject[] } }>
    invite?: Record<string, { invite_state: { events: JsonObject[] } }>
    knock?: Record<string, { knock_state: { events: JsonObject[] } }>
    leave?: Record<string, unknown>
  }
}

export async function sync(
  server: FederatedServer,
  login: TestLogin,
  since?: string,
  lazy = false,
): Promise<Sync> {
  const filter = lazy ? `&filter=${segment('{"room":{"state":{"lazy_load_members":true}}}')}` : ''
  const from = since === undefined ? '' : `&since=${since}`
  return (await ok(server, login, 'GET', `/sync?timeout=0${from}${filter}`)) as unknown as Sync
}

/** Takes a room's newest event from one server to another, as its sender would. */
export async function carryNewest(from: FederatedServer, to: FederatedServer, roomId: string): Promise<void> {
  assert.deepEqual(await sendNewest(from, to, roomId), [{}])
}

/** The same, whatever is made of it: the answers for its events. @param before events that came after it */
export async function sendNewest(
  from: FederatedServer,
  to: FederatedServer,
  roomId: string,
  before = 0,
): Promise<JsonObject[]> {
  return sendHeld(from, to, await newestOf(from, roomId, before))
}

/** An event as its server has it. */
export interface HeldPdu {
  readonly nid: number
  readonly pdu: JsonObject
}

/** A room's newest event. @param before events that came after it */
export async function newestOf(server: FederatedServer, roomId: string, before = 0): Promise<HeldPdu> {
  const [row] = await server.hs.db.query<{ nid: number; json: string | Uint8Array }>(
    `SELECT e.nid, e.json FROM events e JOIN rooms r ON r.nid = e.room_nid
     WHERE r.room_id = ? ORDER BY e.nid DESC LIMIT 1 OFFSET ?`,
    [roomId, before],
  )
  return { nid: row!.nid, pdu: JSON.parse(Buffer.from(row!.json as string).toString()) as JsonObject }
}

/** Takes an event to another server, as its sender would; the answers for it. */
export async function sendHeld(
  from: FederatedServer,
  to: FederatedServer,
  { nid, pdu }: HeldPdu,
): Promise<JsonObject[]> {
  const answer = await from.hs.federation.client.request(to.name, {
    method: 'PUT',
    path: `/_matrix/federation/v1/send/${segment(pdu['room_id'] as string)}-${nid}`,
    body: { origin: from.name, origin_server_ts: from.hs.clock.now(), pdus: [pdu] },
  })
  return Object.values(answer['pdus'] as JsonObject) as JsonObject[]
}

/** Fetches of members in the background have ended. */
export async function whole(server: FederatedServer): Promise<void> {
  await server.hs.joining.completion.idle()
  assert.deepEqual(server.hs.rooms.partial.list(), [])
}
