import type { JsonObject, JsonValue } from '@causeway/matrix/events/pdu.ts'
import type { RoomAlias, UserId } from '@causeway/matrix/ids/ids.ts'
import type { RoomVersionRules } from '@causeway/matrix/room-versions/rules.ts'
import { memberContent, type MemberProfile } from './member-content.ts'
import type { EventDraft } from './room-write.ts'

export type RoomPreset = 'private_chat' | 'trusted_private_chat' | 'public_chat'

/** The body of a createRoom request, checked, with what its defaults depend on. */
export interface NewRoomRequest {
  readonly preset: RoomPreset
  readonly creationContent: JsonObject
  readonly initialState: readonly { type: string; stateKey: string; content: JsonObject }[]
  readonly name?: string
  readonly topic?: string
  readonly invite: readonly UserId[]
  /** Those of them who are invited once the room is there: their servers have to sign it. */
  readonly invitedLater?: readonly UserId[]
  readonly isDirect: boolean
  readonly powerLevelOverride: JsonObject
  readonly creatorProfile: MemberProfile
  readonly profileOf: (userId: UserId) => MemberProfile
}

interface RoomContext extends NewRoomRequest {
  readonly rules: RoomVersionRules
  readonly creator: UserId
  readonly alias?: RoomAlias
}

const PRESETS: Record<RoomPreset, { joinRule: string; guestAccess: string; inviteLevel: number }> = {
  private_chat: { joinRule: 'invite', guestAccess: 'can_join', inviteLevel: 0 },
  trusted_private_chat: { joinRule: 'invite', guestAccess: 'can_join', inviteLevel: 0 },
  // Everybody comes in by themselves: inviting is left to moderators, or strangers could use the room to pester others.
  public_chat: { joinRule: 'public', guestAccess: 'forbidden', inviteLevel: 50 },
}

/** The first events of a room after the create event, in the order the specification gives. */
export function initialEvents(input: RoomContext): EventDraft[] {
  const { creator } = input
  const state = (type: string, content: JsonObject, stateKey = ''): EventDraft => ({
    type,
    sender: creator,
    stateKey,
    content,
  })
  const drafts = [
    state('m.room.member', memberContent('join', input.creatorProfile), creator),
    state('m.room.power_levels', powerLevels(input)),
  ]
  if (input.alias !== undefined) drafts.push(state('m.room.canonical_alias', { alias: input.alias }))
  drafts.push(...presetEvents(input, state))
  for (const { type, stateKey, content } of input.initialState) {
    if (!isOverridden(input, type, stateKey)) drafts.push(state(type, content, stateKey))
  }
  if (input.name !== undefined) drafts.push(state('m.room.name', { name: input.name }))
  if (input.topic !== undefined) drafts.push(state('m.room.topic', topicContent(input.topic)))
  const more: JsonObject = input.isDirect ? { is_direct: true } : {}
  for (const userId of new Set(input.invite).difference(new Set(input.invitedLater))) {
    drafts.push(state('m.room.member', memberContent('invite', input.profileOf(userId), more), userId))
  }
  return drafts
}

/** Plain text, and the same as an extensible event. https://spec.matrix.org/v1.19/client-server-api/#mroomtopic */
export function topicContent(topic: string): JsonObject {
  return { topic, 'm.topic': { 'm.text': [{ body: topic, mimetype: 'text/plain' }] } }
}

/** `name` and `topic` of the request win over `initial_state`. */
function isOverridden({ name, topic }: NewRoomRequest, type: string, stateKey: string): boolean {
  if (stateKey !== '') return false
  return (type === 'm.room.name' && name !== undefined) || (type === 'm.room.topic' && topic !== undefined)
}

/** `initial_state` wins over what the preset implies. */
function presetEvents(
  input: NewRoomRequest,
  state: (type: string, content: JsonObject) => EventDraft,
): EventDraft[] {
  const { joinRule, guestAccess } = PRESETS[input.preset]
  const events = [
    state('m.room.join_rules', { join_rule: joinRule }),
    state('m.room.history_visibility', { history_visibility: 'shared' }),
    // Forbidden is what a room without this event means, and one event less is one less for everybody.
    ...(guestAccess === 'forbidden' ? [] : [state('m.room.guest_access', { guest_access: guestAccess })]),
  ]
  return events.filter(
    (event) => !input.initialState.some(({ type, stateKey }) => type === event.type && stateKey === ''),
  )
}

function powerLevels(input: RoomContext): JsonObject {
  const { rules, creator, preset, invite } = input
  const users: JsonObject = rules.privilegedCreators ? {} : { [creator]: 100 }
  if (!rules.privilegedCreators && preset === 'trusted_private_chat') {
    for (const userId of invite) users[userId] = 100
  }
  const defaults: JsonObject = {
    ban: 50,
    events: {
      'm.room.avatar': 50,
      'm.room.canonical_alias': 50,
      'm.room.encryption': 100,
      'm.room.history_visibility': 100,
      'm.room.name': 50,
      'm.room.power_levels': 100,
      'm.room.server_acl': 100,
      // Only creators may replace a room of version 12, where nobody can be given more than they have.
      'm.room.tombstone': rules.privilegedCreators ? 150 : 100,
    },
    events_default: 0,
    invite: PRESETS[preset].inviteLevel,
    kick: 50,
    redact: 50,
    state_default: 50,
    users,
    users_default: 0,
    historical: 100,
  }
  return { ...defaults, ...(input.powerLevelOverride as { [key: string]: JsonValue }) }
}
