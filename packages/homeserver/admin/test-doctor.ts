import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { systemClock } from '@causeway/store/clock/system.ts'
import { createTestPeers, type TestPeers } from '../federation/test-peers.ts'
import { compileCheck } from '../http/check.ts'
import { ok } from '../test-call.ts'
import type { ServerDriver, TestLogin, TestServer } from '../test-server.ts'
import { loadAdminCommands } from './load-commands.ts'

/** Test support: three servers in one process, `ours` with the doctor, and somebody on each of them. */
export interface DoctorStage extends AsyncDisposable {
  readonly peers: TestPeers
  readonly ours: TestServer
  readonly theirs: TestServer
  readonly third: TestServer
  /** Of theirs. */
  readonly alice: TestLogin
  /** Of ours. */
  readonly bob: TestLogin
  /** Of the third. */
  readonly carol: TestLogin
  /** Everything that was said has been sent, and taken in. */
  delivered(): Promise<void>
  say(who: TestLogin, roomId: string, body: string): Promise<JsonObject>
  /** State without a key. */
  send(who: TestLogin, roomId: string, type: string, content: JsonObject): Promise<JsonObject>
  /** Ids of the events of the state by `type|state key`, as somebody's server has it. */
  stateOf(who: TestLogin, roomId: string): Promise<Map<string, string>>
  /** What the command answers on our server. */
  doctor(roomId: string, more?: JsonObject): Promise<JsonObject>
}

/** How long the members of a room may take to come. */
const WHOLE_MS = 60_000
const command = (await loadAdminCommands()).get('room-doctor')!
const pathOf = (roomId: string): string => `/rooms/${encodeURIComponent(roomId)}`

async function deliverAll(servers: readonly TestServer[]): Promise<void> {
  for (const { hs } of servers) {
    await hs.outbound.reached(hs.log.head())
    await hs.outbound.idle()
  }
  for (const { hs } of servers) {
    await hs.receiving.inbox.idle()
    for (const { roomNid } of hs.rooms.partial.list()) {
      const late = new AbortController()
      const timer = systemClock.setTimeout(() => late.abort(new Error('the members did not come')), WHOLE_MS)
      await hs.rooms.partial.whenWhole(roomNid, late.signal).finally(() => timer.cancel())
    }
  }
}

export async function openDoctorStage(driver: ServerDriver): Promise<DoctorStage> {
  const peers = createTestPeers()
  const ours = await peers.start(driver, 'ours')
  const theirs = await peers.start(driver, 'theirs')
  const third = await peers.start(driver, 'third')
  const servers = [theirs, third, ours]
  const serverOf = ({ userId }: TestLogin): TestServer =>
    servers.find(({ hs }) => userId.endsWith(`:${hs.serverName}`))!
  let txn = 0
  return {
    ...{ peers, ours, theirs, third },
    alice: await theirs.register('alice'),
    bob: await ours.register('bob'),
    carol: await third.register('carol'),
    delivered: () => deliverAll(servers),
    say: (who, roomId, body) =>
      ok(serverOf(who), who, 'PUT', `${pathOf(roomId)}/send/m.room.message/t${txn++}`, {
        msgtype: 'm.text',
        body,
      }),
    send: (who, roomId, type, content) =>
      ok(serverOf(who), who, 'PUT', `${pathOf(roomId)}/state/${type}/`, content),
    async stateOf(who, roomId) {
      const path = `/_matrix/client/v3${pathOf(roomId)}/state`
      const events = (await serverOf(who).request('GET', path, { token: who.token })).json()
      return new Map(
        (events as unknown as JsonObject[]).map((event) => [
          `${event['type'] as string}|${event['state_key'] as string}`,
          event['event_id'] as string,
        ]),
      )
    },
    async doctor(roomId, more = {}) {
      const input = { room: roomId, ...more }
      compileCheck(command.input, 'body')(input)
      const answer = await command.run(ours.hs, input as never, { name: 'test' })
      return JSON.parse(JSON.stringify(answer)) as JsonObject
    },
    async [Symbol.asyncDispose]() {
      for (const server of [third, theirs, ours]) await server[Symbol.asyncDispose]()
    },
  }
}
