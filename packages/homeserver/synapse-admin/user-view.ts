import type { JsonObject, JsonValue } from '@causeway/matrix/events/pdu.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { listDevices } from '@causeway/store/tables/devices.ts'
import { findProfiles } from '@causeway/store/tables/profiles.ts'
import { listThreepids, type ThreepidRow } from '@causeway/store/tables/threepids.ts'
import type { UserRecord } from '@causeway/store/tables/users.ts'
import type { Homeserver } from '../homeserver.ts'

/** What accounts have in Synapse alone. */
export const NOT_HERE = { user_type: null } as const satisfies JsonObject

function viewThreepid(row: ThreepidRow): JsonObject {
  const { medium, address, validated_ts: validated, added_ts: added } = row
  return { medium, address, validated_at: validated, added_at: added }
}

/**
 * An account as Synapse shows it. `creation_ts` is in seconds here, and in milliseconds in lists.
 * https://element-hq.github.io/synapse/latest/admin_api/user_admin_api.html#query-user-account
 */
export async function viewAccount({ db }: Pick<Homeserver, 'db'>, user: UserRecord): Promise<JsonObject> {
  const { userId } = user
  const [profiles, devices, threepids] = await Promise.all([
    findProfiles(db, [userId]),
    listDevices(db, userId),
    listThreepids(db, userId),
  ])
  const seen = Math.max(0, ...devices.map(({ lastSeenTs }) => lastSeenTs))
  const field = (name: string): JsonValue => profiles.get(userId)?.get(name) ?? null
  return {
    name: userId as UserId,
    displayname: field('displayname'),
    avatar_url: field('avatar_url'),
    threepids: threepids.map(viewThreepid),
    is_guest: user.isGuest,
    admin: user.isAdmin,
    deactivated: user.deactivatedTs !== 0,
    erased: user.isErased,
    locked: user.isLocked,
    suspended: user.isSuspended,
    shadow_banned: user.isShadowBanned,
    ...NOT_HERE,
    creation_ts: Math.floor(user.createdTs / 1000),
    last_seen_ts: seen === 0 ? null : seen,
    appservice_id: user.appserviceId === '' ? null : user.appserviceId,
    consent_server_notice_sent: null,
    consent_version: null,
    consent_ts: null,
    external_ids: [],
  }
}
