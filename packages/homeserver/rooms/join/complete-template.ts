import type { JsonObject, JsonValue } from '@causeway/matrix/events/pdu.ts'
import type { BuiltEvent, EventDraft } from '@causeway/matrix/events/build.ts'
import type { EventId, RoomId, UserId } from '@causeway/matrix/ids/ids.ts'
import type { RoomVersionRules } from '@causeway/matrix/room-versions/rules.ts'
import { buildEvent } from '@causeway/matrix/events/build.ts'
import { isEventIdOf } from '@causeway/matrix/ids/event-id.ts'
import { isRoomIdOf } from '@causeway/matrix/ids/room-id.ts'
import { parseUserId } from '@causeway/matrix/ids/user-id.ts'
import { isJsonObject } from '@causeway/matrix/json/parse.ts'
import { findRoomVersion } from '@causeway/matrix/room-versions/rules.ts'
import { sha256 } from '../../crypto/sha256.ts'
import { AnswerRefused } from './check-answer.ts'
import type { RemoteMembership, Template } from './make-template.ts'

/** What the event is to be, whatever the template says. */
export interface WantedMembership {
  readonly roomId: RoomId
  readonly userId: UserId
  readonly membership: RemoteMembership
  /** Further keys of the content: profile, reason. */
  readonly content: JsonObject
  /** Milliseconds since 1970. */
  readonly now: number
  /** Of the room, where we know it already. */
  readonly rules?: RoomVersionRules | undefined
  /** Room versions 1 and 2: the id of the event. */
  newEventId(): EventId
}

/**
 * Our event, from a template of a resident server: of the template only the place in the graph is taken, and who vouches
 * for a restricted join; all else is what we want. Throws `AnswerRefused` for a template of another room, user or kind.
 * https://spec.matrix.org/v1.19/server-server-api/#joining-rooms
 */
export function completeTemplate(
  template: Template,
  wanted: WantedMembership,
): { readonly rules: RoomVersionRules; readonly built: BuiltEvent } {
  const rules = findRoomVersion(template.room_version)
  if (rules === undefined)
    throw new AnswerRefused(`the room is of version ${template.room_version}, which we do not know`)
  if (wanted.rules !== undefined && wanted.rules.version !== rules.version) {
    throw new AnswerRefused(
      `it says room version ${rules.version}, and the room is of version ${wanted.rules.version}`,
    )
  }
  const { event } = template
  requireSame(rules, event, wanted)
  const prev = readReferences(rules, event['prev_events'], 20)
  const auth = readReferences(rules, event['auth_events'], 10)
  if (prev.ids.length === 0) throw new AnswerRefused('its template points at no event')
  const { depth } = event
  if (!Number.isSafeInteger(depth) || (depth as number) < 1)
    throw new AnswerRefused('its template has no depth')
  const draft: EventDraft = {
    type: 'm.room.member',
    sender: wanted.userId,
    stateKey: wanted.userId,
    roomId: wanted.roomId,
    content: contentOf(rules, event, wanted),
    originServerTs: wanted.now,
    depth: depth as number,
    prevEventIds: prev.ids,
    authEventIds: auth.ids,
    ...(rules.eventId === 'embedded' ? { eventId: wanted.newEventId() } : {}),
    ...(rules.referencePairs ? { referenceHashes: new Map([...prev.hashes, ...auth.hashes]) } : {}),
  }
  return { rules, built: buildEvent(rules, draft, { sha256 }) }
}

function requireSame(rules: RoomVersionRules, event: JsonObject, wanted: WantedMembership): void {
  const { roomId, userId, membership } = wanted
  if (!isRoomIdOf(rules, roomId))
    throw new AnswerRefused(`no room of version ${rules.version} has such an id`)
  if (event['room_id'] !== roomId) throw new AnswerRefused('its template is of another room')
  if (event['type'] !== 'm.room.member') throw new AnswerRefused('its template is no membership event')
  if (event['sender'] !== userId || event['state_key'] !== userId) {
    throw new AnswerRefused('its template is for another user')
  }
  const { content } = event
  if (!isJsonObject(content) || content['membership'] !== membership) {
    throw new AnswerRefused('its template is for another membership')
  }
}

function contentOf(rules: RoomVersionRules, event: JsonObject, wanted: WantedMembership): JsonObject {
  const content: JsonObject = { ...wanted.content, membership: wanted.membership }
  delete content['join_authorised_via_users_server']
  const via = (event['content'] as JsonObject)['join_authorised_via_users_server']
  if (via === undefined || wanted.membership !== 'join') return content
  if (!rules.restrictedJoins || typeof via !== 'string' || parseUserId(via) === undefined) {
    throw new AnswerRefused('its template names no user who may authorise the join')
  }
  return { ...content, join_authorised_via_users_server: via }
}

function readReferences(
  rules: RoomVersionRules,
  list: JsonValue | undefined,
  maximum: number,
): { ids: EventId[]; hashes: [EventId, string | undefined][] } {
  if (!Array.isArray(list) || list.length > maximum)
    throw new AnswerRefused('its template has no list of events')
  const ids: EventId[] = []
  const hashes: [EventId, string | undefined][] = []
  for (const entry of list) {
    const [id, hash] = Array.isArray(entry) ? entry : [entry]
    if (!isEventIdOf(rules, id)) throw new AnswerRefused('its template names what is no event')
    ids.push(id)
    if (!rules.referencePairs) continue
    // Synapse leaves out what it does not keep any more; nobody ever checked these.
    const text = isJsonObject(hash) ? hash['sha256'] : undefined
    hashes.push([id, typeof text === 'string' ? text : undefined])
  }
  return { ids, hashes }
}
