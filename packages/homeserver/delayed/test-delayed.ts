import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { HomeserverConfig } from '../config.ts'
import { clientRoutes } from '../client/routes.ts'
import { ok } from '../test-call.ts'
import type { ServerDriver, TestLogin, TestServer } from '../test-server.ts'
import { createSteppedClock, type SteppedClock } from './test-clock.ts'

// Test support: two people in a room of a server whose clock can be put forward.

export const UNSTABLE = '/_matrix/client/unstable/org.matrix.msc4140'
export const TYPE = 'org.example.note'

export interface Stage extends AsyncDisposable {
  server: TestServer
  readonly clock: SteppedClock
  readonly alice: TestLogin
  readonly bob: TestLogin
  readonly roomId: string
  /** It is so much later, and what was due is sent. */
  pass(ms: number): Promise<void>
  restart(): Promise<void>
}

export interface Answer {
  readonly status: number
  readonly json: JsonObject
}

export async function openStage(
  driver: ServerDriver,
  config: Partial<HomeserverConfig> = {},
): Promise<Stage> {
  const clock = createSteppedClock()
  const server = await driver.start({ endpoints: clientRoutes, clock, config })
  const [alice, bob] = [await server.register('alice'), await server.register('bob')]
  const power = { events: { [TYPE]: 0 } }
  const made = { preset: 'public_chat', power_level_content_override: power }
  const { room_id: roomId } = await ok(server, alice, 'POST', '/createRoom', made)
  await ok(server, bob, 'POST', `/join/${encodeURIComponent(roomId as string)}`, {})
  const stage: Stage = {
    server,
    clock,
    alice,
    bob,
    roomId: roomId as string,
    async pass(ms) {
      clock.advance(ms)
      await stage.server.hs.delayed.idle()
    },
    async restart() {
      stage.server = await stage.server.restart()
      await stage.server.hs.delayed.idle()
    },
    [Symbol.asyncDispose]: () => stage.server[Symbol.asyncDispose](),
  }
  return stage
}

/** A request on the proposal's own paths; without a token where nobody is named. */
export async function ask(
  { server }: Stage,
  who: TestLogin | undefined,
  method: string,
  path: string,
  body?: JsonObject,
): Promise<Answer> {
  const session = who === undefined ? {} : { token: who.token }
  const answer = await server.request(method, UNSTABLE + path, { ...session, ...(body && { body }) })
  return { status: answer.status, json: answer.json() }
}

const roomPath = ({ roomId }: Stage): string => `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}`

/** What follows the room in a path, asked of the specification's API. */
export async function inRoom(
  stage: Stage,
  who: TestLogin,
  method: string,
  path: string,
  body?: JsonObject,
): Promise<Answer> {
  const more = { token: who.token, ...(body && { body }) }
  const answer = await stage.server.request(method, roomPath(stage) + path, more)
  return { status: answer.status, json: answer.json() }
}

let transactions = 0

/** Schedules a message in the way of today's clients; answers its delay id. */
export async function delay(stage: Stage, who: TestLogin, ms: number, content: JsonObject): Promise<string> {
  transactions += 1
  const path = `/send/${TYPE}/d${transactions}?org.matrix.msc4140.delay=${ms}`
  const { json } = await inRoom(stage, who, 'PUT', path, content)
  if (typeof json['delay_id'] !== 'string') throw new Error(JSON.stringify(json))
  return json['delay_id']
}

/** The same for a state event. */
export async function delayState(
  stage: Stage,
  who: TestLogin,
  { key, ms }: { readonly key: string; readonly ms: number },
  content: JsonObject,
): Promise<string> {
  const path = `/state/${TYPE}/${key}?org.matrix.msc4140.delay=${ms}`
  const { json } = await inRoom(stage, who, 'PUT', path, content)
  if (typeof json['delay_id'] !== 'string') throw new Error(JSON.stringify(json))
  return json['delay_id']
}

/** Events of the type that these tests send, oldest first, as somebody reads them. */
export async function readNotes(stage: Stage, who: TestLogin): Promise<JsonObject[]> {
  const { json } = await inRoom(stage, who, 'GET', '/messages?dir=b&limit=100')
  return (json['chunk'] as JsonObject[]).filter(({ type }) => type === TYPE).toReversed()
}

export async function readTexts(stage: Stage): Promise<unknown[]> {
  return (await readNotes(stage, stage.alice)).map(({ content }) => (content as JsonObject)['text'])
}

export async function listScheduledOf(stage: Stage, who: TestLogin): Promise<JsonObject[]> {
  return (await ask(stage, who, 'GET', '/delayed_events')).json['delayed_events'] as JsonObject[]
}
