import type { JsonObject } from '@causeway/matrix/events/pdu.ts'

/** A profile as it goes into membership events. */
export interface MemberProfile {
  readonly displayName?: string | undefined
  readonly avatarUrl?: string | undefined
}

/** The content of a membership event with the profile of whom it is about. */
export function memberContent(membership: string, profile: MemberProfile, more: JsonObject = {}): JsonObject {
  return {
    ...more,
    membership,
    ...(profile.displayName === undefined ? {} : { displayname: profile.displayName }),
    ...(profile.avatarUrl === undefined ? {} : { avatar_url: profile.avatarUrl }),
  }
}
