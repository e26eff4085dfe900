import type { Database, Row, Statement } from '../db/database.ts'
import { queryForUsers } from './query-for-users.ts'

// What application services are told for end-to-end encryption (MSC3202).

/** A key of an appservice's device that is about to be handed out. */
export interface ClaimedKey {
  readonly userId: string
  readonly deviceId: string
  readonly algorithm: string
}

const UNUSED = {
  oneTime: 'FROM one_time_keys WHERE user_id = ? AND device_id = ? AND algorithm = ?',
  fallback: 'FROM fallback_keys WHERE user_id = ? AND device_id = ? AND algorithm = ? AND is_used = 0',
}

/**
 * Notes that an appservice is to be told of a device's keys, since one is handed out in the steps behind this. Nothing where
 * there is none (any more).
 */
export function noteClaimedKey(
  { userId, deviceId, algorithm }: ClaimedKey,
  kind: keyof typeof UNUSED,
  appserviceNid: number,
): Statement {
  return {
    sql: `INSERT INTO appservice_key_counts (user_id, device_id, appservice_nid, claims)
          SELECT user_id, device_id, CAST(? AS BIGINT), 1 ${UNUSED[kind]} LIMIT 1
          ON CONFLICT (user_id, device_id) DO UPDATE SET
            claims = appservice_key_counts.claims + 1, appservice_nid = excluded.appservice_nid`,
    params: [appserviceNid, userId, deviceId, algorithm],
  }
}

export interface ClaimedKeysRow extends Row {
  user_id: string
  device_id: string
  claims: number
}

/** Devices of which keys were handed out since it was told. */
export function listClaimedKeys(
  db: Database,
  appserviceNid: number,
  limit: number,
): Promise<ClaimedKeysRow[]> {
  return db.query<ClaimedKeysRow>(
    'SELECT user_id, device_id, claims FROM appservice_key_counts WHERE appservice_nid = ? LIMIT ?',
    [appserviceNid, limit],
  )
}

/** It is told of what was read; if keys were handed out again since, it is still to be told of that. */
export function takeClaimedKeys({ user_id, device_id, claims }: ClaimedKeysRow): Statement {
  return {
    sql: 'DELETE FROM appservice_key_counts WHERE user_id = ? AND device_id = ? AND claims = ?',
    params: [user_id, device_id, claims],
  }
}

/** Those of several users who are in a room with a user of an appservice. One query. */
export async function listSharingAppservice(
  db: Database,
  appserviceNid: number,
  userIds: readonly string[],
): Promise<string[]> {
  const rows = await queryForUsers<{ user_id: string }>(
    db,
    `SELECT DISTINCT b.user_id FROM memberships b WHERE b.user_id IN (?text[]) AND b.membership = 'join'
     AND EXISTS (SELECT 1 FROM appservice_members m WHERE m.room_nid = b.room_nid AND m.appservice_nid = ?)`,
    userIds,
    appserviceNid,
  )
  return rows.map((row) => row.user_id)
}

/** Everybody who is joined to a room; with `exceptSharing`, only who is in no room with a user of that appservice. */
export async function listMembersForAppservice(
  db: Database,
  roomNid: number,
  exceptSharing?: number,
): Promise<string[]> {
  const alone = `AND NOT EXISTS (SELECT 1 FROM memberships b JOIN appservice_members m
    ON m.room_nid = b.room_nid AND m.appservice_nid = ? WHERE b.user_id = a.user_id AND b.membership = 'join')`
  const rows = await db.queryLarge<{ user_id: string }>(
    `SELECT a.user_id FROM memberships a WHERE a.room_nid = ? AND a.membership = 'join'
     ${exceptSharing === undefined ? '' : alone}`,
    exceptSharing === undefined ? [roomNid] : [roomNid, exceptSharing],
  )
  return rows.map((row) => row.user_id)
}
