import type { JsonObject, JsonValue } from '@causeway/matrix/events/pdu.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import type { PushVerdict } from '@causeway/matrix/push-rules/evaluate.ts'
import type { StoredEvent } from '@causeway/store/log/entry.ts'
import type { PusherRow } from '@causeway/store/tables/pushers.ts'
import { findStrippedState } from '@causeway/store/tables/stripped-states.ts'
import { readStateKeysAt } from '../rooms/current-state.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import type { RoomInfo } from '../rooms/stored-event.ts'

// https://spec.matrix.org/v1.19/push-gateway-api/#post_matrixpushv1notify

/** An event that somebody is told of. */
export interface ToldEvent {
  readonly room: RoomInfo
  readonly event: StoredEvent
  readonly verdict: PushVerdict
}

/** The body that tells a gateway of an event. Clients that asked for `event_id_only` fetch the rest themselves. */
export async function eventNotification(
  engine: RoomEngine,
  pusher: PusherRow,
  { room, event, verdict }: ToldEvent,
  unread: number,
): Promise<JsonObject> {
  const data = readData(pusher)
  const notification: JsonObject = {
    event_id: event.eventId,
    room_id: event.roomId,
    prio: isUrgent(event, verdict) ? 'high' : 'low',
    counts: countsOf(unread),
    devices: [{ ...deviceOf(pusher, data), tweaks: tweaksOf(verdict) }],
  }
  if (data['format'] === 'event_id_only') return { notification }
  const { type, sender, content, stateKey } = event
  const isAboutMember = type === 'm.room.member' && stateKey !== undefined
  return {
    notification: {
      ...notification,
      type,
      sender,
      ...(await readNames(engine, room, event, pusher.user_id as UserId)),
      ...(isAboutMember ? { user_is_target: stateKey === pusher.user_id } : {}),
      content,
    },
  }
}

/** The body that tells a gateway how much is unread, and of no event. Nobody waits for it: it may save the battery. */
export function countsNotification(pusher: PusherRow, unread: number): JsonObject {
  const devices = [deviceOf(pusher, readData(pusher))]
  return { notification: { prio: 'low', counts: countsOf(unread), devices } }
}

function readData({ data }: PusherRow): JsonObject {
  return JSON.parse(data) as JsonObject
}

/** Counts of zero are left away. */
function countsOf(unread: number): JsonObject {
  return unread === 0 ? {} : { unread }
}

function deviceOf({ app_id, pushkey, set_ts: setTs }: PusherRow, data: JsonObject): JsonObject {
  const { url: _url, ...rest } = data
  return { app_id, pushkey, pushkey_ts: Math.floor(setTs / 1000), data: rest }
}

/** Of an encrypted event only the client can tell how urgent it is. */
function isUrgent({ type }: StoredEvent, { highlight, sound }: PushVerdict): boolean {
  return type === 'm.room.encrypted' || highlight || sound !== undefined
}

/** https://spec.matrix.org/v1.19/client-server-api/#actions */
function tweaksOf({ actions }: PushVerdict): JsonObject {
  const tweaks: JsonObject = {}
  for (const action of actions) {
    if (typeof action === 'string' || typeof action['set_tweak'] !== 'string') continue
    const { set_tweak: name, value } = action as { set_tweak: string; value?: JsonValue }
    const standard = name === 'highlight' ? true : undefined
    const said = value ?? standard
    if (said !== undefined) tweaks[name] = said
  }
  return tweaks
}

function textAt(content: JsonObject | undefined, key: string): string | undefined {
  const value = content?.[key]
  return typeof value === 'string' && value !== '' ? value : undefined
}

const NAME = { type: 'm.room.name', stateKey: '' }
const ALIAS = { type: 'm.room.canonical_alias', stateKey: '' }

/** What is not known is left out. */
export interface EventNames {
  readonly sender_display_name?: string
  readonly room_name?: string
  readonly room_alias?: string
}

/** What the sender and the room are called, as of the event. */
export async function readNames(
  engine: RoomEngine,
  room: RoomInfo,
  { sender, stateRoot, roomNid }: StoredEvent,
  userId: UserId,
): Promise<EventNames> {
  const member = { type: 'm.room.member', stateKey: sender }
  const contents =
    stateRoot === 0
      ? await readStripped(engine, roomNid, userId, [NAME, ALIAS, member])
      : (await readStateKeysAt(engine, room, stateRoot, [NAME, ALIAS, member])).map(
          (entry) => entry?.stored.content,
        )
  const [name, alias, profile] = contents
  const found = {
    sender_display_name: textAt(profile, 'displayname'),
    room_name: textAt(name, 'name'),
    room_alias: textAt(alias, 'alias'),
  }
  return Object.fromEntries(Object.entries(found).filter(([, text]) => text !== undefined)) as EventNames
}

/** What the inviting server told of a room that we are not in. */
async function readStripped(
  { db }: RoomEngine,
  roomNid: number,
  userId: UserId,
  names: readonly { type: string; stateKey: string }[],
): Promise<(JsonObject | undefined)[]> {
  const text = await findStrippedState(db, roomNid, userId)
  const events = text === undefined ? [] : (JSON.parse(text) as JsonObject[])
  return names.map(({ type, stateKey }) => {
    const content = events.find((event) => event['type'] === type && event['state_key'] === stateKey)?.[
      'content'
    ]
    return isJsonObject(content) ? content : undefined
  })
}
