import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { request, type TestUser } from '@causeway/testkit/matrix-client.ts'
import type { MatrixPerson, SeenEvent } from '@causeway/testkit/matrix-person.ts'
import type { Side } from './two-servers.ts'

/**
 * How long a journey waits for what has to come. A Synapse that was cut off looks only once a minute for servers that it
 * owes something, if it is not told that they are there again.
 */
export const PATIENCE_MS = 180_000

export const at = (roomId: string): string => `/rooms/${encodeURIComponent(roomId)}`

/** Joins a room that may be known to `through` alone. */
export async function join(person: MatrixPerson, roomId: string, through: Side): Promise<void> {
  const path = `/join/${encodeURIComponent(roomId)}?via=${through.serverName}&server_name=${through.serverName}`
  await person.user.call('POST', path, {})
}

/** What the server says to an attempt that may fail. */
export function attempt(
  { user }: MatrixPerson,
  side: Side,
  method: string,
  operation: string,
  body?: JsonObject,
): Promise<{ status: number; body: JsonObject }> {
  const options = body === undefined ? { token: user.token } : { token: user.token, body }
  return request(side.url, method, `/_matrix/client/v3${operation}`, options)
}

export async function setMembership(
  person: MatrixPerson,
  roomId: string,
  action: 'invite' | 'kick' | 'ban' | 'unban',
  whom: MatrixPerson,
): Promise<void> {
  await person.user.call('POST', `${at(roomId)}/${action}`, { user_id: whom.userId, reason: `a ${action}` })
}

export async function leave(person: MatrixPerson, roomId: string): Promise<void> {
  await person.user.call('POST', `${at(roomId)}/leave`, {})
}

export async function setState(
  person: MatrixPerson,
  roomId: string,
  type: string,
  content: JsonObject,
  key = '',
): Promise<string> {
  const path = `${at(roomId)}/state/${type}/${encodeURIComponent(key)}`
  return (await person.user.call('PUT', path, content))['event_id'] as string
}

/** Sees the membership of somebody become this. */
export function seeMembership(
  person: MatrixPerson,
  roomId: string,
  whom: MatrixPerson,
  membership: string,
  since = 0,
): Promise<SeenEvent> {
  return person.waitFor(
    roomId,
    `${whom.userId} in “${membership}”`,
    (event) =>
      event.type === 'm.room.member' &&
      event.state_key === whom.userId &&
      event.content['membership'] === membership &&
      person.timeline(roomId).indexOf(event) >= since,
    PATIENCE_MS,
  )
}

/** Sees an invitation, with what it tells of the room. */
export function seeInvite(person: MatrixPerson, roomId: string, since = 0): Promise<readonly SeenEvent[]> {
  return person.waitInSync(
    `an invitation to ${roomId}`,
    ({ rooms }) => rooms?.invite?.[roomId]?.invite_state?.events,
    { since, ms: PATIENCE_MS },
  )
}

/** Sees that they are no longer in a room. */
export async function seeRemoved(person: MatrixPerson, roomId: string, since: number): Promise<void> {
  await person.waitInSync(`${roomId} gone`, ({ rooms }) => rooms?.leave?.[roomId], { since, ms: PATIENCE_MS })
}

/** Everything that the room has, read from its end to its beginning. */
export async function readBack(user: TestUser, roomId: string): Promise<SeenEvent[]> {
  const events: SeenEvent[] = []
  let from = ''
  for (;;) {
    const path = `${at(roomId)}/messages?dir=b&limit=100${from === '' ? '' : `&from=${encodeURIComponent(from)}`}`
    const page = await user.call('GET', path)
    events.push(...(page['chunk'] as unknown as SeenEvent[]))
    const end = page['end'] as string | undefined
    if (end === undefined || end === from) return events
    from = end
  }
}

/**
 * Waits until the room's history has all of these texts: whoever was away for long is shown the newest of what they
 * missed, and reads the rest going back.
 */
export async function findTexts(
  { user, userId }: MatrixPerson,
  roomId: string,
  texts: readonly string[],
): Promise<void> {
  await eventually(`all of ${texts.join(', ')} for ${userId}`, async () => {
    const bodies = new Set((await readBack(user, roomId)).map(({ content }) => content['body']))
    return texts.every((text) => bodies.has(text))
  })
}

/** Both say something, and the other reads it. */
export async function talk(
  one: MatrixPerson,
  other: MatrixPerson,
  roomId: string,
  about: string,
): Promise<void> {
  await one.say(roomId, `${about}, says one`)
  await other.waitForText(roomId, `${about}, says one`, PATIENCE_MS)
  await other.say(roomId, `${about}, says the other`)
  await one.waitForText(roomId, `${about}, says the other`, PATIENCE_MS)
}

/** The current state as its server has it: event ids by type and key. */
export async function stateOf(person: MatrixPerson, roomId: string): Promise<Record<string, string>> {
  const events = (await person.user.call('GET', `${at(roomId)}/state`)) as unknown as SeenEvent[]
  const entries = events.map(({ type, state_key: key, event_id: id }) => [`${type} ${key}`, id] as const)
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

/** Waits until the servers of both have the same state of a room. */
export async function agree(
  one: MatrixPerson,
  other: MatrixPerson,
  roomId: string,
): Promise<Record<string, string>> {
  const end = Date.now() + PATIENCE_MS
  for (;;) {
    const [here, there] = await Promise.all([stateOf(one, roomId), stateOf(other, roomId)])
    if (JSON.stringify(here) === JSON.stringify(there)) return here
    if (Date.now() > end) {
      assert.deepEqual(here, there, 'the servers never agreed')
    }
    await sleep(200)
  }
}

/** Asks until the answer is what it has to become. */
export async function eventually<T>(what: string, ask: () => Promise<T | undefined | false>): Promise<T> {
  const end = Date.now() + PATIENCE_MS
  for (;;) {
    const found = await ask()
    if (found !== undefined && found !== false) return found
    if (Date.now() > end) throw new Error(`never came: ${what}`)
    await sleep(100)
  }
}
