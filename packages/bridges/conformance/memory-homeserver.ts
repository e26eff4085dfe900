import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { MatrixPortError } from '../core/matrix-port.ts'
import type { MatrixEvent, MatrixPort } from '../core/matrix-port.ts'
import { textOf } from '@causeway/testkit/text-of.ts'

/**
 * What the hub may expect of a homeserver, in memory: idempotent transaction ids, memberships, and transactions that
 * come again until they are acknowledged. For tests that stop a hub between any two steps; the journeys have real ones.
 */
export class MemoryHomeserver {
  readonly serverName = 'example.org'
  readonly botUserId = '@bridge:example.org'
  readonly events: MatrixEvent[] = []
  readonly #byTransaction = new Map<string, string>()
  readonly #members = new Map<string, string>()
  readonly #now: () => number
  #acknowledged = 0

  constructor(roomId: string, people: readonly string[], now: () => number) {
    this.#now = now
    this.#append('m.room.create', people[0]!, roomId, { room_version: '11' }, '')
    for (const userId of [...people, this.botUserId]) this.#enter(roomId, userId)
    const users = { [people[0]!]: 100, [this.botUserId]: 100 }
    this.#append('m.room.power_levels', people[0]!, roomId, { users, state_default: 50 }, '')
    this.#acknowledged = this.events.length
  }

  say(roomId: string, sender: string, body: string, more: JsonObject = {}): string {
    return this.#append('m.room.message', sender, roomId, { msgtype: 'm.text', body, ...more })
  }

  redact(roomId: string, sender: string, redacts: string): string {
    return this.#append('m.room.redaction', sender, roomId, { redacts })
  }

  /** Bodies of messages that others than our people wrote, in order. */
  ghostBodies(): string[] {
    return this.events
      .filter(({ type, sender }) => type === 'm.room.message' && sender.startsWith('@_x_'))
      .map(({ content }) => textOf(content['body']))
  }

  botNotices(): string[] {
    return this.events
      .filter(({ type, sender }) => type === 'm.room.message' && sender === this.botUserId)
      .map(({ content }) => textOf(content['body']))
  }

  membership(roomId: string, userId: string): string | undefined {
    return this.#members.get(`${roomId} ${userId}`)
  }

  /** Pushes everything new, in transactions of at most `size` events; what is not acknowledged comes again. */
  async push(
    handle: (txnId: string, events: readonly MatrixEvent[]) => Promise<void>,
    size = 5,
  ): Promise<void> {
    while (this.#acknowledged < this.events.length) {
      const from = this.#acknowledged
      const batch = this.events.slice(from, from + size)
      // oxlint-disable-next-line no-await-in-loop -- one after another, as homeservers do
      await handle(`txn-${from}-${batch.length}`, batch)
      this.#acknowledged = from + batch.length
    }
  }

  port(): MatrixPort {
    const stateOf = (roomId: string, type: string, key: string): MatrixEvent | undefined =>
      this.events.findLast(
        (event) => event.room_id === roomId && event.type === type && event.state_key === key,
      )
    return {
      serverName: this.serverName,
      botUserId: this.botUserId,
      register: async () => undefined,
      setDisplayName: async () => undefined,
      send: async (as = this.botUserId, { roomId, type, content, txnId }) =>
        this.#once(`${as} ${txnId}`, () => {
          this.#mustBeIn(roomId, as)
          return this.#append(type, as, roomId, content)
        }),
      redact: async (as = this.botUserId, { roomId, eventId, txnId }) =>
        this.#once(`${as} ${txnId}`, () => this.redact(roomId, as, eventId)),
      setState: async (as = this.botUserId, { roomId, type, stateKey, content }) => {
        this.#mustBeIn(roomId, as)
        return this.#append(type, as, roomId, content, stateKey)
      },
      findState: async (roomId, type, key) => stateOf(roomId, type, key)?.content,
      findCreator: async (roomId) => stateOf(roomId, 'm.room.create', '')?.sender,
      findEvent: async (_roomId, eventId) => this.events.find((event) => event.event_id === eventId),
      findRoomByAlias: async (alias) =>
        this.events.findLast(
          ({ type, content }) => type === 'm.room.canonical_alias' && content['alias'] === alias,
        )?.room_id,
      join: async (as = this.botUserId, roomId) => this.#enter(roomId, as),
      leave: async (as = this.botUserId, roomId) => this.#exit(roomId, as),
      setMembership: async (_as, act, { roomId, userId }) =>
        act === 'kick' || act === 'ban' ? this.#exit(roomId, userId) : undefined,
      listJoinedRooms: async () => [],
      upload: async () => 'mxc://example.org/file',
      publicMediaUrl: async (mxc) => `https://example.org/${mxc.slice(6)}`,
    }
  }

  #once(key: string, act: () => string): string {
    const known = this.#byTransaction.get(key)
    if (known !== undefined) return known
    const eventId = act()
    this.#byTransaction.set(key, eventId)
    return eventId
  }

  #mustBeIn(roomId: string, userId: string): void {
    if (this.membership(roomId, userId) !== 'join')
      throw new MatrixPortError(403, 'M_FORBIDDEN', 'not in the room')
  }

  #enter(roomId: string, userId: string): void {
    if (this.membership(roomId, userId) === 'join') return
    this.#members.set(`${roomId} ${userId}`, 'join')
    this.#append('m.room.member', userId, roomId, { membership: 'join' }, userId)
  }

  #exit(roomId: string, userId: string): void {
    this.#members.set(`${roomId} ${userId}`, 'leave')
    this.#append('m.room.member', userId, roomId, { membership: 'leave' }, userId)
  }

  #append(type: string, sender: string, roomId: string, content: JsonObject, stateKey?: string): string {
    const eventId = `$e${this.events.length}`
    const event = { type, sender, room_id: roomId, content, event_id: eventId, origin_server_ts: this.#now() }
    this.events.push(stateKey === undefined ? event : { ...event, state_key: stateKey })
    return eventId
  }
}
