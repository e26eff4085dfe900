import { textOf } from '../text-of.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { DispatchResponse } from '@causeway/homeserver/http/dispatch.ts'
import type { Scheduler } from './scheduler.ts'
import { REGISTER_BODY, type SimulatedServer } from './simulated-server.ts'

/** What a client was told: this event is part of the room. */
export interface Acknowledged {
  readonly eventId: string
  readonly roomId: string
  readonly sender: string
  readonly server: SimulatedServer
  readonly what: string
}

/** A client that does not give up: what was not answered is sent again, under the same transaction id. */
export interface Clients {
  readonly acknowledged: Acknowledged[]
  /** Events of before everybody was there: setting the same state again is answered with the event that did it first. */
  readonly early: Set<string>
  /** Answers other than 200 and 5xx, by errcode. */
  readonly refusals: Map<string, number>
  /** Requests that are still being tried. */
  open(): number
  /** Sends now, and again until it is answered; `what` for reports. */
  send(server: SimulatedServer, userId: string, request: ClientRequest): void
  /** One request that is waited for. @throws when it is not answered with 200 */
  must(server: SimulatedServer, userId: string, request: ClientRequest): Promise<JsonObject>
}

export interface ClientRequest {
  readonly what: string
  readonly method: string
  readonly url: string
  readonly body?: JsonObject
  /** Given when an answer with an `event_id` acknowledges an event there. */
  readonly roomId?: string
}

const RETRY_MS = 7_000
const PATIENCE_MS = 90_000
const MAX_TRIES = 40

export const roomUrl = (roomId: string, rest: string): string =>
  `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/${rest}`

export function createClients(scheduler: Scheduler): Clients {
  const acknowledged: Acknowledged[] = []
  const refusals = new Map<string, number>()
  const early = new Set<string>()
  let open = 0

  const take = (
    server: SimulatedServer,
    sender: string,
    { roomId, what }: ClientRequest,
    answer: DispatchResponse,
  ): void => {
    if (answer.status !== 200) {
      const errcode = textOf(answer.json()['errcode'])
      refusals.set(`${what} ${errcode}`, (refusals.get(`${what} ${errcode}`) ?? 0) + 1)
      return
    }
    const eventId = answer.json()['event_id']
    if (roomId !== undefined && typeof eventId === 'string' && !early.has(eventId))
      acknowledged.push({ eventId, roomId, sender, server, what })
  }

  const attempt = (server: SimulatedServer, userId: string, request: ClientRequest, tries: number): void => {
    let isOver = false
    const again = (): void => {
      if (isOver) return
      isOver = true
      if (tries >= MAX_TRIES) {
        open--
        return
      }
      scheduler.at(scheduler.now() + RETRY_MS, `${userId} tries again`, () =>
        attempt(server, userId, request, tries + 1),
      )
    }
    const { method, url, body } = request
    const answering = server.request(method, url, userId, body)
    if (answering === undefined) return again()
    const patience = scheduler.at(scheduler.now() + PATIENCE_MS, `${userId} has waited`, again)
    void answering.then((answer) => {
      scheduler.note(`${userId} ${request.what} ${answer.status}`)
      if (isOver) return
      patience.cancel()
      if (answer.status >= 500 || answer.status === 429) return again()
      isOver = true
      open--
      take(server, userId, request, answer)
    })
  }

  return {
    acknowledged,
    early,
    refusals,
    open: () => open,
    send(server, userId, request) {
      open++
      attempt(server, userId, request, 1)
    },
    async must(server, userId, { method, url, body, what }) {
      const answering = server.request(method, url, userId, body)
      if (answering === undefined) throw new Error(`${server.name} is down`)
      const answer = await scheduler.settle(answering, 600_000)
      if (answer.status !== 200) {
        throw new Error(
          `${userId} ${what}: ${answer.status} ${Buffer.from(answer.bytes).toString().slice(0, 300)}`,
        )
      }
      return answer.json()
    },
  }
}

export async function register(clients: Clients, server: SimulatedServer, name: string): Promise<string> {
  const request = {
    what: 'registers',
    method: 'POST',
    url: '/_matrix/client/v3/register',
    body: REGISTER_BODY(name),
  }
  const answer = await clients.must(server, '', request)
  return textOf(answer['user_id'])
}
