import type { UserId } from '@causeway/matrix/ids/ids.ts'
import type { Database } from '@causeway/store/db/database.ts'
import { findProfiles } from '@causeway/store/tables/profiles.ts'
import type { MemberProfile } from '../rooms/member-content.ts'

/** What users of ours show in rooms. Users without a profile, and of other servers, have an empty one. */
export async function readMemberProfiles(
  db: Database,
  userIds: readonly UserId[],
): Promise<(userId: UserId) => MemberProfile> {
  const profiles = await findProfiles(db, userIds)
  return (userId) => {
    const fields = profiles.get(userId)
    return { displayName: textOf(fields?.get('displayname')), avatarUrl: textOf(fields?.get('avatar_url')) }
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
