import type { JsonValue } from '@causeway/matrix/events/pdu.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import { findEventRowsByNid } from '@causeway/store/tables/events.ts'
import { findProfiles } from '@causeway/store/tables/profiles.ts'
import type { MembershipRow } from '@causeway/store/tables/rooms.ts'
import { MAX_LENGTH, type ShownField } from '../profile/field-name.ts'
import { pduOfRow } from '../rooms/stored-event.ts'
import type { DirectoryLane } from './lane.ts'

/** A name and a picture; both may be empty. */
export interface ShownName {
  readonly displayName: string
  readonly avatarUrl: string
}

/** A user in a room. */
export function keyOf(roomNid: number, userId: string): string {
  return `${roomNid} ${userId}`
}

type Join = Pick<MembershipRow, 'user_id' | 'room_nid' | 'event_nid'>

/**
 * Under which name each of these is found: users of ours by their profile, whatever they are called in a room,
 * users of other servers by what their membership of that room says. By `keyOf`.
 */
export async function readShownNames(
  { db, serverName }: DirectoryLane,
  joins: readonly Join[],
): Promise<ReadonlyMap<string, ShownName>> {
  const isOurs = ({ user_id: userId }: Join): boolean => serverNameOf(userId as UserId) === serverName
  const ours = new Set(joins.filter(isOurs).map((join) => join.user_id))
  const events = joins.filter((join) => !isOurs(join)).map((join) => join.event_nid)
  const [profiles, rows] = await Promise.all([
    ours.size === 0 ? undefined : findProfiles(db, [...ours]),
    events.length === 0 ? [] : findEventRowsByNid(db, events),
  ])
  const contents = new Map(rows.map((row) => [row.nid, pduOfRow(row).content]))
  return new Map(
    joins.map((join) => {
      const profile = profiles?.get(join.user_id)
      const content = isOurs(join) ? Object.fromEntries(profile ?? []) : contents.get(join.event_nid)
      return [keyOf(join.room_nid, join.user_id), nameIn(content ?? {})]
    }),
  )
}

function nameIn(content: Readonly<Record<string, JsonValue>>): ShownName {
  const avatarUrl = textOf('avatar_url', content['avatar_url'])
  return {
    displayName: textOf('displayname', content['displayname']),
    avatarUrl: avatarUrl.startsWith('mxc://') ? avatarUrl : '',
  }
}

/** What other servers say may be anything. */
function textOf(field: ShownField, value: JsonValue | undefined): string {
  return typeof value === 'string' && value.length <= MAX_LENGTH[field] && value.isWellFormed() ? value : ''
}
