import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import { clientRoutes } from '../client/routes.ts'
import type { ServerDriver, TestServer } from '../test-server.ts'
import type { AppserviceRegistration } from './registration.ts'
import { hastyClock, startTestAppservice, testRegistration, type TestAppservice } from './test-appservice.ts'

// Test support: a server and an appservice that talk with each other.

export const V3 = '/_matrix/client/v3'
export const room = (roomId: string): string => `${V3}/rooms/${encodeURIComponent(roomId)}`

/** A server with one person, Alice, and an appservice `irc` over HTTP. */
export interface Stage extends AsyncDisposable {
  server: TestServer
  readonly irc: TestAppservice
  readonly alice: string
  /** The appservice's token. */
  readonly asToken: string
  /** A request that must succeed, by Alice. */
  call(method: string, url: string, body?: JsonObject): Promise<JsonObject>
  /** The same by the appservice, as one of its users. */
  callAs(ghost: string, method: string, url: string, body?: JsonObject): Promise<JsonObject>
  makeRoom(body?: JsonObject): Promise<string>
  say(roomId: string, text: string): Promise<string>
  /** A user of the appservice, `@_irc_<name>:test.example`, made and joined to a room. */
  joinGhost(name: string, roomId: string): Promise<string>
  /** Resolves when what was said by now was judged: what comes after changes nothing about whether it is wanted. */
  caughtUp(): Promise<void>
  /** Stops the server and starts it again, with another registration where one is given. */
  restart(changed?: Partial<AppserviceRegistration>): Promise<void>
}

let txn = 0

export async function startStage(
  driver: ServerDriver,
  more: Partial<AppserviceRegistration> = {},
  clock: Clock = hastyClock,
): Promise<Stage> {
  const irc = await startTestAppservice()
  const folder = await mkdtemp(path.join(tmpdir(), 'registrations-'))
  const file = path.join(folder, 'irc.yaml')
  const registration = testRegistration('irc', irc.url, more)
  await writeFile(file, JSON.stringify(registration))
  const server = await driver.start({
    endpoints: clientRoutes,
    clock,
    config: { appservices: [file] },
  })
  const { token } = await server.register('alice')
  const request = async (
    token: string,
    method: string,
    url: string,
    body?: JsonObject,
  ): Promise<JsonObject> => {
    const more = body === undefined ? {} : { body }
    const answer = await stage.server.request(method, url, { token, ...more })
    const json = answer.json()
    assert.equal(answer.status, 200, `${method} ${url}: ${JSON.stringify(json)}`)
    return json
  }
  const stage: Stage = {
    server,
    irc,
    alice: token,
    asToken: registration.as_token,
    call: (method, url, body) => request(token, method, url, body),
    callAs: (ghost, method, url, body) => {
      const mark = url.includes('?') ? '&' : '?'
      return request(registration.as_token, method, `${url}${mark}user_id=${encodeURIComponent(ghost)}`, body)
    },
    makeRoom: async (body = { preset: 'public_chat' }) =>
      (await stage.call('POST', `${V3}/createRoom`, body))['room_id'] as string,
    say: async (roomId, text) => {
      const url = `${room(roomId)}/send/m.room.message/t${txn++}`
      return (await stage.call('PUT', url, { msgtype: 'm.text', body: text }))['event_id'] as string
    },
    joinGhost: async (name, roomId) => {
      const username = `_irc_${name}`
      const type = 'm.login.application_service'
      await request(registration.as_token, 'POST', `${V3}/register`, { type, username, inhibit_login: true })
      const ghost = `@${username}:test.example`
      await stage.callAs(ghost, 'POST', `${V3}/join/${encodeURIComponent(roomId)}`, {})
      return ghost
    },
    caughtUp: () => stage.server.hs.appservices.reached(stage.server.hs.log.head()),
    restart: async (changed) => {
      if (changed !== undefined) await writeFile(file, JSON.stringify({ ...registration, ...changed }))
      stage.server = await stage.server.restart()
    },
    async [Symbol.asyncDispose]() {
      await stage.server[Symbol.asyncDispose]()
      await irc[Symbol.asyncDispose]()
      await rm(folder, { recursive: true })
    },
  }
  return stage
}

/** The texts of messages. */
export const bodiesOf = (events: readonly JsonObject[]): unknown[] =>
  events.filter(({ type }) => type === 'm.room.message').map(({ content }) => (content as JsonObject)['body'])
