import { buildEvent } from '@causeway/matrix/events/build.ts'
import { contentHash } from '@causeway/matrix/events/content-hash.ts'
import type { JsonObject, Pdu, RoomEvent } from '@causeway/matrix/events/pdu.ts'
import { toRoomEvent } from '@causeway/matrix/events/make-room-event.ts'
import { referenceHash } from '@causeway/matrix/events/reference-hash.ts'
import { selectAuthEvents } from '@causeway/matrix/event-auth/select-auth-events.ts'
import { packStateKey, type StateKey } from '@causeway/matrix/event-auth/state-key.ts'
import type { EventId, KeyId, ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import type { FindVerifyKey, VerifyKey } from '@causeway/matrix/signing/keys.ts'
import { signEvent } from '@causeway/matrix/signing/sign-json.ts'
import { systemClock } from '@causeway/store/clock/system.ts'
import { makeSigner } from '@causeway/testkit/matrix/ed25519.ts'
import { sha256 } from '../../crypto/sha256.ts'
import { readCurrentState } from '../current-state.ts'
import type { RoomEngine } from '../engine.ts'
import { findHead } from '../load-head.ts'
import type { RoomPeers } from '../peers/room-peers.ts'
import { findEventRows } from '@causeway/store/tables/events.ts'
import { pduOfRow, type RoomInfo } from '../stored-event.ts'

// Test support: another server in a room, as far as what it sends and what it answers when it is asked.

/** What a far event points at and says. */
export interface FarDraft {
  readonly type: string
  readonly sender: UserId
  readonly stateKey?: string
  readonly content?: JsonObject
  readonly redacts?: EventId
  readonly stickyMs?: number
  /** Default: what the branch ends in. */
  readonly prev?: readonly EventId[]
  readonly auth?: readonly EventId[]
  readonly depth?: number
}

/** A branch of the graph as the far server has it: where it ends, and the state there. */
export class FarBranch {
  readonly #room: RoomInfo
  readonly #server: FarServer
  readonly state: Map<StateKey, RoomEvent>
  ends: readonly RoomEvent[]

  constructor(
    server: FarServer,
    room: RoomInfo,
    state: ReadonlyMap<StateKey, RoomEvent>,
    ends: readonly RoomEvent[],
  ) {
    this.#server = server
    this.#room = room
    this.state = new Map(state)
    this.ends = ends
  }

  /** Another branch from here. */
  fork(): FarBranch {
    return new FarBranch(this.#server, this.#room, this.state, this.ends)
  }

  /** An event at the end of the branch, signed, and held by the far server. */
  send(draft: FarDraft): RoomEvent {
    const { rules, roomId } = this.#room
    const { type, sender, stateKey, content = {} } = draft
    const auth =
      draft.auth ??
      selectAuthEvents(rules, { type, sender, stateKey, content }).flatMap(
        (pair) => this.state.get(packStateKey(...pair))?.eventId ?? [],
      )
    const prev = draft.prev ?? this.ends.map(({ eventId }) => eventId)
    const built = buildEvent(
      rules,
      {
        type,
        sender,
        content,
        roomId,
        ...(stateKey === undefined ? {} : { stateKey }),
        ...(draft.redacts === undefined ? {} : { redacts: draft.redacts }),
        ...(draft.stickyMs === undefined ? {} : { stickyMs: draft.stickyMs }),
        ...(rules.eventId === 'embedded' ? { eventId: this.#server.newId() } : {}),
        ...(rules.referencePairs
          ? { referenceHashes: this.#server.hashesOf(rules, [...prev, ...auth]) }
          : {}),
        originServerTs: systemClock.now(),
        depth: draft.depth ?? 1 + Math.max(0, ...this.ends.map(({ pdu }) => pdu.depth)),
        prevEventIds: prev,
        authEventIds: auth,
      },
      { sha256 },
    )
    const event = toRoomEvent(rules, signEvent(rules, built.pdu, this.#server.signer), sha256, built.eventId)
    this.#server.hold(event, this.state)
    this.ends = [event]
    if (stateKey !== undefined) this.state.set(packStateKey(type, stateKey), event)
    return event
  }

  say(sender: UserId, body: string): RoomEvent {
    return this.send({ type: 'm.room.message', sender, content: { msgtype: 'm.text', body } })
  }

  member(sender: UserId, stateKey: UserId, membership: string): RoomEvent {
    return this.send({ type: 'm.room.member', sender, stateKey, content: { membership } })
  }
}

/** A server that is not ours; `peers` is what the rooms ask it. */
export class FarServer {
  readonly name: ServerName
  readonly signer: ReturnType<typeof makeSigner>
  readonly events = new Map<EventId, RoomEvent>()
  /** The state before each event of its own. */
  readonly stateBefore = new Map<EventId, ReadonlyMap<StateKey, RoomEvent>>()
  /** What it was asked, by operation. */
  readonly asked: string[] = []
  /** Most events in one answer to `get_missing_events`, whatever is asked for. */
  mostMissing = Infinity
  /** It answers that with the deepest events, as servers do that walk back by depth; else in the order of the edges. */
  deepestFirst = false
  /** Events that it does not hand out, whoever asks. */
  readonly withheld = new Set<EventId>()
  /** Servers in its rooms whose keys can be had, too. */
  readonly others = new Set<FarServer>()
  /** Servers whose keys cannot be had at the moment. */
  readonly awaited = new Set<ServerName>()
  /** What it says its newest event is. */
  newest: EventId | undefined
  readonly #ours: { name: string; keyId: string; publicKey: string }
  #ids = 0

  constructor(name: string, ours: { name: string; keyId: string; publicKey: string }) {
    this.name = name as ServerName
    this.signer = makeSigner(name, 'ed25519:far', Buffer.from(name.padEnd(32, 'x')).toString('base64'))
    this.#ours = ours
  }

  newId(): EventId {
    return `$far${this.#ids++}:${this.name}` as EventId
  }

  user(localpart: string): UserId {
    return `@${localpart}:${this.name}` as UserId
  }

  hold(event: RoomEvent, state: ReadonlyMap<StateKey, RoomEvent>): void {
    this.events.set(event.eventId, event)
    this.stateBefore.set(event.eventId, new Map(state))
  }

  /** The event with other content, hashed and signed anew: for what no builder would make. */
  resign({ rules }: RoomInfo, { pdu }: RoomEvent, change: Partial<Pdu>): RoomEvent {
    const changed = { ...pdu, ...change, signatures: {} }
    const hashed = { ...changed, hashes: { sha256: contentHash(rules, changed, sha256) } }
    const event = toRoomEvent(rules, signEvent(rules, hashed, this.signer), sha256)
    this.hold(event, new Map())
    return event
  }

  hashesOf(rules: RoomInfo['rules'], ids: readonly EventId[]): Map<EventId, string> {
    return new Map(ids.map((id) => [id, referenceHash(rules, this.events.get(id)!.pdu, sha256)]))
  }

  /** A branch that ends where our room is now. */
  async branchAt(engine: RoomEngine, room: RoomInfo): Promise<FarBranch> {
    return engine.queue.serial(room.roomId, async () => {
      const head = (await findHead(engine, room.roomId))!
      const state = new Map<StateKey, RoomEvent>()
      for (const [type, stateKey] of await this.#keysOf(engine, room)) {
        const entry = await readCurrentState(engine, head, type, stateKey)
        if (entry !== undefined) state.set(packStateKey(type, stateKey), entry.roomEvent)
      }
      const rows = await findEventRows(
        engine.db,
        head.extremities.map(({ eventId }) => eventId),
      )
      const ends = rows.map((row) => toRoomEvent(room.rules, pduOfRow(row), sha256, row.event_id as EventId))
      for (const event of [...state.values(), ...ends]) this.hold(event, state)
      return new FarBranch(this, room, state, ends)
    })
  }

  async #keysOf(engine: RoomEngine, room: RoomInfo): Promise<(readonly [string, string])[]> {
    const rows = await engine.db.query<{ type: string; state_key: string }>(
      'SELECT type, state_key FROM state_keys WHERE room_nid = ?',
      [room.roomNid],
    )
    return rows.map((row) => [row.type, row.state_key] as const)
  }

  readonly findKey: FindVerifyKey = (serverName, keyId: KeyId): VerifyKey | undefined => {
    const validUntilTs = Number.MAX_SAFE_INTEGER
    for (const { name, signer } of [this, ...this.others]) {
      if (serverName === name && keyId === signer.keyId) return { publicKey: signer.publicKey, validUntilTs }
    }
    if (serverName !== this.#ours.name || keyId !== this.#ours.keyId) return undefined
    return { publicKey: this.#ours.publicKey, validUntilTs }
  }

  #out(ids: Iterable<EventId>): Pdu[] {
    return [...ids].flatMap((id) => (this.withheld.has(id) ? [] : (this.events.get(id)?.pdu ?? [])))
  }

  #authChain(ids: Iterable<EventId>): Set<EventId> {
    const chain = new Set<EventId>()
    const stack = [...ids]
    for (let id = stack.pop(); id !== undefined; id = stack.pop()) {
      for (const authId of this.events.get(id)?.authEventIds ?? []) {
        if (chain.has(authId)) continue
        chain.add(authId)
        stack.push(authId)
      }
    }
    return chain
  }

  readonly peers: RoomPeers = {
    getMissingEvents: async (_server, _room, { earliest, latest, limit }) => {
      this.asked.push('get_missing_events')
      const known = new Set(earliest)
      const found: EventId[] = []
      const most = Math.min(limit, this.mostMissing)
      const queue = latest.flatMap((id) => this.events.get(id)?.prevEventIds ?? [])
      const depthOf = (id: EventId): number => this.events.get(id)?.pdu.depth ?? 0
      const take = (): EventId | undefined => {
        if (this.deepestFirst) queue.sort((a, b) => depthOf(b) - depthOf(a))
        return queue.shift()
      }
      for (let id = take(); id !== undefined && found.length < most; id = take()) {
        if (known.has(id) || this.withheld.has(id) || !this.events.has(id)) continue
        known.add(id)
        found.unshift(id)
        queue.push(...this.events.get(id)!.prevEventIds)
      }
      return this.#out(found)
    },
    backfill: async (_server, _room, from, limit) => {
      this.asked.push('backfill')
      return this.#out([...from].slice(0, limit))
    },
    getEvent: async (_server, eventId) => {
      this.asked.push('event')
      const [pdu] = this.#out([eventId])
      if (pdu === undefined) throw new Error('404')
      return pdu
    },
    getEventAuth: async (_server, _room, eventId) => {
      this.asked.push('event_auth')
      return this.#out(this.#authChain([eventId]))
    },
    getStateIds: async (_server, _room, eventId) => {
      this.asked.push('state_ids')
      const state = this.stateBefore.get(eventId)
      if (state === undefined) throw new Error('404')
      const pduIds = [...state.values()].map((event) => event.eventId)
      return { pduIds, authChainIds: [...this.#authChain(pduIds)] }
    },
    getState: async (_server, _room, eventId) => {
      this.asked.push('state')
      const state = this.stateBefore.get(eventId)
      if (state === undefined) throw new Error('404')
      const ids = [...state.values()].map((event) => event.eventId)
      return { pdus: this.#out(ids), authChain: this.#out(this.#authChain(ids)) }
    },
    findEventBefore: async () => {
      this.asked.push('timestamp_to_event')
      return this.newest
    },
    loadKeys: async () => this.findKey,
    isKeyAwaited: (server) => this.awaited.has(server),
  }
}
