import type { JsonValue } from '@causeway/matrix/events/pdu.ts'
import { parseJson } from '@causeway/matrix/json/parse.ts'
import type { Database, Statement, Step, TableShape } from '../db/database.ts'

export const PROFILES: TableShape = {
  name: 'profiles',
  columns: [
    { name: 'user_id', type: 'text' },
    { name: 'field', type: 'text' },
    { name: 'value', type: 'text' },
  ],
  onConflict: { key: ['user_id', 'field'], action: 'replace' },
}

/** The profile fields of several users of ours: user → field → value. One query. */
export async function findProfiles(
  db: Database,
  userIds: readonly string[],
): Promise<Map<string, Map<string, JsonValue>>> {
  const rows = await db.query<{ user_id: string; field: string; value: string }>(
    'SELECT user_id, field, value FROM profiles WHERE user_id IN (?text[])',
    [userIds],
  )
  const profiles = new Map<string, Map<string, JsonValue>>()
  for (const row of rows) {
    const fields = profiles.get(row.user_id) ?? new Map<string, JsonValue>()
    fields.set(row.field, parseJson(row.value))
    profiles.set(row.user_id, fields)
  }
  return profiles
}

export function setProfileField(userId: string, field: string, value: JsonValue): Step {
  return { into: PROFILES, values: [userId, field, JSON.stringify(value)] }
}

export function deleteProfileField(userId: string, field: string): Step {
  return { sql: 'DELETE FROM profiles WHERE user_id = ? AND field = ?', params: [userId, field] }
}

/** Removes all that a user shows of themselves. */
export function deleteProfile(userId: string): Statement {
  return { sql: 'DELETE FROM profiles WHERE user_id = ?', params: [userId] }
}

/** What each field costs beside its name and value: quotes, colon and comma. */
const FIELD_OVERHEAD = 4

/** Refuses the write when the profile with this field would be over `maxBytes` of JSON. */
export function requireProfileFits(
  userId: string,
  field: string,
  value: JsonValue,
  maxBytes: number,
): Statement {
  const own = Buffer.byteLength(field) + Buffer.byteLength(JSON.stringify(value)) + FIELD_OVERHEAD
  return {
    sql: `SELECT 1 AS fits FROM users WHERE user_id = ? AND ? >= (
      SELECT COALESCE(SUM(octet_length(field) + octet_length(value) + ${FIELD_OVERHEAD}), 0)
      FROM profiles WHERE user_id = ? AND field <> ?)`,
    params: [userId, maxBytes - own - 2, userId, field],
    expectRows: 1,
  }
}
