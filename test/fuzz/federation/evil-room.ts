import { buildEvent } from '@causeway/matrix/events/build.ts'
import { contentHash } from '@causeway/matrix/events/content-hash.ts'
import { toRoomEvent } from '@causeway/matrix/events/make-room-event.ts'
import type { JsonObject, Pdu, RoomEvent, Signer } from '@causeway/matrix/events/pdu.ts'
import { referenceHash } from '@causeway/matrix/events/reference-hash.ts'
import { selectAuthEvents } from '@causeway/matrix/event-auth/select-auth-events.ts'
import { packStateKey, type StateKey } from '@causeway/matrix/event-auth/state-key.ts'
import type { EventId, RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { roomIdOfCreate } from '@causeway/matrix/ids/room-id.ts'
import { findRoomVersion, type RoomVersionRules } from '@causeway/matrix/room-versions/rules.ts'
import { signEvent } from '@causeway/matrix/signing/sign-json.ts'
import { sha256 } from '@causeway/testkit/matrix/ed25519.ts'

/** A room as the enemy has it: enough to make events that stand up. */
export interface EvilRoom {
  readonly roomId: RoomId
  readonly rules: RoomVersionRules
  readonly user: UserId
  readonly signer: Signer
  readonly state: Map<StateKey, RoomEvent>
  readonly events: Map<EventId, RoomEvent>
  end: RoomEvent | undefined
}

export interface EvilDraft {
  readonly type: string
  readonly content?: JsonObject
  readonly stateKey?: string
  readonly sender?: UserId
  readonly prev?: readonly EventId[]
  readonly auth?: readonly EventId[]
  readonly depth?: number
}

let made = 0
/** A time that is the same in every run: nothing here depends on when it was. */
const NOW = Date.UTC(2026, 0)

/** An event at the end of the room, hashed and signed. Nobody was told of it, and the room has not moved on. */
export function draftEvent(room: EvilRoom, draft: EvilDraft): RoomEvent {
  const { rules, state, user, signer } = room
  const { type, content = {}, stateKey, sender = user } = draft
  const auth =
    draft.auth ??
    selectAuthEvents(rules, { type, sender, stateKey, content }).flatMap(
      (pair) => state.get(packStateKey(...pair))?.eventId ?? [],
    )
  const prev = draft.prev ?? (room.end === undefined ? [] : [room.end.eventId])
  const hashes = new Map(
    [...prev, ...auth].map((id) => {
      const event = room.events.get(id)
      return [id, event === undefined ? undefined : referenceHash(rules, event.pdu, sha256)]
    }),
  )
  const built = buildEvent(
    rules,
    {
      type,
      sender,
      content,
      ...(type === 'm.room.create' && rules.roomIdIsCreateHash ? {} : { roomId: room.roomId }),
      ...(stateKey === undefined ? {} : { stateKey }),
      ...(rules.eventId === 'embedded' ? { eventId: `$evil${++made}:${signer.serverName}` as EventId } : {}),
      ...(rules.referencePairs ? { referenceHashes: hashes } : {}),
      originServerTs: NOW + ++made,
      depth: draft.depth ?? 1 + (room.end?.pdu.depth ?? 0),
      prevEventIds: prev,
      authEventIds: auth,
    },
    { sha256 },
  )
  return toRoomEvent(rules, signEvent(rules, built.pdu, signer), sha256, built.eventId)
}

/** Makes the event the end of the room. */
export function addEvent(room: EvilRoom, event: RoomEvent): void {
  room.events.set(event.eventId, event)
  const { type, state_key: stateKey } = event.pdu
  if (stateKey !== undefined) room.state.set(packStateKey(type, stateKey), event)
  room.end = event
}

/** Hashes and signs what may be no event any more; what cannot be hashed stays as it is. */
export function resign({ rules, signer }: EvilRoom, pdu: unknown): unknown {
  try {
    const bare = { ...(pdu as Pdu), signatures: {} }
    const hashed = { ...bare, hashes: { sha256: contentHash(rules, bare, sha256) } }
    return signEvent(rules, hashed, signer)
  } catch {
    return pdu
  }
}

/** A room of its own, with the events that every room begins with, and open to all. */
export function makeOwnRoom(version: string, user: UserId, signer: Signer, members = 0): EvilRoom {
  const rules = findRoomVersion(version)!
  const opaque = `!room${++made}:${signer.serverName}` as RoomId
  const room: EvilRoom = {
    roomId: opaque,
    rules,
    user,
    signer,
    state: new Map(),
    events: new Map(),
    end: undefined,
  }
  const content: JsonObject = { room_version: version, ...(rules.creatorIsSender ? {} : { creator: user }) }
  const create = draftEvent(room, { type: 'm.room.create', stateKey: '', content })
  const own = rules.roomIdIsCreateHash ? { ...room, roomId: roomIdOfCreate(create.eventId) } : room
  addEvent(own, create)
  const add = (type: string, stateKey: string, body: JsonObject): void =>
    addEvent(own, draftEvent(own, { type, stateKey, content: body }))
  add('m.room.member', user, { membership: 'join' })
  add('m.room.power_levels', '', { users: rules.privilegedCreators ? {} : { [user]: 100 } })
  add('m.room.join_rules', '', { join_rule: 'public' })
  add('m.room.history_visibility', '', { history_visibility: 'world_readable' })
  for (let i = 0; i < members; i++) {
    const member = user.replace('@', `@m${i}`) as UserId
    addEvent(
      own,
      draftEvent(own, {
        type: 'm.room.member',
        stateKey: member,
        sender: member,
        content: { membership: 'join' },
      }),
    )
  }
  return own
}
