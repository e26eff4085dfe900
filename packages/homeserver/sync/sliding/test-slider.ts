import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { TestServer } from '../../test-server.ts'

const PATH = '/_matrix/client/unstable/org.matrix.simplified_msc3575/sync'

/** Test support: a client's connection, which goes on from where it has got to. */
export interface Slider {
  /** An answer that must be one. */
  next(body?: JsonObject, timeout?: number): Promise<JsonObject>
  /** Status and body, without going on. */
  ask(
    body: JsonObject,
    query: Record<string, string>,
  ): Promise<{ readonly status: number; readonly body: JsonObject }>
  /** The position it has got to. */
  pos(): string | undefined
  /** Forgets the answers after this one. */
  rewind(pos: string | undefined): void
}

/** @param usual what is asked for where a request does not say */
export function openSlider(server: TestServer, token: string, usual: JsonObject): Slider {
  let pos: string | undefined
  const ask: Slider['ask'] = async (body, query) => {
    const answer = await server.request('POST', `${PATH}?${new URLSearchParams(query).toString()}`, {
      token,
      body,
    })
    return { status: answer.status, body: answer.json() }
  }
  return {
    ask,
    async next(body = usual, timeout = 0) {
      const query = { timeout: String(timeout), ...(pos === undefined ? {} : { pos }) }
      const answer = await ask(body, query)
      if (answer.status !== 200) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`)
      pos = answer.body['pos'] as string
      return answer.body
    },
    pos: () => pos,
    rewind: (to) => void (pos = to),
  }
}

/** A list of the newest rooms, and what else is asked for. */
export function window(last: number, more: JsonObject = {}): JsonObject {
  return { lists: { all: { ranges: [[0, last]], timeline_limit: 5, required_state: [], ...more } } }
}

export function roomIn(answer: JsonObject, roomId: string): JsonObject | undefined {
  return (answer['rooms'] as Record<string, JsonObject>)[roomId]
}

export function roomIdsIn(answer: JsonObject): string[] {
  return Object.keys(answer['rooms'] as JsonObject)
}

export function bodiesIn(room: JsonObject | undefined): unknown[] {
  const events = (room?.['timeline'] as JsonObject[] | undefined) ?? []
  const messages = events.filter(({ type }) => type === 'm.room.message')
  return messages.map(({ content }) => (content as JsonObject)['body'])
}

/** `type|state key` of the required state. */
export function stateIn(room: JsonObject | undefined): string[] {
  const events = (room?.['required_state'] as JsonObject[] | undefined) ?? []
  return events.map((event) => `${event['type'] as string}|${event['state_key'] as string}`).toSorted()
}

export function extensionIn(answer: JsonObject, name: string): JsonObject {
  return (answer['extensions'] as Record<string, JsonObject>)[name]!
}

/** The room ids of a list's first window. */
export function orderIn(answer: JsonObject, list = 'all'): unknown {
  const { ops } = (answer['lists'] as Record<string, { ops: JsonObject[] }>)[list]!
  return ops[0]?.['room_ids']
}
