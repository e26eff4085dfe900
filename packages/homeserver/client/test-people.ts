import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { Clock } from '@causeway/store/clock/clock.ts'
import { systemClock } from '@causeway/store/clock/system.ts'
import type { HomeserverConfig } from '../config.ts'
import type { Homeserver } from '../homeserver.ts'
import type { DispatchRequest, DispatchResponse } from '../http/dispatch.ts'
import type { Router } from '../http/router.ts'
import type { ServerDriver, TestLogin } from '../test-server.ts'
import { clientRoutes } from './routes.ts'

/** Test support: a server whose people are called by name; they have accounts as soon as they do something. */
export interface TestPeople extends AsyncDisposable {
  readonly hs: Homeserver
  readonly router: Router
  tokenOf(who: string): Promise<string>
  /** A request as somebody, or as nobody. */
  send(who: string | undefined, request: DispatchRequest): Promise<DispatchResponse>
  /** The same with a JSON answer; throws unless the status is 200. */
  call(who: string | undefined, method: string, url: string, body?: JsonObject): Promise<JsonObject>
  /** Sends a message event and gives its id. */
  say(who: string, roomId: string, content: JsonObject, type?: string): Promise<string>
}

export async function openTestPeople(
  driver: ServerDriver,
  config: Partial<HomeserverConfig> = {},
  clock: Clock = systemClock,
): Promise<TestPeople> {
  const server = await driver.start({ endpoints: clientRoutes, config, clock })
  const logins = new Map<string, Promise<TestLogin>>()
  let txn = 0
  const people: TestPeople = {
    hs: server.hs,
    router: server.router,
    async tokenOf(who) {
      const login = logins.get(who) ?? server.register(who)
      logins.set(who, login)
      return (await login).token
    },
    async send(who, { method, url, ...more }) {
      return server.request(method, url, {
        ...(more as object),
        ...(who === undefined ? {} : { token: await people.tokenOf(who) }),
      })
    },
    async call(who, method, url, body) {
      const answer = await people.send(who, { method, url, ...(body === undefined ? {} : { body }) })
      const json = answer.json()
      if (answer.status !== 200) throw new Error(`${method} ${url}: ${answer.status} ${JSON.stringify(json)}`)
      return json
    },
    async say(who, roomId, content, type = 'm.room.message') {
      const url = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/send/${type}/t${txn++}`
      return (await people.call(who, 'PUT', url, content))['event_id'] as string
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
  return people
}
