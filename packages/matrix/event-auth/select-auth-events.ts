import type { JsonObject } from '../events/pdu.ts'
import type { RoomVersionRules } from '../room-versions/rules.ts'
import { isJsonObject, ownText, ownValue } from './json-reading.ts'
import type { StateKeyPair } from './state-key.ts'

/** As much of an event as decides which state permits it. */
export interface AuthEventsDraft {
  readonly type: string
  readonly sender: string
  readonly stateKey?: string | undefined
  readonly content: JsonObject
}

/**
 * Which state a new event must list in `auth_events`: `[type, state key]` pairs, without repetition, of which the
 * room may lack some. https://spec.matrix.org/v1.19/server-server-api/#auth-events-selection
 */
export function selectAuthEvents(rules: RoomVersionRules, draft: AuthEventsDraft): readonly StateKeyPair[] {
  if (draft.type === 'm.room.create') return []
  const selected: StateKeyPair[] = [
    ['m.room.power_levels', ''],
    ['m.room.member', draft.sender],
  ]
  if (!rules.roomIdIsCreateHash) selected.push(['m.room.create', ''])
  if (draft.type === 'm.room.member') selectForMember(rules, draft, selected)
  return selected
}

function selectForMember(rules: RoomVersionRules, draft: AuthEventsDraft, selected: StateKeyPair[]): void {
  const { content, stateKey } = draft
  const membership = ownText(content, 'membership')
  if (stateKey !== undefined) addMember(selected, stateKey)
  if (membership === 'join' || membership === 'invite' || membership === 'knock') {
    selected.push(['m.room.join_rules', ''])
  }
  const token = membership === 'invite' ? thirdPartyInviteToken(content) : undefined
  if (token !== undefined) selected.push(['m.room.third_party_invite', token])
  const authorisedVia = ownText(content, 'join_authorised_via_users_server')
  if (rules.restrictedJoins && membership === 'join' && authorisedVia !== undefined) {
    addMember(selected, authorisedVia)
  }
}

function addMember(selected: StateKeyPair[], userId: string): void {
  if (!selected.some(([type, key]) => type === 'm.room.member' && key === userId)) {
    selected.push(['m.room.member', userId])
  }
}

/** `content.third_party_invite.signed.token` of an invite, if it is text. */
export function thirdPartyInviteToken(content: JsonObject): string | undefined {
  const invite = ownValue(content, 'third_party_invite')
  const signed = isJsonObject(invite) ? ownValue(invite, 'signed') : undefined
  return isJsonObject(signed) ? ownText(signed, 'token') : undefined
}
