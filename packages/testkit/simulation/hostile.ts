import type { JsonObject, Pdu, RoomEvent } from '@causeway/matrix/events/pdu.ts'
import { buildEvent } from '@causeway/matrix/events/build.ts'
import { toRoomEvent } from '@causeway/matrix/events/make-room-event.ts'
import { referenceHash } from '@causeway/matrix/events/reference-hash.ts'
import { selectAuthEvents } from '@causeway/matrix/event-auth/select-auth-events.ts'
import { packStateKey, type StateKey } from '@causeway/matrix/event-auth/state-key.ts'
import type { EventId, RoomId, ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import type { RoomVersionRules } from '@causeway/matrix/room-versions/rules.ts'
import { signEvent } from '@causeway/matrix/signing/sign-json.ts'
import { findEventRows } from '@causeway/store/tables/events.ts'
import { listStateAt, readerOf } from '@causeway/homeserver/rooms/current-state.ts'
import { findHead, findRoom } from '@causeway/homeserver/rooms/load-head.ts'
import { roomEventOfRow } from '@causeway/homeserver/rooms/stored-event.ts'
import { makeSigner, sha256 } from '../matrix/ed25519.ts'
import type { Chance } from './chance.ts'
import type { NetworkRequest } from './network.ts'
import type { SimulatedServer } from './simulated-server.ts'

// A server of which the operator is the enemy: it takes part as any other, and sends beside that what no server may.

/** A room as the hostile server sees it at this moment. */
interface View {
  readonly roomId: RoomId
  readonly rules: RoomVersionRules
  readonly state: ReadonlyMap<StateKey, RoomEvent>
  readonly ends: readonly RoomEvent[]
}

interface Draft {
  readonly type: string
  readonly sender?: UserId
  readonly stateKey?: string
  readonly content?: JsonObject
  readonly prev?: readonly RoomEvent[]
  readonly prevIds?: readonly EventId[]
  readonly auth?: readonly EventId[]
  readonly roomId?: RoomId
  readonly depth?: number
  readonly eventId?: EventId
}

export interface Hostile {
  readonly user: UserId
  /** Events that no honest server may ever show, and why. */
  readonly forbidden: ReadonlyMap<EventId, string>
  /** Does one of its deeds, in one of these rooms. */
  attack(
    rooms: readonly string[],
    targets: readonly ServerName[],
    victims: readonly string[],
  ): Promise<string>
}

type Deed = (view: View, context: DeedContext) => Promise<void> | void

interface DeedContext {
  readonly targets: readonly ServerName[]
  readonly victim: UserId
  readonly other: View | undefined
}

const idOf = ({ eventId }: RoomEvent): EventId => eventId

export function createHostile(server: SimulatedServer, chance: Chance): Hostile {
  const user = `@mallory:${server.name}` as UserId
  const forbidden = new Map<EventId, string>()
  /** What it made up, and hands out when it is asked; what it withholds is not here. */
  const pool = new Map<EventId, { readonly pdu: Pdu; readonly view: View }>()
  const made = new Map<EventId, RoomEvent>()
  let transactions = 0
  let names = 0

  const view = async (roomId: RoomId): Promise<View | undefined> => {
    const engine = server.hs.rooms
    const [head, room] = [await findHead(engine, roomId), await findRoom(engine, roomId)]
    if (head === undefined || room === undefined) return undefined
    const entries = await listStateAt(readerOf(engine, head), room, head.stateRoot)
    const state = new Map(
      entries.map(({ roomEvent }) => [packStateKey(roomEvent.pdu.type, roomEvent.pdu.state_key!), roomEvent]),
    )
    const rows = await findEventRows(engine.db, head.extremities.map(idOf as never))
    return {
      roomId,
      rules: room.rules,
      state,
      ends: rows.slice(0, 10).map((row) => roomEventOfRow(room, row)),
    }
  }

  const newId = (): EventId => `$made${++names}:${server.name}` as EventId
  const make = (of: View, draft: Draft, serve = true): RoomEvent => {
    const { rules, state, ends } = of
    const { type, stateKey, content = {}, sender = user, prev = ends } = draft
    const auth =
      draft.auth ??
      selectAuthEvents(rules, { type, sender, stateKey, content }).flatMap(
        (pair) => state.get(packStateKey(...pair))?.eventId ?? [],
      )
    const prevIds = draft.prevIds ?? prev.map(idOf)
    const known = new Map([...state.values(), ...ends, ...prev].map((event) => [event.eventId, event]))
    const hashes = (): Map<EventId, string> =>
      new Map(
        [...prevIds, ...auth].map((id) => {
          const event = known.get(id) ?? made.get(id)
          return [id, event === undefined ? sha256(id) : referenceHash(rules, event.pdu, sha256)]
        }),
      )
    const built = buildEvent(
      rules,
      {
        type,
        sender,
        content,
        roomId: draft.roomId ?? of.roomId,
        ...(stateKey === undefined ? {} : { stateKey }),
        ...(rules.eventId === 'embedded' ? { eventId: draft.eventId ?? newId() } : {}),
        ...(rules.referencePairs ? { referenceHashes: hashes() } : {}),
        originServerTs: server.hs.clock.now(),
        depth:
          draft.depth ??
          Math.min(Number.MAX_SAFE_INTEGER, 1 + Math.max(0, ...prev.map(({ pdu }) => pdu.depth))),
        prevEventIds: prevIds,
        authEventIds: auth,
      },
      { sha256 },
    )
    const pdu = signEvent(rules, built.pdu, server.hs.signer)
    const event = toRoomEvent(rules, pdu, sha256, built.eventId)
    made.set(event.eventId, event)
    if (serve) pool.set(event.eventId, { pdu, view: of })
    return event
  }
  const forbid = (event: RoomEvent, why: string): RoomEvent => {
    forbidden.set(event.eventId, why)
    return event
  }
  const send = (targets: readonly ServerName[], pdus: readonly object[]): void => {
    for (const target of targets) {
      for (let at = 0; at < pdus.length; at += 50) {
        const request = {
          method: 'PUT',
          path: `/_matrix/federation/v1/send/hostile${++transactions}`,
          body: {
            origin: server.name,
            origin_server_ts: server.hs.clock.now(),
            pdus: pdus.slice(at, at + 50) as JsonObject[],
          },
          evenIfBackingOff: true,
        } as const
        void server.hs.federation.client.request(target, request).catch(() => undefined)
      }
    }
  }
  const say = (body: string): Draft => ({ type: 'm.room.message', content: { msgtype: 'm.text', body } })
  const pduOf = ({ pdu }: RoomEvent): Pdu => pdu

  const deeds: Readonly<Record<string, Deed>> = {
    'forges a signature': (of, { targets, victim }) => {
      const own = make(of, { ...say('forged'), sender: victim }, false)
      const serverName = victim.slice(victim.indexOf(':') + 1)
      const wrong = makeSigner(serverName, 'ed25519:sim', Buffer.alloc(32, 7).toString('base64'))
      const signed = signEvent(of.rules, { ...own.pdu, signatures: {} }, wrong)
      forbid(own, 'its sender never made it')
      send(targets, [signed, own.pdu])
    },
    'takes what it may not': (of, { targets, victim }) => {
      const levels = of.state.get(packStateKey('m.room.power_levels', ''))
      const users = { ...(levels?.pdu.content['users'] as JsonObject | undefined), [user]: 100 }
      const grab = make(of, {
        type: 'm.room.power_levels',
        stateKey: '',
        content: { ...levels?.pdu.content, users },
      })
      const ban = make(of, { type: 'm.room.member', stateKey: victim, content: { membership: 'ban' } })
      const name = make(of, { type: 'm.room.name', stateKey: '', content: { name: 'mine' } })
      const create = make(of, {
        type: 'm.room.create',
        stateKey: '',
        content: { creator: user, room_version: of.rules.version },
      })
      for (const event of [grab, ban, name, create]) forbid(event, 'its sender may not do this')
      // What follows from it: a message that cites the power it took, and is nothing without it.
      const cites = [
        ...selectAuthEvents(of.rules, { type: 'm.room.topic', sender: user, stateKey: '', content: {} }),
      ].flatMap((pair) =>
        pair[0] === 'm.room.power_levels'
          ? grab.eventId
          : (of.state.get(packStateKey(...pair))?.eventId ?? []),
      )
      const topic = make(of, {
        type: 'm.room.topic',
        stateKey: '',
        content: { topic: 'mine' },
        prev: [grab],
        auth: cites,
      })
      forbid(topic, 'it cites a rejected event')
      send(targets, chance.shuffle([grab, ban, name, create, topic]).map(pduOf))
    },
    'cites what is not there': (of, { targets }) => {
      const missing = `$${chance.token(43)}` as EventId
      const auth = make(of, { ...say('no such auth event'), auth: [missing] })
      forbid(auth, 'its auth events do not exist')
      const prev = make(of, { ...say('no such parent'), prevIds: [`$${chance.token(43)}` as EventId] })
      send(targets, [auth.pdu, prev.pdu])
    },
    'cites in a circle': (of, { targets }) => {
      // Ids of later versions are hashes, so that only ids which nobody has can be cited before they are made.
      const [one, two] = [newId(), newId()]
      const pairOf = (eventId: EventId, other: EventId): RoomEvent =>
        make(of, {
          ...say('circle'),
          eventId,
          prevIds: [other],
          auth: [...of.state.values()].map(idOf).slice(0, 3).concat(other),
        })
      const first = forbid(pairOf(one, two), 'its auth chain is a circle')
      const second = forbid(pairOf(two, first.eventId), 'its auth chain is a circle')
      const prevCircle = [newId(), newId()] as const
      const a = make(of, { ...say('circle of parents'), eventId: prevCircle[0], prevIds: [prevCircle[1]] })
      make(of, { ...say('circle of parents'), eventId: prevCircle[1], prevIds: [a.eventId] })
      send(targets, [first.pdu, second.pdu, a.pdu])
    },
    'forks hugely': (of, { targets }) => {
      const count = chance.between(30, 120)
      const isDeep = chance.happens(0.3)
      const events = Array.from({ length: count }, (_, i) =>
        make(of, { ...say(`fork ${i}`), ...(isDeep ? { depth: Number.MAX_SAFE_INTEGER } : {}) }),
      )
      send(targets, events.map(pduOf))
    },
    'says one thing here and another there': (of, { targets }) => {
      const own = (displayname: string): RoomEvent =>
        make(
          of,
          { type: 'm.room.member', stateKey: user, content: { membership: 'join', displayname } },
          chance.happens(0.5),
        )
      const half = chance.between(1, Math.max(1, targets.length - 1))
      const [here, there] = [own('one'), own('two')]
      send(targets.slice(0, half), [here.pdu, make(of, { ...say('to some'), prev: [here] }).pdu])
      send(targets.slice(half), [there.pdu, make(of, { ...say('to others'), prev: [there] }, false).pdu])
    },
    'mixes rooms up': (of, { targets, other }) => {
      if (other === undefined || other.rules.version !== of.rules.version) {
        const elsewhere = `!${chance.token(18)}:${server.name}` as RoomId
        if (!of.rules.roomIdIsCreateHash)
          send(targets, [forbid(make(of, { ...say('nowhere'), roomId: elsewhere }), 'no such room').pdu])
        return
      }
      const auth = selectAuthEvents(of.rules, { type: 'm.room.message', sender: user, content: {} }).flatMap(
        (pair) => other.state.get(packStateKey(...pair))?.eventId ?? [],
      )
      send(targets, [
        forbid(make(of, { ...say('auth of another room'), auth }), 'its auth events are of another room').pdu,
      ])
      send(targets, [
        make(of, { ...say('parents of another room'), prev: other.ends }, chance.happens(0.5)).pdu,
      ])
    },
    'goes on after what happened to it': (of, { targets }) => {
      const join = of.state.get(packStateKey('m.room.member', user))
      if (join === undefined) return
      send(targets, [make(of, { ...say('from the past'), prev: [join] }, chance.happens(0.5)).pdu])
    },
    'sends what is no event': (of, { targets, victim }) => {
      const good = make(of, say('twisted'))
      const twisted = { ...good.pdu, content: { msgtype: 'm.text', body: 'other words' } }
      const huge = { ...good.pdu, content: { msgtype: 'm.text', body: 'x'.repeat(70_000) } }
      send(targets, [
        twisted,
        huge,
        {},
        { room_id: of.roomId },
        { ...good.pdu, sender: victim },
        { ...good.pdu, depth: -1 },
      ])
      send(targets, [
        { ...good.pdu, prev_events: 'none' },
        { ...good.pdu, auth_events: [[]] },
        { ...good.pdu, type: 5 },
      ])
    },
  }

  server.intercept = (request: NetworkRequest) => answerFromPool(request, pool, server)
  return {
    user,
    forbidden,
    async attack(rooms, targets, victims) {
      const views = (await Promise.all(chance.shuffle(rooms).map((id) => view(id as RoomId)))).filter(
        (one) => one !== undefined,
      )
      const [of, other] = views
      if (of === undefined || of.ends.length === 0) return 'nothing'
      const name = chance.pick(Object.keys(deeds))
      await deeds[name]!(of, {
        targets: chance.shuffle(targets),
        victim: chance.pick(victims) as UserId,
        other,
      })
      return name
    },
  }
}

/** What it hands out of its own making; undefined for what its honest half answers. */
function answerFromPool(
  { path, body }: NetworkRequest,
  pool: ReadonlyMap<EventId, { readonly pdu: Pdu; readonly view: View }>,
  { name, hs }: SimulatedServer,
): JsonObject | number | undefined {
  const out = (pdus: readonly Pdu[]): JsonObject => ({
    origin: name,
    origin_server_ts: hs.clock.now(),
    pdus: pdus as unknown as JsonObject[],
  })
  const url = new URL(`https://${name}${path}`)
  const [operation = '', ...ids] = url.pathname
    .replace('/_matrix/federation/v1/', '')
    .split('/')
    .map(decodeURIComponent)
  if (operation === 'event') {
    const held = pool.get(ids[0] as EventId)
    return held === undefined ? undefined : out([held.pdu])
  }
  if (operation === 'event_auth') {
    const held = pool.get(ids[1] as EventId)
    return held === undefined
      ? undefined
      : { auth_chain: [...held.view.state.values()].map(({ pdu }) => pdu) as unknown as JsonObject[] }
  }
  if (operation === 'state_ids' || operation === 'state') {
    const held = pool.get((url.searchParams.get('event_id') ?? '') as EventId)
    if (held === undefined) return undefined
    const state = [...held.view.state.values()]
    if (operation === 'state')
      return { pdus: state.map(({ pdu }) => pdu) as unknown as JsonObject[], auth_chain: [] }
    return { pdu_ids: state.map(idOf), auth_chain_ids: [] }
  }
  if (operation !== 'get_missing_events') return undefined
  const latest = (JSON.parse(body ?? '{}') as { latest_events?: EventId[] }).latest_events ?? []
  const parents = latest
    .flatMap((id) => pool.get(id)?.pdu.prev_events ?? [])
    .map((ref) => (typeof ref === 'string' ? ref : ref[0]))
  const found = parents.flatMap((id) => pool.get(id as EventId)?.pdu ?? [])
  return found.length === 0 ? undefined : { events: found as unknown as JsonObject[] }
}
