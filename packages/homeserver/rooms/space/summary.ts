import { linksOf } from './children.ts'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { RoomId } from '@causeway/matrix/ids/ids.ts'
import { listKeysOfType } from '@causeway/store/tables/state.ts'
import { readEntriesOfKeys, readStateKeysAt } from '../current-state.ts'
import type { RoomEngine } from '../engine.ts'
import { BEGINNING, END, listTimeline } from '../read-events.ts'
import { allowedRooms } from '../restricted-join.ts'
import type { RoomInfo } from '../stored-event.ts'
import { findRoom } from '../load-head.ts'

/** What a room looks like from outside: the wire's keys, with those that only servers are told. */
export interface RoomSummary {
  readonly roomId: RoomId
  readonly joinRule: string
  readonly worldReadable: boolean
  readonly isSpace: boolean
  /** Rooms whose members may join this one. */
  readonly allowedRoomIds: readonly RoomId[]
  /** Stripped `m.space.child` events. */
  readonly childrenState: readonly JsonObject[]
  /** The rest, as it is sent. */
  readonly shown: JsonObject
}

/** A room as clients are told of it: the wire's keys, with the rooms whose members may join it where there are such. */
export function shownToClients({ shown, allowedRoomIds }: RoomSummary): JsonObject {
  return { ...shown, ...(allowedRoomIds.length === 0 ? {} : { allowed_room_ids: [...allowedRoomIds] }) }
}

/** Children of one space that are told; a space has a few hundred at most. */
const MAX_CHILDREN = 1_000

const TEXTS = [
  ['m.room.name', 'name', 'name'],
  ['m.room.topic', 'topic', 'topic'],
  ['m.room.canonical_alias', 'alias', 'canonical_alias'],
  ['m.room.avatar', 'url', 'avatar_url'],
  ['m.room.encryption', 'algorithm', 'encryption'],
  ['m.room.create', 'type', 'room_type'],
] as const
const OTHERS = ['m.room.join_rules', 'm.room.history_visibility', 'm.room.guest_access'] as const

/**
 * A room that somebody of ours is in; undefined when nobody is, since what we hold of it is old then.
 * https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1roomsroomidhierarchy
 */
export async function summarizeRoom(engine: RoomEngine, roomId: RoomId): Promise<RoomSummary | undefined> {
  const room = await findRoom(engine, roomId)
  if (room === undefined || (await engine.members.localMembers(room.roomNid)).size === 0) return undefined
  const range = { after: BEGINNING, before: END, backwards: true, limit: 1 }
  const [newest] = await listTimeline(engine, room, range)
  if (newest === undefined) return undefined
  const names = [...TEXTS.map(([type]) => type as string), ...OTHERS].map((type) => ({ type, stateKey: '' }))
  const entries = await readStateKeysAt(engine, room, newest.roomRoot, names)
  const contents = new Map(names.map(({ type }, at) => [type, entries[at]?.stored.content ?? {}]))
  const joinRules = contents.get('m.room.join_rules')!
  const joinRule = typeof joinRules['join_rule'] === 'string' ? joinRules['join_rule'] : 'invite'
  const worldReadable = contents.get('m.room.history_visibility')!['history_visibility'] === 'world_readable'
  const shown: JsonObject = {
    room_id: roomId,
    num_joined_members: (await engine.members.counts(room.roomNid)).joined,
    world_readable: worldReadable,
    guest_can_join: contents.get('m.room.guest_access')!['guest_access'] === 'can_join',
    join_rule: joinRule,
    room_version: room.rules.version,
  }
  for (const [type, key, as] of TEXTS) {
    const value = contents.get(type)![key]
    if (typeof value === 'string' && value !== '') shown[as] = value
  }
  const isSpace = shown['room_type'] === 'm.space'
  const isRestricted = joinRule === 'restricted' || joinRule === 'knock_restricted'
  return {
    roomId,
    joinRule,
    worldReadable,
    isSpace,
    allowedRoomIds: isRestricted ? allowedRooms(joinRules['allow']) : [],
    childrenState: isSpace ? await readLinks(engine, room, newest.roomRoot) : [],
    shown,
  }
}

/** The stripped `m.space.child` events of a state, in the order in which the children are to be shown. */
export async function readLinks(engine: RoomEngine, room: RoomInfo, root: number): Promise<JsonObject[]> {
  const keyNids = (await listKeysOfType(engine.db, room.roomNid, 'm.space.child')).slice(0, MAX_CHILDREN)
  const entries = await readEntriesOfKeys(engine, room, root, keyNids)
  const events = entries
    .filter(({ stored }) => Array.isArray(stored.content['via']))
    .map(({ stored }) => ({
      type: stored.type,
      state_key: stored.stateKey!,
      content: stored.content,
      sender: stored.sender,
      origin_server_ts: stored.originServerTs,
    }))
  return linksOf(events)
}
