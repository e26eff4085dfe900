// https://spec.matrix.org/v1.19/client-server-api/#server-behaviour-19
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import { isRoomId } from '@causeway/matrix/ids/room-id.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import { putRule, setRuleEnabled, type PushRuleEdit } from '@causeway/matrix/push-rules/edit.ts'
import type { PushRule, PushRuleChanges, PushRuleKind } from '@causeway/matrix/push-rules/ruleset.ts'
import type { Homeserver } from '../homeserver.ts'
import { findRoom } from '../rooms/load-head.ts'
import { readNewestState } from '../rooms/newest-state.ts'
import { editAccountData, readAccountData } from './account-data.ts'

type Deps = Pick<Homeserver, 'rooms' | 'db' | 'log' | 'pushRules' | 'logger'>

/** Users whose settings are looked at side by side. */
const AT_A_TIME = 50

/**
 * What users set for a room goes with them into the room that replaces it: push rules, tags, and that it is a direct
 * chat. Only between rooms that name each other, so that nobody's room takes what was meant for another. What the user
 * has set for the new room already stays. Never fails: where a setting is not taken along, the log says so.
 */
export async function carryOver(hs: Deps, users: readonly UserId[], to: RoomId): Promise<void> {
  const from = await findReplaced(hs, to)
  if (from === undefined) return
  for (let at = 0; at < users.length; at += AT_A_TIME) {
    const portion = users.slice(at, at + AT_A_TIME)
    await Promise.all(portion.map((userId) => tryToCarry(hs, userId, from, to)))
  }
}

async function tryToCarry(hs: Deps, userId: UserId, from: RoomId, to: RoomId): Promise<void> {
  try {
    await carrySettings(hs, userId, from, to)
  } catch (error) {
    hs.logger.warn('settings did not go with a user into the room that replaces another', {
      userId,
      room: to,
      error,
    })
  }
}

/** The same for everybody of ours who is in the new room already, once the old one names it. */
export async function carryOverAll(hs: Deps, to: RoomId): Promise<void> {
  const room = await findRoom(hs.rooms, to)
  if (room !== undefined) await carryOver(hs, [...(await hs.rooms.members.localMembers(room.roomNid))], to)
}

/** The room that a room replaces, by the word of both. */
async function findReplaced({ rooms }: Deps, to: RoomId): Promise<RoomId | undefined> {
  const from = (await contentIn(rooms, to, 'm.room.create'))?.['predecessor']
  const fromId = isJsonObject(from) ? from['room_id'] : undefined
  if (!isRoomId(fromId)) return undefined
  const tombstone = await contentIn(rooms, fromId, 'm.room.tombstone')
  return tombstone?.['replacement_room'] === to ? fromId : undefined
}

async function contentIn(
  rooms: Deps['rooms'],
  roomId: RoomId,
  type: string,
): Promise<JsonObject | undefined> {
  const room = await findRoom(rooms, roomId)
  if (room === undefined) return undefined
  const [entry] = await readNewestState(rooms, room, [{ type, stateKey: '' }])
  return entry?.stored.content
}

async function carrySettings(hs: Deps, userId: UserId, from: RoomId, to: RoomId): Promise<void> {
  const { byId } = await hs.rooms.members.roomsOf(userId)
  if (!byId.has(from) || !byId.has(to)) return
  await carryRules(hs, userId, from, to)
  const tags = await readAccountData(hs, { userId, roomId: from, type: 'm.tag' })
  if (tags !== undefined) {
    const place = { userId, roomId: to, type: 'm.tag' }
    await editAccountData(hs, place, (held) => (Object.keys(held).length === 0 ? tags : undefined))
  }
  const place = { userId, roomId: undefined, type: 'm.direct' }
  await editAccountData(hs, place, (content) => withDirect(content, from, to))
}

const KINDS = ['override', 'room', 'underride'] as const satisfies readonly PushRuleKind[]

async function carryRules(hs: Deps, userId: UserId, from: RoomId, to: RoomId): Promise<void> {
  for (const kind of KINDS) {
    const { changes } = await hs.pushRules.of(userId)
    if (findCopied(changes, kind, from, to) === undefined) continue
    await hs.pushRules.edit(userId, (now) => copyRule(now, kind, { userId, from, to }))
  }
}

/** The rule that clients make for a room has its id; in other kinds than `room`, they say so in a condition too. */
function findCopied(
  { own }: PushRuleChanges,
  kind: PushRuleKind,
  from: RoomId,
  to: RoomId,
): PushRule | undefined {
  const idOf = (roomId: RoomId): PushRule | undefined => own[kind].find((rule) => rule.rule_id === roomId)
  return idOf(to) === undefined ? idOf(from) : undefined
}

function copyRule(
  changes: PushRuleChanges,
  kind: PushRuleKind,
  { userId, from, to }: { userId: UserId; from: RoomId; to: RoomId },
): PushRuleEdit {
  const rule = findCopied(changes, kind, from, to)
  if (rule === undefined) return { ok: true, changes }
  const conditions = rule.conditions?.map((condition) =>
    condition['pattern'] === from && condition['key'] === 'room_id'
      ? { ...condition, pattern: to }
      : condition,
  )
  const input = { actions: rule.actions, ...(conditions === undefined ? {} : { conditions }) }
  const put = putRule(changes, kind, to, input, { after: from })
  if (!put.ok || rule.enabled) return put
  return setRuleEnabled(put.changes, kind, to, false, userId)
}

/** https://spec.matrix.org/v1.19/client-server-api/#mdirect */
function withDirect(content: JsonObject, from: RoomId, to: RoomId): JsonObject | undefined {
  const entries = Object.entries(content).map(([userId, rooms]) => {
    const isFound = Array.isArray(rooms) && rooms.includes(from) && !rooms.includes(to)
    return [userId, isFound ? [...rooms, to] : rooms] as const
  })
  const isChanged = entries.some(([userId, rooms]) => rooms !== content[userId])
  return isChanged ? Object.fromEntries(entries) : undefined
}
