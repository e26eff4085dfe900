import { buildEvent } from '@causeway/matrix/events/build.ts'
import { toRoomEvent } from '@causeway/matrix/events/make-room-event.ts'
import type { JsonObject, Pdu, RoomEvent } from '@causeway/matrix/events/pdu.ts'
import { packStateKey, type StateKey } from '@causeway/matrix/event-auth/state-key.ts'
import { selectAuthEvents } from '@causeway/matrix/event-auth/select-auth-events.ts'
import type { EventId, RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { findRoomVersion } from '@causeway/matrix/room-versions/rules.ts'
import { signEvent } from '@causeway/matrix/signing/sign-json.ts'
import { sha256 } from '@causeway/testkit/matrix/ed25519.ts'
import type { Destination, SigningServer } from './signing-server.ts'

export const ROOM_VERSION = '11'
const rules = findRoomVersion(ROOM_VERSION)!

export interface Draft {
  readonly type: string
  readonly sender: UserId
  readonly content: JsonObject
  readonly stateKey?: string
}

/** A room as a signing server holds it: what it is now, and where its events end. */
export class SignedRoom {
  readonly roomId: RoomId
  readonly state = new Map<StateKey, RoomEvent>()
  readonly #server: SigningServer
  #ends: readonly EventId[]
  #depth: number

  constructor(server: SigningServer, roomId: RoomId, ends: readonly EventId[] = [], depth = 0) {
    this.#server = server
    this.roomId = roomId
    this.#ends = ends
    this.#depth = depth
  }

  /** The next event, signed; it becomes part of the room. */
  send({ type, sender, content, stateKey }: Draft): RoomEvent {
    const auth = selectAuthEvents(rules, { type, sender, stateKey, content })
    const built = buildEvent(
      rules,
      {
        type,
        sender,
        content,
        ...(stateKey === undefined ? {} : { stateKey }),
        roomId: this.roomId,
        originServerTs: Date.now(),
        depth: this.#depth + 1,
        prevEventIds: this.#ends,
        authEventIds: auth.flatMap((key) => this.state.get(packStateKey(...key))?.eventId ?? []),
      },
      { sha256 },
    )
    const pdu = signEvent(rules, built.pdu, this.#server.signer)
    const event = toRoomEvent(rules, pdu, sha256, built.eventId)
    this.#ends = [event.eventId]
    this.#depth++
    if (stateKey !== undefined) this.state.set(packStateKey(type, stateKey), event)
    return event
  }

  say(sender: UserId, body: string): RoomEvent {
    return this.send({ type: 'm.room.message', sender, content: { msgtype: 'm.text', body } })
  }

  join(user: UserId, displayname: string): RoomEvent {
    const content = { membership: 'join', displayname }
    return this.send({ type: 'm.room.member', sender: user, stateKey: user, content })
  }

  /** What somebody needs who asks how to join. */
  joinTemplate(user: UserId): JsonObject {
    const auth = selectAuthEvents(rules, {
      type: 'm.room.member',
      sender: user,
      stateKey: user,
      content: { membership: 'join' },
    })
    return {
      room_version: ROOM_VERSION,
      event: {
        type: 'm.room.member',
        room_id: this.roomId,
        sender: user,
        state_key: user,
        content: { membership: 'join' },
        origin_server_ts: Date.now(),
        depth: this.#depth + 1,
        prev_events: [...this.#ends],
        auth_events: auth.flatMap((key) => this.state.get(packStateKey(...key))?.eventId ?? []),
      },
    }
  }
}

interface Template {
  readonly depth: number
  readonly prev_events: EventId[]
  readonly auth_events: EventId[]
}

const segment = encodeURIComponent

/** Joins a public room of another server, and knows it from there on. */
export async function joinRoom(
  server: SigningServer,
  resident: Destination,
  roomId: RoomId,
  user: UserId,
): Promise<SignedRoom> {
  const place = `${segment(roomId)}/${segment(user)}`
  const made = await server.call(
    resident,
    'GET',
    `/_matrix/federation/v1/make_join/${place}?ver=${ROOM_VERSION}`,
  )
  const template = made['event'] as unknown as Template
  const built = buildEvent(
    rules,
    {
      type: 'm.room.member',
      sender: user,
      stateKey: user,
      content: { membership: 'join' },
      roomId,
      originServerTs: Date.now(),
      depth: template.depth,
      prevEventIds: template.prev_events,
      authEventIds: template.auth_events,
    },
    { sha256 },
  )
  const pdu = signEvent(rules, built.pdu, server.signer)
  const answer = await server.call(
    resident,
    'PUT',
    `/_matrix/federation/v2/send_join/${segment(roomId)}/${segment(built.eventId)}`,
    pdu as unknown as JsonObject,
  )
  const room = new SignedRoom(server, roomId, [built.eventId], template.depth)
  for (const one of [...(answer['state'] as unknown as Pdu[]), pdu]) {
    room.state.set(packStateKey(one.type, one.state_key!), toRoomEvent(rules, one, sha256))
  }
  return room
}
